"""The gate of a bundle: pictures with the keypoints that the FP32 network found, and whether this one finds them."""
import json
import pathlib
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from wholebody.errors import ModelError
from wholebody.packages import require
from wholebody.poses import Poses
from wholebody.runtime.agreement import agreement, overall
from wholebody.skeletons import Skeleton, get_skeleton, skeleton_from_dict, skeleton_names, skeleton_to_dict

EXPECTED = "expected.json"


class Picture(NamedTuple):
    """A picture of the gate, and who the FP32 network found in it."""

    file: str
    poses: Poses


class Verdict(NamedTuple):
    """What the gate says."""

    agreement: float                            # over all keypoints
    of_pictures: Tuple[Tuple[str, float], ...]  # each picture's own

    @property
    def worst(self) -> str:
        """The picture that agrees least."""
        return min(self.of_pictures, key=lambda picture: picture[1])[0] if self.of_pictures else ""


def gate_to_json(pictures: Sequence[Picture], skeleton: Skeleton) -> str:
    """The text of expected.json: hundredths of a pixel."""
    known = skeleton.name in skeleton_names() and get_skeleton(skeleton.name) == skeleton
    rows = [{"file": picture.file, "people": [_person(picture.poses, place) for place in range(len(picture.poses))]}
            for picture in pictures]
    return json.dumps({"skeleton": skeleton.name if known else skeleton_to_dict(skeleton), "pictures": rows}) + "\n"


def read_gate(folder: pathlib.Path) -> List[Picture]:
    """The gate's pictures."""
    path = folder / EXPECTED
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        named = data["skeleton"]
        skeleton = get_skeleton(named) if isinstance(named, str) else skeleton_from_dict(named)
        return [Picture(row["file"], _poses(row["people"], skeleton)) for row in data["pictures"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError("%s cannot be read: %s; copy the bundle again" % (path, error))


def check_gate(folder: pathlib.Path, pictures: Sequence[Picture], estimate: Any) -> Verdict:
    """Asks an open estimator about every picture."""
    pairs, each = [], []
    for picture in pictures:
        found = estimate(read_picture(folder / picture.file))
        pairs.append((picture.poses, found))
        each.append((picture.file, round(agreement(picture.poses, found), 4)))
    return Verdict(round(overall(pairs), 4), tuple(each))


def read_picture(path: pathlib.Path) -> Any:
    """uint8 (H, W, 3) BGR."""
    image = require("cv2").imread(str(path), 1)
    if image is None:
        raise ModelError("%s cannot be read as a picture; copy the bundle again" % path)
    return image


def _person(poses: Poses, place: int) -> Dict[str, Any]:
    points = np.concatenate([poses.keypoints[place], poses.scores[place][:, None]], axis=1)
    return {"score": round(float(poses.person_scores[place]), 4),
            "keypoints": [[round(float(x), 2), round(float(y), 2), round(float(s), 4)] for x, y, s in points]}


def _poses(people: List[Dict[str, Any]], skeleton: Skeleton) -> Poses:
    if not people:
        return Poses.empty(skeleton)
    points = np.array([person["keypoints"] for person in people], np.float32)
    scores = np.array([person["score"] for person in people], np.float32)
    return Poses(points[..., :2], points[..., 2], scores, skeleton)
