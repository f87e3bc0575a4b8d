"""From what each camera found to people in the world."""
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from wholebody.errors import CameraError
from wholebody.poses import Poses
from wholebody.poses3d import Poses3D
from wholebody.runtime.multiview.cameras import Camera
from wholebody.runtime.multiview.matching import SeenPeople, match_people
from wholebody.runtime.multiview.triangulation import TriangulationOptions, most_error, triangulate

if TYPE_CHECKING:
    import numpy.typing as npt


class View(NamedTuple):
    """What one camera found."""

    poses: Poses  # pixels of its frame
    width: int
    height: int


class Rig:
    """Cameras that look at the same place: call it with what each of them found at one moment."""

    def __init__(self, cameras: Sequence[Camera], options: TriangulationOptions = TriangulationOptions()) -> None:
        if len(cameras) < 2:
            raise CameraError("two or more cameras are needed to see depth, got %d" % len(cameras))
        self.cameras = list(cameras)
        self.options = options
        self._projections = np.stack([camera.projection for camera in cameras])
        self.points_seen = np.zeros(len(cameras), np.int64)      # by each camera, of points that were found
        self.points_left_out = np.zeros(len(cameras), np.int64)  # because the other cameras did not agree with it
        self._error_sum, self._errors = 0.0, 0

    def __call__(self, views: Sequence[Optional[View]]) -> Poses3D:
        """Everybody whom enough cameras see; None for a camera that has nothing."""
        if len(views) != len(self.cameras):
            raise CameraError("expected what each of %d cameras found, got %d" % (len(self.cameras), len(views)))
        there = [view for view in views if view is not None]
        if not there:
            raise CameraError("no camera has anything: leave this moment out")
        skeleton = there[0].poses.skeleton
        self._fit(views)
        found = [self._seen(camera, view, len(skeleton.keypoints)) for camera, view in zip(self.cameras, views)]
        limit = most_error([(view.width, view.height) for view in there])
        groups = match_people(found, self._projections, limit)
        if not len(groups):
            return Poses3D.empty(skeleton, len(views))
        pixels, seen, scores = _gathered(groups, found, views)
        people, points = seen.shape[:2]
        placed = triangulate(pixels.reshape(people * points, -1, 2), seen.reshape(people * points, -1),
                             self._projections, limit, self.options)
        self._count(placed.errors, placed.used, placed.left_out)
        used = placed.used.reshape(seen.shape)
        score = np.where(used, scores, 0.0).sum(axis=2) / np.maximum(used.sum(axis=2), 1)
        errors = np.where(np.isfinite(placed.errors), placed.errors, 0.0).reshape(people, points)
        kept = used.any(axis=(1, 2))
        where = placed.points.reshape(people, points, 3)
        return Poses3D(where[kept].astype(np.float32), score[kept].astype(np.float32),
                       errors[kept].astype(np.float32), groups[kept], skeleton)

    @property
    def mean_error(self) -> float:
        """Pixels between where cameras saw points and where they should have; 0 before the first."""
        return self._error_sum / max(self._errors, 1)

    def _fit(self, views: Sequence[Optional[View]]) -> None:
        for number, view in enumerate(views):
            if view is not None and self.cameras[number].size != (view.width, view.height):
                self.cameras[number] = self.cameras[number].sized(view.width, view.height)
                self._projections[number] = self.cameras[number].projection

    def _seen(self, camera: Camera, view: Optional[View], points: int) -> SeenPeople:
        if view is None:
            return SeenPeople(np.zeros((0, points, 2)), np.zeros((0, points), bool))
        margin, where = self.options.margin, view.poses.keypoints
        inside = ((where >= margin) & (where <= np.array([view.width, view.height]) - 1 - margin)).all(axis=2)
        seen = inside & (view.poses.scores > self.options.least_score)
        pixels = np.zeros(where.shape)
        pixels[seen] = camera.undistorted(where[seen])
        return SeenPeople(pixels, seen)

    def _count(self, errors: "npt.NDArray[np.float64]", used: "npt.NDArray[np.bool_]",
               left_out: "npt.NDArray[np.bool_]") -> None:
        self.points_seen += (used | left_out).sum(axis=0)
        self.points_left_out += left_out.sum(axis=0)
        finite = np.isfinite(errors)
        self._error_sum += float(errors[finite].sum())
        self._errors += int(finite.sum())

    def report(self) -> List[str]:
        """Lines for the end of a run: the error, and cameras that seldom agree."""
        lines = ["mean error %.2f pixels over %d points" % (self.mean_error, self._errors)]
        for camera, seen, left in zip(self.cameras, self.points_seen.tolist(), self.points_left_out.tolist()):
            if left:
                lines.append("camera %s disagreed with the others on %.1f %% of %d points%s"
                             % (camera.name, 100.0 * left / seen, seen,
                                ": calibrate it again" if left > 0.5 * seen else ""))
        return lines


def _gathered(groups: "npt.NDArray[np.int64]", found: Sequence[SeenPeople], views: Sequence[Optional[View]]
              ) -> "Tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]":
    """Pixels (G, K, V, 2), seen (G, K, V) and scores (G, K, V) of each group."""
    points = found[0].pixels.shape[1]
    shape = (len(groups), points, len(found))
    pixels, seen, scores = np.zeros(shape + (2,)), np.zeros(shape, bool), np.zeros(shape)
    for number, (one, view) in enumerate(zip(found, views)):
        there = np.nonzero(groups[:, number] >= 0)[0]
        if view is None or not there.size:
            continue
        who = groups[there, number]
        pixels[there, :, number], seen[there, :, number] = one.pixels[who], one.seen[who]
        scores[there, :, number] = view.poses.scores[who]
    return pixels, seen, scores
