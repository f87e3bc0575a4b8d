"""Measure a mannequin network from picture to poses: who and what it finds at 1 to 20 people."""

import argparse
import json
import pathlib
import sys
from typing import List, NamedTuple, Optional

import numpy as np
import onnxruntime

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from mannequins.drawing import draw_scene
from mannequins.scene import Scene, random_scene
from wholebody.runtime.paf import PafDecoder
from wholebody.skeletons import get_skeleton

WIDTH, HEIGHT = 656, 368
CROWDS = (1, 5, 10, 20)
FIRST_SEED = 700000000  # training draws its scenes with seeds from 1000003 up; these are far from them
LEAST_RADIUS_PX, RADIUS_HEIGHTS = 6.0, 0.05
LEAST_KEYPOINTS = 3


class Recall(NamedTuple):
    """What was found in some scenes."""

    found: int
    """Visible keypoints found within max(6 px, 0.05 body heights) in the right person."""
    visible: int
    counted: int
    """Scenes in which as many people were found as show at least three keypoints."""
    scenes: int


def network_input(picture: np.ndarray) -> np.ndarray:
    """OpenPose's normalisation: (H, W, 3) uint8 BGR to (1, 3, H, W) float32."""
    return np.ascontiguousarray((picture.astype(np.float32) / 256 - 0.5).transpose(2, 0, 1)[None])


def found_keypoints(scene: Scene, poses: np.ndarray) -> np.ndarray:
    """Which visible keypoints (N, 25) of a scene the poses (M, 25, 2) found, one pose a person."""
    gaps = np.hypot(*(scene.keypoints[:, None] - poses[None]).transpose(3, 0, 1, 2))
    radius = np.maximum(LEAST_RADIUS_PX, RADIUS_HEIGHTS * scene.heights)
    hits = (gaps <= radius[:, None, None]) & scene.visible[:, None]
    found, counts = np.zeros_like(scene.visible), hits.sum(axis=2)
    while counts.size and counts.max() > 0:
        person, pose = np.unravel_index(counts.argmax(), counts.shape)
        found[person] = hits[person, pose]
        counts[person], counts[:, pose] = 0, 0
    return found


def measure(session: onnxruntime.InferenceSession, decode: PafDecoder, people: int, scenes: int) -> Recall:
    """Run scenes of so many people, none of them seen in training."""
    found = visible = counted = 0
    for i in range(scenes):
        seed = FIRST_SEED + 1000 * people + i
        scene = random_scene(people, WIDTH, HEIGHT, seed)
        maps = session.run(["heatmaps", "pafs"], {"image": network_input(draw_scene(scene, seed))})
        poses = decode(maps[0][0], maps[1][0])
        found += int(found_keypoints(scene, np.where(poses.scores[..., None] > 0, poses.keypoints, np.inf)).sum())
        visible += int(scene.visible.sum())
        counted += int(len(poses.keypoints) == (scene.visible.sum(axis=1) >= LEAST_KEYPOINTS).sum())
    return Recall(found, visible, counted, scenes)


def main(argv: Optional[List[str]] = None) -> int:
    """Measure every crowd."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="the ONNX file to measure")
    parser.add_argument("--scenes", type=int, default=20, help="draw this many scenes of each crowd")
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of a table")
    args = parser.parse_args(argv)
    session = onnxruntime.InferenceSession(str(args.model), providers=["CPUExecutionProvider"])
    decode = PafDecoder(get_skeleton("BODY_25"))
    recalls = {people: measure(session, decode, people, args.scenes) for people in CROWDS}
    if args.json:
        sys.stdout.write(json.dumps({str(people): recall._asdict() for people, recall in recalls.items()}) + "\n")
        return 0
    sys.stdout.write("people  recall  people counted right\n")
    for people, recall in recalls.items():
        share = recall.found / max(recall.visible, 1)
        sys.stdout.write(f"{people:6d}  {share:.4f}  {recall.counted} of {recall.scenes} scenes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
