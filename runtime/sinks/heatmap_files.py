"""OpenPose's `--write_heatmaps`: the network's maps of a frame as one wide picture, or as raw floats."""
from typing import TYPE_CHECKING, List, Sequence, Union

import numpy as np

from wholebody.errors import OutputError
from wholebody.files import PathLike, write_bytes
from wholebody.packages import require
from wholebody.poses import Frame, Result
from wholebody.runtime.sinks.base import Details, FrameFiles
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

MAPS = ("parts", "background", "pafs")  # also their order in the file
FORMATS = ("png", "jpg", "float")
SCALES = (0, 1, 2, 3)  # [-1, 1], [0, 1], [0, 255], as the network gives them


class HeatmapFiles(FrameFiles):
    """`<frame>_pose_heatmaps.<format>` in a folder; maps at the size of the network's input."""

    def __init__(self, folder: PathLike, which: Union[str, Sequence[str]] = MAPS, fmt: str = "png", scale: int = 2,
                 overwrite: bool = False, names: Sequence[str] = ()) -> None:
        which = which.split(",") if isinstance(which, str) else which
        unknown = [name for name in which if name not in MAPS]
        if unknown or not which:
            raise OutputError("unknown kind of heat map %r; known: %s" % ("".join(unknown[:1]), ", ".join(MAPS)))
        if fmt not in FORMATS:
            raise OutputError("unknown heat map format %r; known: %s" % (fmt, ", ".join(FORMATS)))
        if scale not in SCALES:
            raise OutputError("unknown heat map scale %r; known: 0 for [-1, 1], 1 for [0, 1], 2 for [0, 255], 3 for as "
                              "they are" % scale)
        super().__init__(folder, "_pose_heatmaps." + fmt, overwrite, names)
        self.which = [name for name in MAPS if name in which]
        self.fmt = fmt
        self.scale = scale

    def write(self, frame: Frame, result: Result, details: Details) -> None:
        maps = collect_maps(result.poses.skeleton, details, self.which, self.scale)
        path = self.path_of(frame.source)
        data = float_file(maps) if self.fmt == "float" else self._picture(maps, str(path))
        write_bytes(path, data, self.overwrite)

    def _picture(self, maps: "npt.NDArray[np.float32]", where: str) -> bytes:
        cv2 = require("cv2")
        wide = side_by_side(maps)
        try:
            done, data = cv2.imencode("." + self.fmt, wide)
        except cv2.error:
            done, data = False, None
        if not done:
            raise OutputError(
                "cannot write %s: the encoder refuses a picture of %d x %d (%d maps of %d x %d; JPEG ends at 65500 "
                "wide, PNG at 1000000); use the float format, or fewer kinds of maps"
                % (where, wide.shape[1], wide.shape[0], len(maps), maps.shape[2], maps.shape[1]))
        return bytes(data)


def collect_maps(skeleton: Skeleton, details: Details, which: Sequence[str],
                 scale: int) -> "npt.NDArray[np.float32]":
    """The chosen maps (C, H, W) at the network's input size, in OpenPose's order and range."""
    points = len(skeleton.keypoints)
    chosen: "List[npt.NDArray[np.float32]]" = []
    if "parts" in which:
        chosen += [to_range(enlarge(m, details), scale, False) for m in _heatmaps(details)[:points]]
    if "background" in which:
        if not skeleton.has_background or len(_heatmaps(details)) <= points:
            raise OutputError("heat maps: the background was asked for, but %s has no background map; leave it out"
                              % skeleton.name)
        chosen.append(to_range(enlarge(_heatmaps(details)[points], details), scale, False))
    if "pafs" in which:
        if details.pafs is None:
            raise OutputError("heat maps: part-affinity fields were asked for, but this model gives none; leave them "
                              "out")
        chosen += [to_range(enlarge(m, details), scale, True) for m in details.pafs]
    return np.stack(chosen)


def _heatmaps(details: Details) -> "npt.NDArray[np.float32]":
    if details.heatmaps is None:
        raise OutputError("this model gives no heat maps to write; use a model with them, or leave heat maps out")
    return details.heatmaps


def enlarge(heatmap: "npt.NDArray[np.float32]", details: Details) -> "npt.NDArray[np.float32]":
    """One map (h, w) at the network's input size: cubic, as on OpenPose's CPU path."""
    cv2 = require("cv2")
    resized: "npt.NDArray[np.float32]" = cv2.resize(np.ascontiguousarray(heatmap, np.float32), details.net_size,
                                                    interpolation=cv2.INTER_CUBIC)
    return resized


def to_range(values: "npt.NDArray[np.float32]", scale: int, is_paf: bool) -> "npt.NDArray[np.float32]":
    """OpenPose's `heatmaps_scale` of one map; a field of 1 becomes 257 in [0, 255]: its own factor of 128.5."""
    if scale == 3:
        return values
    clipped = np.clip(values, -1 if is_paf else 0, 1)
    if scale == 0:
        scaled = clipped if is_paf else clipped * 2 - 1
    elif scale == 1:
        scaled = clipped * 0.5 + 0.5 if is_paf else clipped
    else:
        scaled = np.floor((clipped * 128.5 + 128.5 if is_paf else clipped * 255) + 0.5)
    return np.asarray(scaled, np.float32)


def side_by_side(maps: "npt.NDArray[np.float32]") -> "npt.NDArray[np.uint8]":
    """(C, H, W) -> (H, C * W), rounded and clipped to 0..255."""
    wide = np.trunc(np.concatenate(list(maps), axis=1) + np.float32(0.5))
    return np.asarray(np.clip(wide, 0, 255), np.uint8)


def float_file(maps: "npt.NDArray[np.float32]") -> bytes:
    """float32, little-endian: the number of dimensions, the dimensions, the values, channels first."""
    head = np.array([maps.ndim] + list(maps.shape), "<f4")
    return bytes(head.tobytes() + np.ascontiguousarray(maps, "<f4").tobytes())
