"""An engine and its manifest: written together, and never opened when they do not belong together or here."""
import hashlib
import pathlib
from typing import Any, Dict, NamedTuple, Optional

from wholebody.engines.build_spec import build_command
from wholebody.engines.manifest import Manifest, manifest_from_json, manifest_to_json
from wholebody.errors import EngineMismatch, ModelError, WholebodyError
from wholebody.files import PartialFile, PathLike, output_error, write_text
from wholebody.jetson.identity import Board

_CHUNK = 1 << 20


class Here(NamedTuple):
    """Where an engine is to be opened."""

    board: Board
    product: str
    tensorrt: str


def manifest_path(engine: PathLike) -> pathlib.Path:
    """pose.engine -> pose.engine.json."""
    return pathlib.Path(str(engine) + ".json")


def write_pair(engine: PathLike, plan: Any, manifest: Manifest, overwrite: bool = False) -> Manifest:
    """Writes both, or leaves both as they were; `plan` is a file object, read from where it stands.

    The manifest's hash and size of the engine are filled in. The manifest is renamed last: between the two renames
    the old manifest stands beside the new engine, which opening refuses.
    """
    files = [PartialFile(engine, overwrite)]
    try:
        files.append(PartialFile(manifest_path(engine), overwrite))
        digest, size = hashlib.sha256(), 0
        with open(str(files[0].path), "wb") as out:
            for chunk in iter(lambda: plan.read(_CHUNK), b""):
                digest.update(chunk)
                size += out.write(chunk)
        manifest = manifest._replace(engine_sha256=digest.hexdigest(), engine_bytes=size)
        files[1].path.write_bytes(manifest_to_json(manifest).encode("utf-8"))
        for file in files:
            file.commit()
    except OSError as error:
        raise output_error(engine, error)
    finally:
        for file in files:
            file.discard()
    return manifest


def write_accuracy(engine: PathLike, manifest: Manifest, accuracy: Optional[Dict[str, Any]]) -> Manifest:
    """The manifest beside an engine anew, with what was measured since."""
    manifest = manifest._replace(accuracy=accuracy)
    write_text(manifest_path(engine), manifest_to_json(manifest), overwrite=True)
    return manifest


def remove_pair(engine: PathLike) -> None:
    """An engine that is not to be used, and its manifest."""
    for path in (manifest_path(engine), pathlib.Path(engine)):
        try:
            path.unlink()
        except OSError as error:
            raise output_error(path, error, "remove")


def read_manifest(engine: str) -> Manifest:
    """The manifest beside an engine, unharmed; EngineMismatch otherwise."""
    path = manifest_path(engine)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineMismatch("%s is not opened without its manifest: cannot read %s: %s. Copy it from where the engine "
                             "was built, or rebuild: wb-export build MODEL.onnx --fp16 -o %s"
                             % (engine, path, error.strerror or error, engine))
    try:
        return manifest_from_json(data, str(path))
    except EngineMismatch as error:
        raise EngineMismatch("%s. Copy both files again from where the engine was built, or rebuild: "
                             "wb-export build MODEL.onnx --fp16 -o %s" % (error, engine))


def rebuild_command(engine: str, manifest: Manifest) -> str:
    """The command that builds this engine again, with the ONNX file where --rebuild looks for it."""
    return build_command(manifest.spec, str(onnx_beside(engine, manifest)), engine)


def onnx_beside(engine: str, manifest: Manifest) -> pathlib.Path:
    """Where the network lies if it was kept beside its engine."""
    return pathlib.Path(engine).parent / manifest.onnx_file


def read_plan(engine: str, manifest: Manifest) -> bytes:
    """The engine's bytes; EngineMismatch unless they are those that the manifest was written for."""
    try:
        data = pathlib.Path(engine).read_bytes()
    except OSError as error:
        raise EngineMismatch("cannot read %s, which %s describes: %s. Copy it again, or rebuild: %s"
                             % (engine, manifest_path(engine), error.strerror or error,
                                rebuild_command(engine, manifest)))
    digest = hashlib.sha256(data).hexdigest()
    if digest == manifest.engine_sha256:
        return data
    owner, size = _owner(engine, digest), len(data)
    if owner is not None:
        reason = "it is the engine that %s describes: files were swapped" % owner
    elif size != manifest.engine_bytes:
        reason = "it has %d bytes, its manifest says %d: it was cut short, or is another engine" % (
            size, manifest.engine_bytes)
    else:
        reason = "its bytes are not those that were built: it was damaged, or is another engine"
    raise EngineMismatch("%s does not fit %s: %s. Copy both again, or rebuild: %s"
                         % (engine, manifest_path(engine), reason, rebuild_command(engine, manifest)))


def check_here(engine: str, manifest: Manifest, here: Here) -> None:
    """EngineMismatch unless the engine was built for this board and this TensorRT."""
    built = "%s %s %s" % (manifest.product, manifest.tensorrt, _where(manifest))
    now = "%s %s on %s" % (here.product, here.tensorrt, here.board)
    board = here.board
    if manifest.product != here.product or not _version_fits(manifest, here.tensorrt):
        reason = "engines open in the very version that built them"
    elif manifest.spec.capabilities:
        fits = board.sm in manifest.spec.capabilities
        reason = "" if fits else "it was built for compute capability %s" % ", ".join(manifest.spec.capabilities)
    elif manifest.board.sm != board.sm:
        reason = "engines run on the GPU generation they were built on"
    else:
        reason = "" if manifest.board.model == board.model else "engines are tuned for the board they were built on"
    if reason:
        raise EngineMismatch("%s was built by %s; this is %s: %s. Rebuild: %s"
                             % (engine, built, now, reason, rebuild_command(engine, manifest)))


def check_trusted(engine: str, manifest: Manifest, trust: str) -> None:
    """EngineMismatch unless the engine's hash is in the list: lines of sha256, as sha256sum writes them."""
    try:
        lines = pathlib.Path(trust).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("cannot read the list of trusted engines %s: %s" % (trust, error))
    if manifest.engine_sha256 not in {words[0].lower() for words in map(str.split, lines) if words}:
        raise EngineMismatch("%s is not among the engines that %s trusts; an engine is code. If it comes from you: "
                             "sha256sum %s >> %s" % (engine, trust, engine, trust))


def _where(manifest: Manifest) -> str:
    return "for " + manifest.spec.target if manifest.spec.target else "on " + str(manifest.board)


def _version_fits(manifest: Manifest, version: str) -> bool:
    """The same version, or for a version-compatible engine a later one of the same major version."""
    if manifest.tensorrt == version:
        return True
    built, here = _numbers(manifest.tensorrt), _numbers(version)
    return manifest.spec.version_compatible and built[:1] == here[:1] and built <= here


def _numbers(version: str) -> Any:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _owner(engine: str, sha256: str) -> Optional[str]:
    """Another manifest in the folder that describes these bytes."""
    for path in sorted(pathlib.Path(engine).parent.glob("*.engine.json")):
        try:
            if manifest_from_json(path.read_bytes(), str(path)).engine_sha256 == sha256:
                return str(path)
        except (WholebodyError, OSError):
            continue
    return None
