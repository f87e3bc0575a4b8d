"""The demo: draws mannequins, finds them with wb-run, and says how many of them it found; or finds people in yours.

    python examples/demo.py demo-output
    python examples/demo.py demo-output photo.jpg
"""
import json
import pathlib
import shlex
import subprocess
import sys
from typing import List

import av
import cv2
import numpy as np
from mannequins.drawing import draw_scene
from mannequins.scene import Scene, random_scene

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "mannequins" / "mannequin.onnx"
CROWDS = (1, 3, 5, 10, 20)
WIDTH, HEIGHT, SEED = 656, 368, 20
PAN_FRAMES, PAN_STEP, PAN_FPS = 60, 8, 20


def main() -> int:
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
    if len(sys.argv) > 2:
        return find_people(out, sys.argv[2])
    scenes = draw_pictures(out / "scenes")
    draw_video(out / "pan.mp4")
    run(["wb-run", "--engine", MODEL, "--source", out / "scenes", "--overlay", out / "overlay", "--json", out / "json",
         "--coco", out / "coco.json", "--overwrite"])
    run(["wb-run", "--engine", MODEL, "--source", out / "pan.mp4", "--video", out / "pan_poses.mp4", "--overwrite"])
    for name, scene in scenes.items():
        found = json.loads((out / "json" / f"{name}_keypoints.json").read_text(encoding="utf-8"))["people"]
        print(f"{name}: {len(scene.keypoints)} drawn, {len(found)} found")
    print(f"Look at the pictures: {out}/overlay/*.png and {out}/pan_poses.mp4")
    return 0


def find_people(out: pathlib.Path, source: str) -> int:
    """A photograph, a folder of them or a video, with the network for people that comes along."""
    run(["wb-run", "--source", source, "--overlay", out / "people", "--overwrite"])
    print(f"Look at the pictures: {out}/people")
    return 0


def draw_pictures(folder: pathlib.Path) -> "dict[str, Scene]":
    """One picture for each size of crowd, and the truth about it."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = {}
    for people in CROWDS:
        name = f"mannequins_{people:02d}"
        scenes[name] = random_scene(people, WIDTH, HEIGHT, SEED + people)
        cv2.imwrite(str(folder / f"{name}.png"), draw_scene(scenes[name], SEED + people))
    return scenes


def draw_video(path: pathlib.Path) -> None:
    """The camera pans along a wide scene."""
    width = WIDTH + PAN_FRAMES * PAN_STEP
    wide = draw_scene(random_scene(10, width, HEIGHT, SEED), SEED)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=PAN_FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for left in range(0, PAN_FRAMES * PAN_STEP, PAN_STEP):
            picture = np.ascontiguousarray(wide[:, left:left + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def run(command: "List[object]") -> None:
    """Shows a command and runs it with this Python's own scripts."""
    words = [str(word) for word in command]
    print("$ " + " ".join(shlex.quote(word) for word in words), flush=True)
    program = pathlib.Path(sys.executable).parent / words[0]
    subprocess.run([str(program), *words[1:]], check=True)


if __name__ == "__main__":
    sys.exit(main())
