"""CudaDevice over a fake pycuda: order, contexts, memory given back, graphs; errors are one line."""
import pathlib
import re
import sys
import threading

import numpy as np
import pycuda_double
import pytest
from fake_gpu import DeviceMisuse, FakeGpu

from wholebody.errors import MissingPackage, ModelError
from wholebody.runtime.cuda import CudaDevice

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu(monkeypatch):
    return pycuda_double.install(monkeypatch)


@pytest.fixture
def device(gpu):
    device = CudaDevice()
    with device.active():
        yield device
    device.close()


def counting(device, value, shape=(4,)):
    array = device.host_array(shape, "float32")
    array[:] = value
    return array


def test_copies_run_on_their_stream_and_no_context_is_left(gpu):
    device = CudaDevice()
    with device.active():
        stream, buffer = device.new_stream(), device.alloc(16)
        device.upload(buffer, counting(device, 3), stream)
        result = device.host_array((4,), "float32")
        device.download(result, buffer, stream)
        assert not (result == 3).any(), "nothing is done before somebody waits"
        device.synchronize(stream)
        assert (result == 3).all()
        device.free(buffer)
        device.alloc(8)
    with pytest.raises(DeviceMisuse, match="no context is current"):
        device.new_stream()
    device.close()
    device.close()
    assert not gpu.blocks


def test_any_thread_may_call(gpu):
    device, seen = CudaDevice(), []

    def work():
        with device.active():
            stream = device.new_stream()
            buffer = device.alloc(16)
            device.upload(buffer, counting(device, 1), stream)
            device.synchronize(stream)
            seen.append(bytes(gpu.view(buffer.address, 4)))
            device.free(buffer)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    device.close()
    assert seen == [np.float32(1).tobytes()] * 4


@pytest.mark.parametrize("waits", [True, False])
def test_an_event_orders_two_streams_and_without_it_some_order_is_wrong(monkeypatch, waits):
    wrong = 0
    for seed in range(12):
        gpu = pycuda_double.install(monkeypatch, FakeGpu(seed))
        device = CudaDevice()
        with device.active():
            one, two, event, done = device.new_stream(), device.new_stream(), device.new_event(), device.new_event()
            buffer, result = device.alloc(16), device.host_array((4,), "float32")
            device.upload(buffer, counting(device, 7), one)
            device.record(event, one)
            if waits:
                device.wait(two, event)
            device.download(result, buffer, two)
            device.record(done, two)
            device.wait_host(done)
            wrong += int(not (result == 7).all())
            device.synchronize(one)
            assert device.elapsed_ms(event, done) != 0
            device.free(buffer)
        device.close()
        assert gpu.work_left() is False
    assert (wrong == 0) == waits


def test_a_fill_sets_the_first_bytes(device, gpu):
    stream, buffer = device.new_stream(), device.alloc(16)
    device.fill(buffer, 5, 8, stream)
    device.synchronize(stream)
    assert bytes(gpu.view(buffer.address, 9)) == bytes([5] * 8 + [0xA5])


def test_mapped_memory_is_seen_by_both(device, gpu):
    array, buffer = device.mapped_array((2, 2), "uint8")
    array[:] = 9
    assert bytes(gpu.view(buffer.address, 4)) == bytes([9] * 4)
    assert buffer.nbytes == 4


@pytest.mark.parametrize("version", [11020, 12020], ids=["CUDA 11.2", "CUDA 12.2"])
def test_a_graph_does_what_was_captured_as_often_as_it_is_launched(monkeypatch, version):
    gpu = pycuda_double.install(monkeypatch, FakeGpu(driver_version=version))
    device = CudaDevice()
    with device.active():
        assert device.has_graphs
        stream, buffer = device.new_stream(), device.alloc(16)
        source, result = counting(device, 1), device.host_array((4,), "float32")

        def work():
            device.upload(buffer, source, stream)
            device.download(result, buffer, stream)
        graph = device.capture(stream, work)
        device.synchronize(stream)
        assert not (result == 1).any()
        for value in (2, 3):
            source[:] = value
            device.launch_graph(graph, stream)
            device.synchronize(stream)
            assert (result == value).all()
        device.free(buffer)
    device.close()
    assert gpu.graphs == {}


def test_an_error_within_a_capture_ends_it(device, gpu):
    stream = device.new_stream()

    def work():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        device.capture(stream, work)
    assert (gpu.captures, gpu.graphs) == ({}, {})


def test_a_graph_that_the_driver_refuses_is_one_line(device):
    with pytest.raises(ModelError, match=r"^cuGraphLaunch failed: CUDA error 400 \(CUDA_ERROR_INVALID_HANDLE\)$"):
        device.launch_graph(1, device.new_stream())


def test_an_old_driver_has_no_graphs(monkeypatch):
    pycuda_double.install(monkeypatch, FakeGpu(driver_version=10000))
    device = CudaDevice()
    assert not device.has_graphs
    device.close()


@pytest.mark.parametrize("integrated", [True, False])
def test_a_tegra_is_known_by_its_memory(monkeypatch, integrated):
    pycuda_double.install(monkeypatch, FakeGpu(integrated=integrated, capability=(6, 2)))
    device = CudaDevice()
    assert (device.shares_memory, device.compute_capability) == (integrated, (6, 2))
    device.close()


def test_an_image_of_another_gpu_is_one_line(device):
    with pytest.raises(ModelError, match="the GPU .sm_87. does not take these compiled kernels: .*image is invalid"):
        device.load(b"\x7fELF of something else")


def test_an_error_within_pops_the_context_too(gpu):
    device = CudaDevice()
    with pytest.raises(ZeroDivisionError), device.active():
        raise ZeroDivisionError
    with pytest.raises(DeviceMisuse):
        gpu.check_active()
    device.close()


def test_memory_that_is_used_up_is_one_line(device):
    with pytest.raises(ModelError, match="no 99999 MB of GPU memory left: .*out of memory; try a smaller"):
        device.alloc(99999000000)


def test_what_fails_on_the_gpu_is_one_line(device, gpu):
    stream, event = device.new_stream(), device.new_event()
    device.record(event, stream)
    for wait in (lambda: device.wait_host(event), lambda: device.synchronize(stream)):
        gpu.failure = pycuda_double.Error("cuEventSynchronize failed: an illegal memory access was encountered")
        with pytest.raises(ModelError, match="the GPU failed: .*illegal memory access.*; close and open the engine"):
            wait()


def test_no_gpu_is_one_line(monkeypatch):
    pycuda_double.install(monkeypatch, devices=0)
    with pytest.raises(ModelError, match="no GPU can be used: cuDeviceGet failed: invalid device ordinal"):
        CudaDevice()


def test_no_pycuda_is_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(MissingPackage, match="pycuda"):
        CudaDevice()


def test_nothing_else_knows_of_pycuda_or_libcuda():
    found = [str(path.relative_to(ROOT)) for folder in ("src", "engines", "runtime", "calibration", "export", "jetson")
             for path in (ROOT / folder).rglob("*.py")
             if re.search(r"import pycuda|pycuda\.driver|libcuda\.so|from pycuda", path.read_text(encoding="utf-8"))]
    # What board this is, is asked before anybody knows whether there is pycuda.
    # and wb-doctor tries the import in a process of its own.
    assert sorted(set(found)) == ["jetson/doctor_packages.py", "jetson/identity.py", "runtime/cuda.py",
                                  "runtime/cuda_graphs.py"]


