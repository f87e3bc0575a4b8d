"""Keras' .h5 of the well-known port of the COCO network, given the names and layouts of Caffe."""
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import KERAS, Checkpoint, check_file, one_line
from wholebody.packages import require

_ROLES = {"kernel": "weight", "W": "weight", "bias": "bias", "b": "bias"}  # Keras 2, Keras 1
_DATASET = re.compile(r"(?:^|[/_])(kernel|bias|W|b)(?::\d+)?$")
_STAGE_1 = re.compile(r"^Mconv([1-5])_stage1_(L[12])$")  # the port's name of Caffe's conv5_k_CPM_Lb
_MAX_OBJECTS = 20_000


def read_keras(path: str) -> Checkpoint:
    """Convolutions as `<Caffe layer>.weight` (out, in, h, w) and `.bias`; layers without weights do not show."""
    size = check_file(path)
    h5py = require("h5py", "export")
    try:
        with h5py.File(path, "r") as file:
            whole_model = isinstance(file.get("model_weights", getlink=True), h5py.HardLink)
            tensors = dict(_tensors(file["model_weights"] if whole_model else file, h5py, size))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # HDF5 reports damage as OSError, RuntimeError, KeyError, ValueError
        raise CheckpointError(f"{path} is not a readable HDF5 file ({size} bytes): {one_line(error, 80)}; "
                              "copy or download it again") from error
    if not tensors:
        raise CheckpointError(f"{path} holds no layers with kernels; save it with Keras' model.save_weights('x.h5')")
    return Checkpoint(path, KERAS, tensors)


def _tensors(root: Any, h5py: Any, size: int) -> Iterator[tuple[str, Tensor]]:
    left, seen = size, set()
    for layer, dataset in _datasets(root, h5py):
        found = _DATASET.search(dataset.name)
        if not found or dataset.dtype.kind != "f":
            continue
        # Weights are stored as they are: more than the file holds means compression, or sparse storage made to swell.
        left -= dataset.size * dataset.dtype.itemsize
        if left < 0 or dataset.external or dataset.is_virtual:
            raise CheckpointError(f"{layer!r} announces {_dims(dataset.shape)} numbers, more than the file's {size} "
                                  "bytes hold; copy or download it again")
        name = f"{_caffe_name(layer)}.{_ROLES[found[1]]}"
        if name in seen:
            raise CheckpointError(f"two datasets are {name!r}")
        seen.add(name)
        array = np.asarray(dataset[()], np.float32)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        yield name, torch.from_numpy(np.ascontiguousarray(array))


def _datasets(root: Any, h5py: Any) -> Iterator[tuple[str, Any]]:
    """Layer and dataset for all datasets below the layers' groups; only hard links are followed."""
    left = _MAX_OBJECTS
    waiting = [(name, root, name) for name in root if name != "optimizer_weights"]
    while waiting:
        layer, group, key = waiting.pop()
        left -= 1
        if left < 0:
            raise CheckpointError(f"more than {_MAX_OBJECTS} objects in it")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue
        item = group[key]
        if isinstance(item, h5py.Dataset):
            yield layer, item
        else:
            waiting += [(layer, item, name) for name in item]


def _caffe_name(layer: str) -> str:
    return _STAGE_1.sub(r"conv5_\1_CPM_\2", layer)


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(str(dim) for dim in shape)
