"""People on a picture, by OpenPose's rules: limbs in the colour of their second keypoint, thicker for bigger people."""
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np

from wholebody.packages import require
from wholebody.poses import Poses
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

# Points of these parts show from a higher score on (render thresholds of OpenPose's face and hand detectors).
_PART_THRESHOLDS = {"face": 0.4, "left_hand": 0.2, "right_hand": 0.2, "hand": 0.2}
# For sets that name no scales but have these parts beside a body: a face point is not as big as a hip.
_PART_SCALES = {"face": 0.2, "left_hand": 0.35, "right_hand": 0.35, "foot": 0.7}
_BOX_SCORE = 0.1         # keypoints above it make the box that a person's size is taken from
_CIRCLE = 1 / 75.0       # of the picture's size, for a person that fills it
_LINE = 0.75             # of a circle
_SHIFT = 4               # fixed-point bits: lines end between pixels too
_FAR = 1e6               # pixels: farther out is cut, 32 bits hold no more

_styles: "Dict[Skeleton, Tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]" = {}


def draw_poses(image: "npt.NDArray[np.uint8]", poses: Poses, threshold: float = 0.05) -> None:
    """Draw on the picture (H, W, 3) BGR itself; points with scores up to `threshold` are left out."""
    cv2 = require("cv2")
    scales, part_thresholds = style_of(poses.skeleton)
    shown = poses.scores > np.maximum(part_thresholds, threshold).astype(np.float32)
    shown &= np.isfinite(poses.keypoints).all(axis=2)
    for person in range(len(poses)):
        base = _base_size(image, poses.keypoints[person], poses.scores[person])
        if base > 0:
            _draw_person(cv2, image, poses, person, base, shown[person], scales)
            if poses.ids is not None and poses.ids[person] >= 0:
                _draw_number(cv2, image, int(poses.ids[person]), poses.boxes_xyxy[person])


def _draw_person(cv2: Any, image: "npt.NDArray[np.uint8]", poses: Poses, person: int, base: int,
                 shown: "npt.NDArray[np.bool_]", scales: "npt.NDArray[np.float64]") -> None:
    skeleton = poses.skeleton
    line = max(1, int(_LINE * base + 0.5))
    points = _fixed_point(poses.keypoints[person], shown)
    for first, second in skeleton.limbs:
        if shown[first] and shown[second] and scales[second] > 0:
            cv2.line(image, points[first], points[second], skeleton.colors_rgb[second][::-1],
                     max(1, int(line * scales[second] + 0.5)), cv2.LINE_AA, _SHIFT)
    for k in np.flatnonzero(shown & (scales > 0)):
        # OpenPose's ring of radius base / 2 and width base is a disc of radius base.
        radius = max(1.0, base * float(scales[k]))
        cv2.circle(image, points[k], int(round(radius * (1 << _SHIFT))), skeleton.colors_rgb[k][::-1], -1,
                   cv2.LINE_AA, _SHIFT)


def _draw_number(cv2: Any, image: "npt.NDArray[np.uint8]", number: int, box: "npt.NDArray[np.float32]") -> None:
    """Above somebody who is followed: who it is, white on a dark rim."""
    if not np.isfinite(box).all():
        return
    size = max(0.4, min(image.shape[:2]) / 900.0)
    x, y = (int(v) for v in np.clip(box[:2] - (0, 4), 0, 1e6))
    for color, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(image, "#%d" % number, (x, max(y, int(30 * size))), cv2.FONT_HERSHEY_SIMPLEX, size, color,
                    max(1, int(width * size + 0.5)), cv2.LINE_AA)


def _fixed_point(keypoints: "npt.NDArray[np.float32]", shown: "npt.NDArray[np.bool_]") -> "List[Tuple[int, int]]":
    """Integer coordinates with `_SHIFT` bits after the point; far outside is cut to what 32 bits can hold."""
    safe = np.clip(np.where(shown[:, None], keypoints, 0), -_FAR, _FAR)
    return [(x, y) for x, y in np.rint(safe * (1 << _SHIFT)).astype(int).tolist()]


def style_of(skeleton: Skeleton) -> "Tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]":
    """Size factors (K,) and score thresholds (K,) of a set."""
    if skeleton not in _styles:
        scales = np.asarray(skeleton.draw_scales, float)
        thresholds = np.zeros(len(scales))
        plain = bool((scales == 1).all()) and len(skeleton.part("body")) > 0
        for name, indices in skeleton.parts:
            thresholds[list(indices)] = _PART_THRESHOLDS.get(name, 0.0)
            if plain:
                scales[list(indices)] = _PART_SCALES.get(name, 1.0)
        _styles[skeleton] = (scales, thresholds)
    return _styles[skeleton]


def _base_size(image: "npt.NDArray[np.uint8]", keypoints: "npt.NDArray[np.float32]",
               scores: "npt.NDArray[np.float32]") -> int:
    """Diameter of a circle in pixels; 0 for somebody without an extent."""
    found = keypoints[(scores > _BOX_SCORE) & np.isfinite(keypoints).all(axis=1)]
    if not len(found):
        return 0
    height, width = image.shape[:2]
    extent = found.max(axis=0) - found.min(axis=0)
    ratio = min(1.0, max(float(extent[0]) / width, float(extent[1]) / height))
    return max(int((width * height) ** 0.5 * _CIRCLE * ratio + 0.5), 2)
