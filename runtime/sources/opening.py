"""From what the user typed to a source."""
import difflib
import os
import pathlib
import re
from typing import Callable, Dict

from wholebody.errors import SourceError
from wholebody.runtime.sources.address import EXAMPLES, PIPE, parse_address
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.live import PATIENCE, LiveSource
from wholebody.runtime.sources.pictures import PICTURES, Folder, Picture
from wholebody.runtime.sources.piped import Piped
from wholebody.runtime.sources.video import VIDEOS, VideoFile

ACCEPTED = "a picture, a folder of pictures, a video file or a camera (%s)" % EXAMPLES
SOURCES: Dict[str, Callable[[pathlib.Path], Source]] = {"folder": Folder, "image": Picture, "video": VideoFile}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://.*", re.IGNORECASE)


def open_source(spec: str, patience: float = PATIENCE) -> Source:
    """The source for a path, a camera or a stream; a camera that is lost for `patience` seconds has ended."""
    address = parse_address(spec)
    if address is not None:
        return Piped(address) if address.kind == PIPE else LiveSource(address, patience)
    if _ADDRESS.fullmatch(spec):
        raise SourceError("%s: no such kind of address; give %s" % (spec, ACCEPTED))
    if not spec:
        raise SourceError("the source is empty; give %s" % ACCEPTED)
    path = pathlib.Path(os.path.expanduser(spec))
    return SOURCES[_kind(path)](path)


def _kind(path: pathlib.Path) -> str:
    try:
        if path.is_dir():
            return "folder"
        if not path.exists():
            raise SourceError(_missing(path))
        if not path.is_file():
            raise SourceError("%s is not a regular file; give %s" % (path, ACCEPTED))
    except (OSError, ValueError) as error:
        raise SourceError("cannot open %s: %s" % (path, getattr(error, "strerror", None) or error)) from error
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return "image"
    if suffix in VIDEOS:
        return "video"
    raise SourceError("%s: unknown kind of file %r; pictures end in %s, videos in %s"
                      % (path, suffix, " ".join(PICTURES), " ".join(VIDEOS)))


def _missing(path: pathlib.Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return "%s does not exist, nor does the folder %s; give %s" % (path, parent, ACCEPTED)
    line = "%s does not exist; give %s" % (path, ACCEPTED)
    try:
        names = sorted(os.listdir(str(parent)))
    except OSError:
        return line
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(path.name.lower(), sorted(lower), n=1, cutoff=0.6)
    return line + "; did you mean %s?" % (parent / lower[close[0]]) if close else line
