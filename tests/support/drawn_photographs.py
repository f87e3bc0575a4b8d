"""Drawn mannequins as photographs with labels in COCO's format."""

import json
import pathlib
from typing import Tuple

import cv2
import numpy as np
from mannequins.drawing import draw_scene
from mannequins.scene import random_scene

from wholebody.skeletons import get_skeleton

WIDTH, HEIGHT = 320, 240


def draw_photographs(folder: pathlib.Path, count: int, seed: int = 0) -> Tuple[pathlib.Path, pathlib.Path]:
    """A folder of pictures, and the annotation file beside it: COCO_17, and one person in ten without labels."""
    images = folder / "images"
    images.mkdir(parents=True)
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    for number in range(1, count + 1):
        scene = random_scene(1 + number % 3, WIDTH, HEIGHT, seed + number)
        name = "%012d.png" % number
        cv2.imwrite(str(images / name), draw_scene(scene, seed + number))
        truth["images"].append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for person in range(len(scene.keypoints)):
            entry = _entry(scene.keypoints[person], scene.told[person], scene.visible[person])
            entry.update(id=100 * number + person, image_id=number, category_id=1, iscrowd=0)
            if number % 10 == 0:
                entry.update(ignore=1, num_keypoints=0, keypoints=[0] * 51)
            truth["annotations"].append(entry)
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps(truth))
    return images, annotations


def _entry(points: np.ndarray, told: np.ndarray, visible: np.ndarray) -> dict:
    body, coco = get_skeleton("BODY_25"), get_skeleton("COCO_17")
    flat, known = [], 0
    for source, in body.sources_of(coco):
        v = 2 if visible[source] else int(told[source])
        flat += [*points[source].tolist(), v] if v else [0, 0, 0]
        known += v > 0
    low, high = points.min(axis=0), points.max(axis=0)
    box = [*low.tolist(), *(high - low).tolist()]
    return {"keypoints": flat, "num_keypoints": known, "bbox": box, "area": box[2] * box[3] * 0.5}
