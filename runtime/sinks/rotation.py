"""A folder that takes one file a frame for weeks: the oldest files go when it holds too much."""
import collections
import logging
import os
import pathlib
import re
from typing import Deque, Tuple

from wholebody.errors import OutputError

log = logging.getLogger("wholebody")
_UNITS = {"": 1, "K": 10 ** 3, "M": 10 ** 6, "G": 10 ** 9, "T": 10 ** 12}


def parse_size(text: str) -> int:
    """Bytes.

    >>> parse_size("500M"), parse_size("2GB"), parse_size("1.5K")
    (500000000, 2000000000, 1500)
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([KMGT]?)B?", text.strip().upper())
    size = int(float(found.group(1)) * _UNITS[found.group(2)]) if found else 0
    if size < 1:
        raise OutputError("expected a size such as 500M or 2G, got %r" % text)
    return size


class Rotation:
    """Knows what a run wrote, and nothing of other files in the folder; `most` of 0 keeps everything."""

    def __init__(self, most: int = 0) -> None:
        self.most, self.removed = most, 0
        self._held = 0
        self._files: Deque[Tuple[pathlib.Path, int]] = collections.deque()

    def add(self, path: pathlib.Path, size: int) -> None:
        """A file was written; the oldest ones go until the rest fits, but never this one."""
        if not self.most:
            return
        self._files.append((path, size))
        self._held += size
        while self._held > self.most and len(self._files) > 1:
            oldest, its_size = self._files.popleft()
            self._held -= its_size
            self.removed += 1
            try:
                os.unlink(str(oldest))
            except OSError as error:
                log.warning("%s could not be removed: %s", oldest, error.strerror)
