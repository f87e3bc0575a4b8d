"""Every threshold and choice of PAF decoding, with OpenPose's defaults."""
import math
from typing import Any, Dict, NamedTuple

from wholebody.errors import SkeletonError
from wholebody.skeletons import Skeleton

# Bicubic coefficient: cv::INTER_CUBIC, as OpenPose's CPU build resizes, and its CUDA kernel's Catmull-Rom.
KERNELS = {"opencv": -0.75, "catmull-rom": -0.5}
BORDERS = ("ring", "cuda")
MODES = ("exact", "fast")

# OpenPose's --maximize_positives changes these defaults along with the rules.
MAXIMIZE_POSITIVES = {"nms_threshold": 0.02, "paf_threshold": 0.01, "paf_ratio": 0.75,
                      "min_keypoints": 2, "min_score": 0.05}
SKELETON_MAY_SET = ("nms_threshold", "paf_threshold", "paf_ratio", "min_score")


class PafOptions(NamedTuple):
    """OpenPose's names in brackets where they differ."""

    nms_threshold: float = 0.05       # a peak is above it
    paf_threshold: float = 0.05       # a sample along a limb is above it (interThreshold)
    paf_ratio: float = 0.95           # share of samples that must be, strictly (interMinAboveThreshold)
    min_keypoints: int = 3            # of a person (minSubsetCnt)
    min_score: float = 0.4            # of a person: score / keypoints (minSubsetScore)
    maximize_positives: bool = False  # only the rules; `for_skeleton` also sets its thresholds
    number_people_max: int = -1       # keep the best; -1 keeps all
    kernel: str = "opencv"            # upsampling: "opencv" or "catmull-rom" (the CUDA build's)
    border: str = "ring"              # peaks at the map's edge: "ring" (CPU build) or "cuda"
    # "fast": peaks by log-parabola among the cells and bilinear fields, without kernel and border
    mode: str = "exact"
    max_peaks: int = 127              # of one keypoint, in scan order; the rest is dropped

    @classmethod
    def for_skeleton(cls, skeleton: Skeleton, **overrides: Any) -> "PafOptions":
        """OpenPose's values for a set: its own thresholds (MPI_15), those of maximize_positives, then `overrides`.

        >>> from wholebody.skeletons import get_skeleton
        >>> PafOptions.for_skeleton(get_skeleton("MPI_15")).nms_threshold
        0.6
        """
        unknown = sorted({name for name, _ in skeleton.decoding} - set(SKELETON_MAY_SET))
        if unknown:
            raise SkeletonError("skeleton %s: unknown thresholds in paf.decoding: %s; known: %s"
                                % (skeleton.name, ", ".join(unknown), ", ".join(SKELETON_MAY_SET)))
        unknown = sorted(set(overrides) - set(cls._fields))
        if unknown:
            raise ValueError("unknown PAF options: %s; known: %s" % (", ".join(unknown), ", ".join(cls._fields)))
        values: Dict[str, Any] = dict(MAXIMIZE_POSITIVES) if overrides.get("maximize_positives") else {}
        values.update(skeleton.decoding)
        values.update(overrides)
        return cls()._replace(**values).checked()

    def checked(self) -> "PafOptions":
        """These options, or ValueError naming the one that makes no sense."""
        for name in ("nms_threshold", "paf_threshold", "paf_ratio", "min_score"):
            _require(math.isfinite(getattr(self, name)), name, self, "a finite number")
        for name in ("nms_threshold", "paf_threshold"):
            _require(getattr(self, name) >= 0, name, self, "0 or more")
        _require(0 <= self.paf_ratio < 1, "paf_ratio", self, "at least 0 and below 1")
        _require(self.min_keypoints >= 1, "min_keypoints", self, "1 or more")
        _require(self.max_peaks >= 1, "max_peaks", self, "1 or more")
        _require(self.number_people_max == -1 or self.number_people_max >= 1, "number_people_max", self,
                 "-1 (all) or 1 and more")
        _require(self.kernel in KERNELS, "kernel", self, " or ".join(KERNELS))
        _require(self.border in BORDERS, "border", self, " or ".join(BORDERS))
        _require(self.mode in MODES, "mode", self, " or ".join(MODES))
        return self


def _require(condition: bool, name: str, options: PafOptions, expected: str) -> None:
    if not condition:
        raise ValueError("PAF option %s: expected %s, got %r" % (name, expected, getattr(options, name)))
