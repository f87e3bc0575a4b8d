"""ONNX Runtime behind the engine's face: what goes in, what comes out, and what is said when it does not."""
import numpy as np
import onnx_bytes
import pytest

from wholebody.card import METADATA_KEY
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import CardError, ModelError

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx_bytes.paf_net(heatmaps=2, pafs=4))
    return str(file)


def picture(*shape, **dtype):
    return np.ones(shape, dtype.get("dtype", np.float32))


WRONG = [
    ("another number of channels", {"image": picture(1, 4, 16, 8)}, "image float32 [1, 4, 16, 8]"),
    ("three dimensions", {"image": picture(3, 16, 8)}, "image float32 [3, 16, 8]"),
    ("a picture smaller than the kernel", {"image": picture(1, 3, 4, 4)}, "image float32 [1, 3, 4, 4]"),
    ("another type", {"image": picture(1, 3, 16, 8, dtype=np.float64)}, "image float64 [1, 3, 16, 8]"),
    ("another name", {"picture": picture(1, 3, 16, 8)}, "picture float32 [1, 3, 16, 8]"),
    ("nothing", {}, "cannot run on"),
]


@pytest.mark.parametrize("feeds, message", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_the_network_does_not_take_is_one_line_with_its_type_and_shape(path, feeds, message):
    with OnnxRuntimeEngine(path) as engine, pytest.raises(ModelError) as caught:
        engine.infer(feeds)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_engine_goes_on_after_a_wrong_feed(path):
    with OnnxRuntimeEngine(path) as engine:
        with pytest.raises(ModelError):
            engine.infer({"image": picture(1, 4, 16, 8)})
        assert engine.infer({"image": picture(1, 3, 16, 8)})["heatmaps"].shape == (1, 2, 2, 1)


def test_a_closed_engine_says_so_and_closes_twice(path):
    engine = OnnxRuntimeEngine(path)
    engine.close()
    engine.close()
    with pytest.raises(ModelError, match="net.onnx is closed; open it again"):
        engine.infer({"image": picture(1, 3, 16, 8)})


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_the_same_picture_gives_the_same_bytes(path, threads):
    image = np.random.RandomState(3).rand(1, 3, 64, 96).astype(np.float32)
    answers = []
    for _ in range(2):
        with OnnxRuntimeEngine(path, threads=threads) as engine:
            answers += [engine.infer({"image": image})["pafs"].tobytes() for _ in range(2)]
    assert len(set(answers)) == 1


def test_a_damaged_card_stops_whoever_needs_it_and_nobody_else(tmp_path):
    (tmp_path / "net.onnx").write_bytes(onnx_bytes.paf_net(metadata=[(METADATA_KEY, "{")]))
    path = str(tmp_path / "net.onnx")
    with pytest.raises(CardError, match="give it a new one: wb-export card .*net.onnx"):
        OnnxRuntimeEngine(path)
    with OnnxRuntimeEngine(path, read_card=False) as engine:
        assert engine.card is None


def test_the_engine_says_of_itself_what_the_file_says(path):
    with OnnxRuntimeEngine(path) as engine:
        assert [str(i) for i in engine.inputs] == ["image [N, 3, H, W] float32"]
        assert [i.name for i in engine.outputs] == ["heatmaps", "pafs"]
