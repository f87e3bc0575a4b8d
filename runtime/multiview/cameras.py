"""Calibrated cameras, in the files that OpenPose keeps them in: one XML a camera, named by its serial number."""
import pathlib
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.errors import CameraError
from wholebody.files import PathLike, replace_when_done
from wholebody.packages import require

if TYPE_CHECKING:
    import numpy.typing as npt

_DISTORTIONS = (0, 4, 5, 8, 12, 14)  # coefficients that OpenCV knows a model for
_ROUNDS, _CLOSE = 30, 1e-3           # of undoing a distortion: at most, and when it is undone, pixels
_SAME_SHAPE = 0.01                   # of two aspect ratios


class Camera(NamedTuple):
    """How a camera sees the world: x = K [R | t] X, then lens distortion."""

    name: str
    intrinsics: "npt.NDArray[np.float64]"  # K (3, 3), pixels
    extrinsics: "npt.NDArray[np.float64]"  # [R | t] (3, 4), world to camera, metres
    distortion: "npt.NDArray[np.float64]"  # as OpenCV orders it: 0, 4, 5, 8, 12 or 14 numbers
    size: Optional[Tuple[int, int]] = None  # width and height that K is for, where known

    @property
    def projection(self) -> "npt.NDArray[np.float64]":
        """K [R | t] (3, 4), of undistorted pixels."""
        return self.intrinsics @ self.extrinsics

    @property
    def centre(self) -> "npt.NDArray[np.float64]":
        """Where it stands (3,)."""
        return np.asarray(-self.extrinsics[:, :3].T @ self.extrinsics[:, 3])

    def sized(self, width: int, height: int) -> "Camera":
        """The same camera giving frames of another size; CameraError where they cannot be its own, only smaller."""
        if self.size is None or self.size == (width, height):
            return self._replace(size=(width, height))
        across, down = width / self.size[0], height / self.size[1]
        if abs(across / down - 1) > _SAME_SHAPE:
            raise CameraError("camera %s was calibrated at %dx%d and its frames are %dx%d, another shape: calibrate it "
                              "again as it is used" % ((self.name,) + self.size + (width, height)))
        scaled = self.intrinsics * np.array([[across], [down], [1.0]])
        # The centre of the first pixel is 0, its corner -0.5: the corner is what stays.
        scaled[:2, 2] += 0.5 * np.array([across, down]) - 0.5
        return self._replace(intrinsics=scaled, size=(width, height))

    def see(self, points: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
        """Where points (n, 3) of the world lie in its frame (n, 2), distorted."""
        cv2 = require("cv2")
        if not len(points):
            return np.zeros((0, 2))
        turn, _ = cv2.Rodrigues(self.extrinsics[:, :3])
        seen, _ = cv2.projectPoints(np.asarray(points, np.float64).reshape(-1, 1, 3), turn, self.extrinsics[:, 3],
                                    self.intrinsics, self.distortion if self.distortion.size else None)
        return np.asarray(seen, np.float64).reshape(-1, 2)

    def undistorted(self, pixels: "npt.NDArray[np.floating[Any]]") -> "npt.NDArray[np.float64]":
        """Pixels (n, 2) as a lens without distortion would have them."""
        wanted = np.asarray(pixels, np.float64).reshape(-1, 2)
        if not self.distortion.any() or not len(wanted):
            return np.asarray(wanted)
        straight = self._replace(extrinsics=np.eye(3, 4))
        inverse, found = np.linalg.inv(self.intrinsics), wanted.copy()
        for _ in range(_ROUNDS):
            rays = np.concatenate([found, np.ones((len(found), 1))], axis=1) @ inverse.T
            missing = wanted - straight.see(rays)
            found += missing
            if np.abs(missing).max() < _CLOSE:
                break
        return np.asarray(found)


def read_cameras(folder: PathLike) -> List[Camera]:
    """Every camera of a folder, in the order of their names; CameraError says what is wrong with which file."""
    files = sorted(pathlib.Path(folder).glob("*.xml"))
    if len(files) < 2:
        raise CameraError("%s: expected a .xml file for each of two or more cameras, got %d; make them: "
                          "wb-cameras calibrate" % (folder, len(files)))
    return [read_camera(file) for file in files]


def read_camera(file: PathLike) -> Camera:
    """One camera."""
    path, cv2 = pathlib.Path(file), require("cv2")
    try:
        stored = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        nodes = {name: stored.getNode(name).mat() for name in ("CameraMatrix", "Intrinsics", "Distortion", "ImageSize")}
        stored.release()
    except (cv2.error, SystemError) as error:
        raise CameraError("%s is not a camera file: %s" % (path, " ".join(str(error).split()))) from error
    for name, shape in (("CameraMatrix", (3, 4)), ("Intrinsics", (3, 3))):
        if nodes[name] is None or nodes[name].shape != shape or not np.isfinite(nodes[name]).all():
            raise CameraError("%s: %s: expected %dx%d finite numbers, got %s"
                              % (path, name, shape[0], shape[1],
                                 "none" if nodes[name] is None else "x".join(map(str, nodes[name].shape))))
    _check_rotation(path, nodes["CameraMatrix"][:, :3])
    distortion = np.zeros(0) if nodes["Distortion"] is None else np.asarray(nodes["Distortion"], np.float64).ravel()
    if distortion.size not in _DISTORTIONS:
        raise CameraError("%s: Distortion: expected one of %s numbers, got %d" % (path, _DISTORTIONS, distortion.size))
    size: Optional[Tuple[int, int]] = None
    if nodes["ImageSize"] is not None:
        width, height = nodes["ImageSize"].ravel()
        size = (int(width), int(height))
    return Camera(path.stem, np.asarray(nodes["Intrinsics"], np.float64),
                  np.asarray(nodes["CameraMatrix"], np.float64), distortion, size)


def write_camera(folder: PathLike, camera: Camera, overwrite: bool = False) -> pathlib.Path:
    """`<name>.xml`, which OpenPose reads too."""
    path, cv2 = pathlib.Path(folder) / (camera.name + ".xml"), require("cv2")
    with replace_when_done(path, overwrite) as partial:
        stored = cv2.FileStorage(str(partial), cv2.FILE_STORAGE_WRITE)
        stored.write("CameraMatrix", np.asarray(camera.extrinsics, np.float64))
        stored.write("Intrinsics", np.asarray(camera.intrinsics, np.float64))
        stored.write("Distortion", np.asarray(camera.distortion if camera.distortion.size else np.zeros(5),
                                              np.float64).reshape(-1, 1))
        if camera.size is not None:
            stored.write("ImageSize", np.array([camera.size], np.float64))
        stored.release()
    return path


def _check_rotation(path: pathlib.Path, turn: "npt.NDArray[np.float64]") -> None:
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
        raise CameraError("%s: CameraMatrix: its first three columns are no rotation; OpenPose keeps [R | t] there, "
                          "without the intrinsics" % path)
