"""Which network a checkpoint holds, told from the names and shapes of its tensors alone."""
import dataclasses
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import CAFFE as CAFFEMODEL
from wholebody.export.checkpoints.checkpoint import Checkpoint
from wholebody.export.networks.architecture import CAFFE, TOP_DOWN, Architecture, official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.layers import official_name


@dataclass(frozen=True)
class Match:
    """One checkpoint held against one architecture."""

    architecture: Architecture     # the very variant
    tensors: Mapping[str, Tensor]  # by official name; only those the network needs
    unused: tuple[str, ...]        # official tensors that this network does without
    wrong: tuple[str, ...]         # what does not fit, each a phrase; empty when everything does

    @property
    def likeness(self) -> float:
        """Share of the network's tensors and of the file's that are as they should be."""
        expected = len(official_shapes(self.architecture))
        return len(self.tensors) / (expected + len(self.wrong))


def recognise(checkpoint: Checkpoint, arch: str | None = None) -> Match:
    """The architecture that takes every tensor of the file, or `arch`; CheckpointError with the first misfit."""
    if arch is not None:
        match = compare(checkpoint, _known(arch))
        if match.wrong:
            raise CheckpointError(f"{checkpoint.path}: not {arch}: {_first(match)}{_hint(checkpoint, arch)}")
        return match
    matches = [compare(checkpoint, architecture) for architecture in ARCHITECTURES.values()
               if _may_be(checkpoint, architecture)]
    fitting = [match for match in matches if not match.wrong]
    if fitting:
        return max(fitting, key=lambda match: len(match.tensors))  # six stages before the first four of them
    nearest = sorted((match for match in matches if match.tensors), key=lambda match: -match.likeness)[:3]
    if not nearest:
        raise CheckpointError(f"{checkpoint.path}: no known network has tensors such as "
                              f"{next(iter(checkpoint.tensors))[:80]!r}; known: {', '.join(ARCHITECTURES)}")
    raise CheckpointError(f"{checkpoint.path}: nearest to {nearest[0].architecture.name}, but {_first(nearest[0])}; "
                          f"--arch NAME overrides: {', '.join(match.architecture.name for match in nearest)}")


def compare(checkpoint: Checkpoint, architecture: Architecture) -> Match:
    """Every tensor the network needs and every tensor of the file, in the order of the network."""
    found = _by_official_name(checkpoint, architecture)
    architecture = _variant(checkpoint, architecture, found)
    expected = official_shapes(architecture)
    tensors, wrong = {}, []
    for name, shape in expected.items():
        if name not in found:
            wrong.append(f"{name} is missing")
        elif not _same_shape(tuple(found[name].shape), shape, checkpoint.format):
            wrong.append(f"{name}: expected {_dims(shape)}, got {_dims(found[name].shape)}")
        else:
            tensors[name] = found[name]
    unused = []
    for name in found:
        if name in expected:
            continue
        if any(re.match(pattern, name) for pattern in architecture.unused):
            unused.append(name)
        else:
            wrong.append(f"{name[:80]} is unexpected")
    return Match(architecture, tensors, tuple(unused), tuple(wrong))


def _may_be(checkpoint: Checkpoint, architecture: Architecture) -> bool:
    """Whether a comparison is worth its time: the larger networks tell at a glance that they are not meant."""
    return architecture.likely is None or architecture.likely(_shapes(_by_official_name(checkpoint, architecture)))


def _variant(checkpoint: Checkpoint, architecture: Architecture, found: Mapping[str, Tensor]) -> Architecture:
    architecture = architecture.of_shapes(_shapes(found))
    if architecture.renamed_preset and found.keys() != checkpoint.tensors.keys():
        return dataclasses.replace(architecture, preset=architecture.renamed_preset)
    return architecture


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _by_official_name(checkpoint: Checkpoint, architecture: Architecture) -> dict[str, Tensor]:
    """Ports nest Caffe's layers in modules of their own (model1_1.conv5_1_CPM_L1.weight): the layer counts.

    Top-down networks go by several projects' names.
    """
    if architecture.family not in (CAFFE, TOP_DOWN):
        return checkpoint.tensors
    meant = official_name if architecture.family == CAFFE else architecture.meant_name
    short = {meant(name): tensor for name, tensor in checkpoint.tensors.items()}
    return short if len(short) == len(checkpoint.tensors) else checkpoint.tensors


def _same_shape(got: tuple[int, ...], expected: tuple[int, ...], file_format: str) -> bool:
    """Old caffemodels give every blob four dimensions: there, ones do not count."""
    if file_format != CAFFEMODEL:
        return got == expected
    return math.prod(got) == math.prod(expected) and [d for d in got if d != 1] == [d for d in expected if d != 1]


def _known(arch: str) -> Architecture:
    if arch not in ARCHITECTURES:
        close = difflib.get_close_matches(arch, ARCHITECTURES, 1)
        raise CheckpointError(f"unknown architecture {arch!r}; {f'did you mean {close[0]}? ' if close else ''}"
                              f"known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[arch]


def _first(match: Match) -> str:
    more = f" (and {len(match.wrong) - 1} more)" if len(match.wrong) > 1 else ""
    return f"{match.wrong[0]}{more}"


def _hint(checkpoint: Checkpoint, arch: str) -> str:
    fitting = [name for name, architecture in ARCHITECTURES.items()
               if name != arch and _may_be(checkpoint, architecture) and not compare(checkpoint, architecture).wrong]
    return f"; it fits {', '.join(fitting)}" if fitting else ""


def _dims(shape: tuple[int, ...]) -> str:
    return f"({', '.join(str(side) for side in shape[:8])})"
