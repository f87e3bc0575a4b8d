"""Protocols for several people whose distances count in head sizes: MPII's and PoseTrack's."""
from collections.abc import Sequence
from typing import Any

import numpy as np

from wholebody.calibration.protocols.base import Protocol, Truth
from wholebody.calibration.protocols.head_sizes import LabelledFrame, People, nobody
from wholebody.calibration.protocols.writing import map_to
from wholebody.errors import EvaluationError
from wholebody.poses import Poses
from wholebody.skeletons import Skeleton, skeleton_from_dict

Found = dict[int, People]   # by image_id


class InHeadSizes(Protocol):
    """`joints` are names of the skeletons, in the order of the arrays."""

    joints: Sequence[str]
    drawn_as = "MPII_16"

    @property
    def skeleton(self) -> Skeleton:
        """The joints as a keypoint set."""
        return skeleton_from_dict({"name": self.name.upper(), "keypoints": list(self.joints)})

    def truth(self, path: str, frames: list[LabelledFrame], names: dict[int, str], data: Any = None) -> Truth:
        """After a check that everybody labelled has a head."""
        if not any(len(frame.people.points) for frame in frames):
            raise EvaluationError(f"{path}: nobody is labelled; expected people with joints and boxes of their heads")
        for frame in frames:
            if (frame.people.heads <= 0).any():
                raise EvaluationError(f"{path}: {names[frame.image_id]}: somebody has no box of the head, by whose "
                                      "size distances count")
        images = [{"id": frame.image_id, "file_name": names[frame.image_id]} for frame in frames]
        return Truth({"images": images}, path, data if data is not None else frames)

    def found_in(self, poses: Poses) -> list[tuple[int, tuple[list[float], list[float]]]]:
        """Who was found: their place, x and y of every joint, and scores, 0 where a joint was not found."""
        mapped = map_to(poses, self.skeleton)
        seen = (mapped.scores > 0) & np.isfinite(mapped.keypoints).all(axis=2)
        points = np.where(seen[..., None], mapped.keypoints, 0.0)
        return [(int(i), (points[i].ravel().tolist(), np.where(seen[i], mapped.scores[i], 0.0).tolist()))
                for i in np.flatnonzero(seen.any(axis=1))]

    def poses(self, truth: Truth, found: Found, image_id: int) -> tuple[Poses, Poses]:
        frames = truth.data if isinstance(truth.data, list) else truth.data["frames"]
        labels = next(frame.people for frame in frames if frame.image_id == image_id)
        return self._drawn(labels), self._drawn(found.get(image_id, nobody(len(self.joints))))

    def _drawn(self, people: People) -> Poses:
        poses = Poses(people.points.astype(np.float32), people.there.astype(np.float32),
                      np.ones(len(people.points), np.float32), self.skeleton)
        return poses.to_skeleton(self.drawn_as)
