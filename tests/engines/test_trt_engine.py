"""Running an open engine: wrong feeds, buffers, streams of the caller, threads, closing."""
import threading

import numpy as np
import pytest
from fake_device import FakeDevice
from tensorrt_setting import use_tensorrt, write_stick_network

from wholebody.engines.build_process import build_engine
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.engine import RunMemory
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import ModelError

BOTH = ["8.2.1", "10.13.3.9"]  # bindings, named tensors
DEVICES = []


def device():
    DEVICES.append(FakeDevice())
    return DEVICES[-1]


@pytest.fixture(params=BOTH)
def engine(request, tmp_path, monkeypatch):
    """An engine of 32x32 to 128x128, one picture or two."""
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    monkeypatch.chdir(tmp_path)
    use_tensorrt(monkeypatch, tmp_path, request.param)
    write_stick_network(tmp_path)
    build_engine("net.onnx", "net.engine", BuildSpec("fp32", (32, 32), (64, 64), (128, 128), 1, 2))
    with open_engine("net.engine", OpenOptions(device=device)) as engine:
        yield engine
    assert FakeDevice.open_devices == 0


def picture(*shape, **more):
    return np.ones(shape, more.get("dtype", np.float32))


WRONG = [
    ("too small", {"image": picture(1, 3, 24, 64)},
     r"image float32 \[1, 3, 24, 64\]: it takes float32 image 1x3x32x32"),
    ("too large", {"image": picture(1, 3, 64, 136)}, "cannot run on"),
    ("too many pictures", {"image": picture(3, 3, 64, 64)}, "cannot run on"),
    ("other channels", {"image": picture(1, 4, 64, 64)}, "cannot run on"),
    ("three dimensions", {"image": picture(3, 64, 64)}, "cannot run on"),
    ("another type", {"image": picture(1, 3, 64, 64, dtype=np.float64)}, "image float64"),
    ("another name", {"data": picture(1, 3, 64, 64)}, "data float32"),
    ("one too many", {"image": picture(1, 3, 64, 64), "more": picture(1)}, "more float32"),
    ("nothing", {}, "cannot run on nothing"),
]


@pytest.mark.parametrize("feeds, message", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_it_does_not_take_is_one_line_and_it_goes_on(engine, feeds, message):
    with pytest.raises(ModelError, match=message) as caught:
        engine.infer(feeds)
    assert "\n" not in str(caught.value)
    assert engine.infer({"image": picture(1, 3, 64, 64)})["heatmaps"].shape == (1, 3, 8, 8)


def test_buffers_are_made_once_and_grow_only(engine):
    engine.infer({"image": picture(1, 3, 128, 128)})
    before = DEVICES[-1].allocations
    for side in (64, 32, 128, 64, 64):
        assert engine.infer({"image": picture(1, 3, side, side)})["pafs"].shape == (1, 4, side // 8, side // 8)
    assert DEVICES[-1].allocations == before
    engine.infer({"image": picture(2, 3, 128, 128)})
    assert DEVICES[-1].allocations > before


def test_a_picture_that_is_not_contiguous_is_taken(engine):
    wide = np.random.RandomState(0).rand(1, 64, 64, 3).astype(np.float32).transpose(0, 3, 1, 2)
    expected = engine.infer({"image": np.ascontiguousarray(wide)})["heatmaps"].copy()
    np.testing.assert_array_equal(engine.infer({"image": wide})["heatmaps"], expected)


def test_results_of_the_same_shape_reuse_their_memory(engine):
    first = engine.infer({"image": picture(1, 3, 64, 64)})["heatmaps"]
    assert engine.infer({"image": picture(1, 3, 64, 64)})["heatmaps"] is first


def test_each_caller_with_a_memory_of_its_own_keeps_its_results(engine):
    first, second = RunMemory(), RunMemory()
    outputs = engine.infer_into({"image": picture(1, 3, 64, 64)}, first)["heatmaps"]
    kept = outputs.copy()
    other = engine.infer_into({"image": 3 * picture(1, 3, 64, 64)}, second)["heatmaps"]
    assert not np.array_equal(other, kept)
    np.testing.assert_array_equal(outputs, kept)
    assert engine.infer_into({"image": picture(1, 3, 64, 64)}, first)["heatmaps"] is outputs
    assert engine.infer_into({"image": picture(2, 3, 64, 64)}, first)["heatmaps"].shape == (2, 3, 8, 8)


def test_it_takes_as_many_pictures_at_once_as_it_was_built_for(engine):
    assert engine.max_batch == 2


def test_it_runs_over_buffers_and_on_a_stream_of_the_caller(engine):
    memory, image = DEVICES[-1], picture(1, 3, 64, 64)
    expected = {name: value.copy() for name, value in engine.infer({"image": image}).items()}
    with memory.active():
        stream = memory.new_stream()
        shapes = engine.set_shapes({"image": image.shape})
        sizes = dict({name: int(np.prod(shape)) * 4 for name, shape in shapes.items()}, image=image.nbytes)
        buffers = {name: memory.alloc(size) for name, size in sizes.items()}
        memory.upload(buffers["image"], image, stream)
        engine.enqueue({name: buffer.address for name, buffer in buffers.items()}, stream)
        out = memory.host_array(shapes["heatmaps"], "float32")
        memory.download(out, buffers["heatmaps"], stream)
        memory.synchronize(stream)
        for buffer in buffers.values():
            memory.free(buffer)
    np.testing.assert_array_equal(out, expected["heatmaps"])
    np.testing.assert_array_equal(engine.infer({"image": image})["pafs"], expected["pafs"])


def test_any_thread_may_run_it_and_none_keeps_the_device(engine):
    results = []

    def run():
        results.append(engine.infer({"image": picture(1, 3, 64, 64)})["heatmaps"].sum())
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    run()
    assert len(set(results)) == 1
    assert len(results) == 4


def test_a_closed_engine_says_so_and_closes_twice(engine):
    engine.close()
    engine.close()
    for call in (lambda: engine.infer({"image": picture(1, 3, 64, 64)}), lambda: engine.enqueue({}, 0)):
        with pytest.raises(ModelError, match="net.engine is closed; open it again"):
            call()


def test_two_engines_of_the_same_file_do_not_share_anything(engine):
    with open_engine("net.engine", OpenOptions(device=device)) as other:
        big, small = picture(1, 3, 128, 128), picture(1, 3, 32, 32)
        assert engine.infer({"image": big})["pafs"].shape != other.infer({"image": small})["pafs"].shape
        assert engine.infer({"image": big})["pafs"].shape == (1, 4, 16, 16)
