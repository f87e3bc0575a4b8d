"""A fake TensorRT for a test and for the building processes it starts, and a network with a card."""
import os
import pathlib
import sys

import onnx_bytes
import tensorrt_double

import wholebody
from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card

HERE = pathlib.Path(__file__).resolve().parent


def use_tensorrt(monkeypatch, folder, version):
    """Makes `import tensorrt` the fake of a version, here and in child processes, with a cache folder of its own."""
    module = tensorrt_double.tensorrt_module(version)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    ours = str(pathlib.Path(wholebody.__file__).resolve().parents[1])
    paths = [str(HERE / "tensorrt_standin"), str(HERE), ours]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths + [os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("WB_DOUBLE_VERSION", version)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return module


def write_stick_network(folder, name="net.onnx"):
    """A network with a card; the sizes it takes are open."""
    path = folder / name
    path.write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    return path
