"""A picture file, and a folder of them."""
import logging
import pathlib
import time
from typing import TYPE_CHECKING, Iterator, List, Set

import numpy as np

from wholebody.errors import SourceError
from wholebody.poses import Frame
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.completeness import missing_end
from wholebody.runtime.sources.opencv import quiet_opencv

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger("wholebody")
PICTURES = (".avif", ".bmp", ".dib", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
            ".ras", ".sr", ".tif", ".tiff", ".webp")


def read_picture(path: pathlib.Path) -> "npt.NDArray[np.uint8]":
    """(H, W, 3) BGR, turned as its EXIF data says; transparency is dropped, 16 bits become 8."""
    cv2 = quiet_opencv()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError("cannot read %s: %s" % (path, error.strerror or error)) from error
    if not data:
        raise SourceError("cannot read %s: the file is empty (0 bytes); copy it again" % path)
    lacking = missing_end(data)
    if lacking:
        raise SourceError("cannot read %s: the file is cut off (%s); copy it again" % (path, lacking))
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise SourceError("cannot read %s: %s" % (path, " ".join(str(error).split()))) from error
    if image is None:
        raise SourceError("cannot read %s: damaged, or not a picture that OpenCV %s reads; convert it to PNG or JPEG"
                          % (path, cv2.__version__))
    picture: "npt.NDArray[np.uint8]" = image
    return picture


class Picture(Source):
    """One picture file: one frame."""

    kind = "image"

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(str(path))
        self.path = path
        self.length = 1

    @property
    def frame_names(self) -> List[str]:
        return [self.path.stem]

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(read_picture(self.path), 0, time.monotonic(), self.path.stem)


class Folder(Source):
    """The pictures of a folder by name; what cannot be read becomes a problem and the rest goes on."""

    kind = "folder"

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(str(path))
        try:
            found = [p for p in path.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".")]
            self.paths = sorted((p for p in found if not p.is_dir()), key=lambda p: p.name)
        except OSError as error:
            raise SourceError("cannot list folder %s: %s" % (path, error.strerror or error)) from error
        if not self.paths:
            raise SourceError("no pictures in folder %s; looked for files ending in %s (folders inside are not "
                              "searched)" % (path, " ".join(PICTURES)))
        self._names = unique_names(self.paths)
        self.length = len(self.paths)

    @property
    def frame_names(self) -> List[str]:
        return list(self._names)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for path, name in zip(self.paths, self._names):
            try:
                image = read_picture(path)
            except SourceError as error:
                self.problem(str(error))
                continue
            yield Frame(image, index, time.monotonic(), name)
            index += 1


def unique_names(paths: List[pathlib.Path]) -> List[str]:
    """Output names, one a picture: the name without its ending, or all of it where that is taken.

    >>> unique_names([pathlib.Path("a.jpg"), pathlib.Path("a.png"), pathlib.Path("b.jpg")])
    ['a', 'a.png', 'b']
    """
    names: List[str] = []
    taken: Set[str] = set()
    for path in paths:
        choices = [path.stem, path.name] + ["%s_%d" % (path.name, n) for n in range(2, len(paths) + 2)]
        name = next(choice for choice in choices if choice not in taken) if path.stem in taken else path.stem
        if name != path.stem:
            log.warning("%s: another picture is called %s too; its results are named %s", path, path.stem, name)
        taken.add(name)
        names.append(name)
    return names
