"""Training: deterministic, and the file it writes is what small boards can read."""

import pathlib

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install torch")
pytest.importorskip("onnx", reason="the export needs onnx: pip install onnx")
pytest.importorskip("onnxruntime", reason="the export is checked with onnxruntime: pip install onnxruntime")
pytest.importorskip("cv2", reason="drawing needs OpenCV: pip install opencv-python-headless")

import onnx
from mannequins import train
from mannequins.data import batches, draw_pool

PLAIN_OPERATORS = {"Conv", "Relu", "Add", "Concat", "Slice", "Constant"}


def test_the_same_short_training_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    files = [tmp_path / name for name in ("first.onnx", "second.onnx")]
    for path in files:
        assert train.main(["-o", str(path), "--steps", "3", "--scenes", "4"]) == 0
    first, second = (path.read_bytes() for path in files)
    assert first == second
    assert len(first) <= 300000


def test_the_committed_network_uses_plain_operators_that_old_runtimes_read() -> None:
    model = onnx.load(str(pathlib.Path(train.__file__).with_name("mannequin.onnx")))
    assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
    assert model.ir_version <= 8
    assert model.opset_import[0].version == 13


def test_a_pool_does_not_depend_on_how_many_processes_draw_it() -> None:
    one, two = (draw_pool(3, seed=5, processes=processes) for processes in (1, 2))
    assert (one.pictures == two.pictures).all()
    assert (one.targets == two.targets).all()


def test_a_batch_holds_what_the_network_expects() -> None:
    pool = draw_pool(2, seed=0, processes=1)
    (images, answers), = batches(pool, size=3, steps=1, seed=0)
    assert images.shape == (3, 3, 352, 352)
    assert answers.shape == (3, 78, 44, 44)
    assert -0.8 < images.min() < images.max() < 0.8
