"""Viewers that come, look for a while and go, at random: python web_viewers.py PORT COUNT SEED, until stdin ends.

A process of its own, as browsers are; says at the end how many bytes they saw.
"""
import random
import select
import socket
import sys
import time

PATHS = ("/api/stream", "/api/stream", "/api/poses", "/api/status")


def main():
    port, count, rng = int(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    leaves, seen = {}, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        while len(leaves) < count:
            viewer = socket.create_connection(("127.0.0.1", port), 5)
            viewer.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % rng.choice(PATHS)).encode())
            leaves[viewer] = time.monotonic() + rng.uniform(0.1, 2.0)
        ready = set(select.select(list(leaves), [], [], 0.02)[0])
        for viewer, leave in list(leaves.items()):
            data = b"go on"
            if viewer in ready:
                try:
                    data = viewer.recv(1 << 20)
                except OSError:
                    data = b""
                seen += len(data)
            if not data or time.monotonic() > leave:
                viewer.close()
                del leaves[viewer]
    sys.stdout.write("%d\n" % seen)


if __name__ == "__main__":
    main()
