"""The images an evaluation went worst on, as pictures: labels left, what was found right."""
import pathlib
from typing import Any

import cv2
import numpy as np

from wholebody.calibration.protocols.base import Protocol, Report, Truth
from wholebody.calibration.running import AnnotatedImages
from wholebody.files import claim_folder, write_bytes
from wholebody.poses import Poses
from wholebody.runtime.drawing import draw_poses


def write_worst(protocol: Protocol, report: Report, truth: Truth, found: Any, images: AnnotatedImages, folder: str,
                count: int, overwrite: bool) -> list[pathlib.Path]:
    """The first `count` images from the worst on; their names begin with their rank."""
    place = claim_folder(folder)
    written = []
    for rank, errors in enumerate(report.worst[:count], 1):
        picture = _side_by_side(images.picture(errors.image_id), *protocol.poses(truth, found, errors.image_id))
        path = place / f"{rank:03d}_{errors.image_id:012d}_missed{errors.missed}_false{errors.false}.jpg"
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        write_bytes(path, encoded.tobytes(), overwrite)
        written.append(path)
    return written


def _side_by_side(image: Any, labelled: Poses, found: Poses) -> Any:
    left, right = image.copy(), image.copy()
    draw_poses(left, labelled)
    draw_poses(right, found)
    return np.concatenate([left, right], axis=1)
