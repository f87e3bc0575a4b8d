"""Bytes changed, lost and added at random: a reader answers with tensors or with one line."""
import random
import time

import pytest
import torch
from checkpoint_files import as_torch, random_tensors, write_keras
from safetensors.torch import save_file

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.reading import read_checkpoint

TENSORS = random_tensors({"conv1_1.weight": (4, 3, 3, 3), "conv1_1.bias": (4,)})
WRITERS = [
    ("zip", "net.pth", lambda path: torch.save({"state_dict": as_torch(TENSORS), "iter": 3}, path)),
    ("legacy", "net.pth", lambda path: torch.save({"state_dict": as_torch(TENSORS), "iter": 3}, path,
                                                  _use_new_zipfile_serialization=False)),
    ("safetensors", "net.safetensors", lambda path: save_file(as_torch(TENSORS), path)),
    ("HDF5", "net.h5", lambda path: write_keras(path, TENSORS)),
]


def damaged(whole, rng):
    """A few places changed, cut out or added to."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 5)):
        at, what = rng.randrange(len(data)), rng.randrange(3)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at:at + rng.randint(1, 20)]
        else:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 12)))
    return data


@pytest.mark.parametrize(("name", "write"), [case[1:] for case in WRITERS], ids=[case[0] for case in WRITERS])
def test_damage_ends_in_tensors_or_in_one_line(tmp_path, name, write):
    path, rng = tmp_path / name, random.Random(5)
    write(path)
    whole = path.read_bytes()
    until, runs = time.monotonic() + 2, 0
    while time.monotonic() < until:
        path.write_bytes(damaged(whole, rng))
        try:
            assert read_checkpoint(str(path)).tensors
        except CheckpointError as error:
            assert "\n" not in str(error)
        runs += 1
    assert runs > 100


def test_a_zip_said_to_lie_on_several_disks_is_refused(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"state_dict": as_torch(TENSORS)}, path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x06\x07") + 16] = 2  # number of disks, in the locator of a zip64
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="is not a readable PyTorch file"):
        read_checkpoint(str(path))
