"""Writing files: complete or not at all, and never over an existing file unasked."""
import contextlib
import errno
import os
import pathlib
import uuid
from typing import Iterator, Union

from wholebody.errors import OutputError

PathLike = Union[str, "os.PathLike[str]"]

_NEXT_STEPS = {
    errno.ENOSPC: "disk full: free some space, or name a folder on another disk, and run again",
    errno.EDQUOT: "disk quota reached: free some space, or name a folder on another disk, and run again",
    errno.EFBIG: "file too large for this disk or for this user's limit (ulimit -f): name another disk, and run again",
    errno.EACCES: "no permission: name a folder you may write to",
    errno.EPERM: "not permitted: name a folder you may write to",
    errno.EROFS: "read-only disk: name a folder on another disk",
    errno.ENOTDIR: "a part of this path is a file, not a folder: name another path",
    errno.ENOENT: "the folder does not exist: create it with mkdir -p, or name another path",
    errno.EEXIST: "a file of that name is in the way: name another path",
    errno.EISDIR: "this is a folder: name a file",
    errno.ENAMETOOLONG: "the name is too long: name a shorter one",
}


class PartialFile:
    """A file in the making: write to `.path`, then `commit()`; until then the target is as it was.

    For writers that stay open for a whole run; `replace_when_done` is the same for one block of code.
    """

    def __init__(self, target: PathLike, overwrite: bool = False) -> None:
        self.target = pathlib.Path(target)
        self.overwrite = overwrite
        check_free(self.target, overwrite)
        # Through a symbolic link: the file it points to is replaced, the link stays.
        self._final = pathlib.Path(os.path.realpath(str(self.target)))
        self.path = self._final.parent / (".wholebody-%s%s" % (uuid.uuid4().hex[:12], self._final.suffix))
        try:
            os.close(os.open(str(self.path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            raise output_error(self.target, error) from error

    def commit(self) -> None:
        """Give the complete file its name."""
        try:
            check_free(self.target, self.overwrite)
            os.replace(str(self.path), str(self._final))
        except OSError as error:
            raise output_error(self.target, error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written; nothing happens after a commit."""
        with contextlib.suppress(OSError):
            os.unlink(str(self.path))


@contextlib.contextmanager
def replace_when_done(path: PathLike, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """A temporary path beside `path` and with its suffix; it becomes `path` when the block ends without an error.

    The block only writes that file: an OSError in it is reported as a failure to write `path`.
    """
    partial = PartialFile(path, overwrite)
    try:
        yield partial.path
        partial.commit()
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.discard()


def write_bytes(path: PathLike, data: bytes, overwrite: bool = False) -> None:
    """Write a whole file."""
    with replace_when_done(path, overwrite) as temporary:
        temporary.write_bytes(data)


def write_text(path: PathLike, text: str, overwrite: bool = False) -> None:
    """Write a whole text file as UTF-8, line ends as they are."""
    write_bytes(path, text.encode("utf-8"), overwrite)


def check_free(path: PathLike, overwrite: bool = False) -> None:
    """OutputError unless a file may be written there: call it before long work starts."""
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            raise OutputError("cannot write %s: it is a folder; name a file" % path)
        # Renaming over /dev/null or a pipe would replace the device itself.
        if path.exists() and not path.is_file():
            raise OutputError("cannot write %s: it is not a regular file; name another file" % path)
        if path.exists() and not overwrite:
            raise OutputError("%s exists; add --overwrite or name another file" % path)
    except OSError as error:
        raise output_error(path, error) from error


def check_target(path: PathLike, overwrite: bool = False) -> None:
    """OutputError unless a file can really be made there: `check_free`, and a trial in its folder."""
    PartialFile(path, overwrite).discard()


def claim_folder(path: PathLike) -> pathlib.Path:
    """Create the folder if need be and make sure that files can be written in it."""
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError("cannot use %s as a folder: it is a file; name another folder" % folder) from error
    except OSError as error:
        raise output_error(folder, error, "create folder") from error
    try:
        probe = folder / (".wholebody-%s" % uuid.uuid4().hex[:12])
        os.close(os.open(str(probe), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.unlink(str(probe))
    except OSError as error:
        raise output_error(folder, error, "write in folder") from error
    return folder


def output_error(path: PathLike, error: OSError, doing: str = "write") -> OutputError:
    """An operating system error as one line: what, where, why and what to do about it."""
    reason = error.strerror or str(error) or type(error).__name__
    advice = _NEXT_STEPS.get(error.errno or 0, "check the path, and run again")
    return OutputError("cannot %s %s: %s (%s)" % (doing, path, reason, advice))
