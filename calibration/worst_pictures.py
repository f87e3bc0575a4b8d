"""The images an evaluation went worst on, as pictures: labels left, what was found right."""
import json
import pathlib
from typing import Any

import cv2
import numpy as np

from wholebody.calibration.coco_protocol import Evaluation
from wholebody.calibration.running import AnnotatedImages
from wholebody.files import claim_folder, write_bytes
from wholebody.poses import Poses
from wholebody.runtime.drawing import draw_poses
from wholebody.skeletons import get_skeleton


def write_worst(evaluation: Evaluation, truth: Any, results: str, images: AnnotatedImages, folder: str, count: int,
                overwrite: bool) -> list[pathlib.Path]:
    """The first `count` images from the worst on; their names begin with their rank."""
    place = claim_folder(folder)
    found: dict[int, list[dict[str, Any]]] = {}
    for entry in json.loads(pathlib.Path(results).read_text(encoding="utf-8")):
        found.setdefault(entry["image_id"], []).append(entry)
    written = []
    for rank, errors in enumerate(evaluation.worst[:count], 1):
        labels = [entry for entry in truth.imgToAnns[errors.image_id] if entry.get("num_keypoints", 0) > 0]
        picture = _side_by_side(images.picture(errors.image_id), labels, found.get(errors.image_id, []))
        path = place / f"{rank:03d}_{errors.image_id:012d}_missed{errors.missed}_false{errors.false}.jpg"
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        write_bytes(path, encoded.tobytes(), overwrite)
        written.append(path)
    return written


def _side_by_side(image: Any, labels: list[dict[str, Any]], found: list[dict[str, Any]]) -> Any:
    left, right = image.copy(), image.copy()
    draw_poses(left, _poses(labels))
    draw_poses(right, _poses(found))
    return np.concatenate([left, right], axis=1)


def _poses(entries: list[dict[str, Any]]) -> Poses:
    """COCO entries as people; a point counts as found when its v is above 0."""
    rows = np.array([entry["keypoints"] for entry in entries], np.float32).reshape(-1, 17, 3)
    scores = (rows[..., 2] > 0).astype(np.float32)
    return Poses(rows[..., :2] * scores[..., None], scores, np.ones(len(rows), np.float32), get_skeleton("COCO_17"))
