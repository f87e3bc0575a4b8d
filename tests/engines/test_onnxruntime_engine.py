"""ONNX Runtime behind the engine's face: what goes in, what comes out, and what is said when it does not."""
import numpy as np
import onnx_bytes
import pytest

from wholebody.card import METADATA_KEY
from wholebody.engines.engine import RunMemory
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


def test_outputs_stay_in_the_same_memory_and_are_those_of_the_last_feeds(path):
    feed = np.random.RandomState(4).rand(2, 3, 32, 16).astype(np.float32)
    with OnnxRuntimeEngine(path) as engine:
        memory, other = RunMemory(), RunMemory()
        addresses = set()
        for _ in range(4):
            feed[:] = feed[::-1] + 1
            outputs = engine.infer_into({"image": feed}, memory)
            addresses.add(outputs["heatmaps"].__array_interface__["data"][0])
            for name, array in engine.infer({"image": feed}).items():
                np.testing.assert_array_equal(outputs[name], array)
        if engine._binds:
            assert len(addresses) == 1
        kept = outputs["heatmaps"].copy()
        feed += 1
        engine.infer_into({"image": feed}, other)
        np.testing.assert_array_equal(outputs["heatmaps"], kept)  # another caller's memory is another's


def test_a_memory_serves_feeds_of_any_shape_in_turn(path):
    with OnnxRuntimeEngine(path) as engine:
        memory = RunMemory()
        for shape in ((1, 3, 16, 8), (1, 3, 16, 8), (2, 3, 16, 8), (1, 3, 64, 48), (1, 3, 16, 8)):
            feed = np.random.RandomState(shape[0]).rand(*shape).astype(np.float32)
            for name, array in engine.infer_into({"image": feed}, memory).items():
                np.testing.assert_array_equal(array, engine.infer({"image": feed})[name])


def test_an_output_whose_shape_depends_on_the_picture_is_served_too(tmp_path):
    found = onnx_bytes.node("NonZero", ["image"], ["found"])
    file = tmp_path / "found.onnx"
    file.write_bytes(onnx_bytes.model([found], [], [("image", (1, 3, "H", "W"))], [("found", ("axes", "n"))],
                                      types={"found": onnx_bytes.INT64}))
    feed = np.zeros((1, 3, 4, 4), np.float32)
    with OnnxRuntimeEngine(str(file)) as engine:
        memory, numbers = RunMemory(), []
        for _ in range(5):
            numbers.append(engine.infer_into({"image": feed}, memory)["found"].shape[1])
            feed[0, 0, 0, len(numbers) - 1 if len(numbers) < 4 else 0] = 1
    assert numbers == [0, 1, 2, 3, 3]


def test_a_closed_engine_runs_into_no_memory_either(path):
    memory, feed = RunMemory(), picture(1, 3, 16, 8)
    engine = OnnxRuntimeEngine(path)
    engine.infer_into({"image": feed}, memory)
    engine.close()
    with pytest.raises(ModelError, match="is closed"):
        engine.infer_into({"image": feed}, memory)


def test_how_many_pictures_a_run_takes_is_known(path, tmp_path):
    with OnnxRuntimeEngine(path) as engine:
        assert engine.max_batch is None
    one = tmp_path / "one.onnx"
    one.write_bytes(onnx_bytes.model([onnx_bytes.node("Relu", ["image"], ["out"])], [],
                                     [("image", (1, 3, "H", "W"))], [("out", (1, 3, "H", "W"))]))
    with OnnxRuntimeEngine(str(one)) as engine:
        assert engine.max_batch == 1
