"""TensorRT for RTX is put together from two packages, or one line says what to install."""
import importlib.util
import sys

import pytest

from wholebody.engines.rtx_libraries import load_rtx
from wholebody.errors import MissingPackage

BROKEN = "raise ImportError('libtensorrt_rtx.so.1: cannot open shared object file')\n"
INCOMPLETE = [
    ("nothing", {}, "tensorrt_rtx_bindings is not installed"),
    ("only the bindings", {"tensorrt_rtx_bindings/__init__.py": BROKEN},
     "tensorrt_rtx_bindings does not load: libtensorrt_rtx.so.1: cannot open"),
    ("an empty library package", {"tensorrt_rtx_bindings/__init__.py": BROKEN,
                                  "onnxruntime_ep_nv_tensorrt_rtx/__init__.py": "raise SystemExit('not to be run')"},
     "onnxruntime_ep_nv_tensorrt_rtx holds no libtensorrt_rtx.so"),
    ("a damaged library", {"tensorrt_rtx_bindings/__init__.py": BROKEN,
                           "onnxruntime_ep_nv_tensorrt_rtx/__init__.py": "",
                           "onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_rtx.so.1.7.1": "text"},
     "libtensorrt_rtx.so.1.7.1 does not load: "),
]


@pytest.mark.parametrize("files, says", [case[1:] for case in INCOMPLETE], ids=[case[0] for case in INCOMPLETE])
def test_what_is_missing_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch, files, says):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    real = ("tensorrt_rtx_bindings", "onnxruntime_ep_nv_tensorrt_rtx")
    for module in [name for name in sys.modules if name.startswith(real)]:
        monkeypatch.delitem(sys.modules, module)
    others = [entry for entry in sys.path if "site-packages" not in entry]
    monkeypatch.setattr(sys, "path", [str(tmp_path)] + others)
    importlib.invalidate_caches()
    with pytest.raises(MissingPackage) as caught:
        load_rtx()
    assert says in str(caught.value)
    assert "pip install 'wholebody[rtx]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_real_bindings_have_a_parser_and_a_builder():
    if importlib.util.find_spec("tensorrt_rtx_bindings") is None:
        pytest.skip("TensorRT for RTX is not here: pip install '.[rtx]'")
    trt = load_rtx()
    logger = trt.Logger(trt.Logger.ERROR)
    network = trt.Builder(logger).create_network(0)
    assert not trt.OnnxParser(network, logger).parse(b"no model")
