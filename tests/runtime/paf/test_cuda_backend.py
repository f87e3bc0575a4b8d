"""The CUDA kernels find what the CPU decoder finds, to the byte; on a fake GPU that runs the real sources."""
import sys

import cuda_shim
import numpy as np
import pycuda_double
import pytest
from fake_gpu import FakeGpu

from wholebody.errors import ModelError, ShapeError
from wholebody.runtime.paf import PafDecoder, PafOptions
from wholebody.runtime.paf.cuda_backend import CudaBackend
from wholebody.runtime.paf.cuda_launches import DeviceMaps, check_maps
from wholebody.runtime.paf.numpy_backend import NumpyBackend
from wholebody.skeletons import get_skeleton

FIELDS = ("keypoints", "scores", "person_scores", "boxes_xyxy")


def assert_same(poses, expected):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(poses, field), getattr(expected, field), err_msg=field)


@pytest.mark.parametrize("border", ["ring", "cuda"])
@pytest.mark.parametrize("kernel", ["opencv", "catmull-rom"])
@pytest.mark.parametrize("name", ["BODY_25", "COCO_18", "MPI_15", "TRT_POSE_18", "STICK"])
def test_a_crowd_is_decoded_alike(name, kernel, border, skeleton_of, crowd, both):
    skeleton = skeleton_of(name)
    options = {"nms_threshold": 0.05} if name == "MPI_15" else {}
    assert len(both(skeleton, crowd(skeleton, 6, seed=31, cells=(15, 24)), kernel=kernel, border=border, **options)) > 0


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_noise_is_decoded_alike(scale, mode, skeleton_of, both):
    skeleton, rng = skeleton_of("STICK"), np.random.default_rng(5)
    maps = [rng.normal(0.2, scale, (count, 17, 13)).astype(np.float32)
            for count in (skeleton.heatmap_channels, skeleton.paf_channel_count)]
    both(skeleton, maps, mode=mode)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 16])
def test_every_stride_is_decoded_alike(stride, mode, skeleton_of, crowd, both):
    skeleton = skeleton_of("COCO_18")
    both(skeleton, crowd(skeleton, 3, seed=2, cells=(15, 18)), stride=stride, mode=mode)


@pytest.mark.parametrize("options", [
    {"mode": "fast"}, {"mode": "fast", "nms_threshold": 0.0, "max_peaks": 40},
    {"maximize_positives": True}, {"number_people_max": 2}, {"max_peaks": 3}, {"max_peaks": 300}, {"paf_ratio": 0.0},
    {"paf_threshold": 0.0}, {"nms_threshold": 0.0}, {"min_keypoints": 1, "min_score": -1.0}, {"min_score": 5.0},
], ids=str)
def test_every_option_means_the_same(options, skeleton_of, crowd, both):
    skeleton = skeleton_of("STICK")
    both(skeleton, crowd(skeleton, 6, seed=11), **options)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_half_precision_and_values_that_are_none_are_decoded_alike(mode, skeleton_of, crowd, both):
    skeleton = skeleton_of("STICK")
    halves = [maps.astype(np.float16) for maps in crowd(skeleton, 6, seed=4)]
    floats = [maps.astype(np.float32) for maps in halves]
    for maps in halves, floats:
        maps[0][0, :4, 0] = np.nan, np.inf, 6e-8, -np.inf
        maps[1][:, 3, 3:6] = np.nan, np.inf, -6e4
        both(skeleton, maps, mode=mode)
    floats[0][1, 5, 5:8] = 1e30, -1e30, 9e8
    both(skeleton, floats, mode=mode)


@pytest.mark.parametrize("cells", [(2, 2), (1, 9), (9, 1), (3, 4), (1, 2), (33, 1)], ids=str)
@pytest.mark.parametrize("border", ["ring", "cuda"])
def test_the_smallest_maps_are_decoded_alike(cells, border, skeleton_of, both):
    skeleton, rng = skeleton_of("STICK"), np.random.default_rng(8)
    maps = [rng.uniform(0, 1, (count,) + cells).astype(np.float32) for count in (6, 10)]
    for stride in (1, 8):
        both(skeleton, maps, stride=stride, border=border)
        both(skeleton, maps, stride=stride, mode="fast")


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("stride", [1, 8])
def test_plateaus_and_more_peaks_than_are_taken_are_decoded_alike(stride, mode, skeleton_of, both):
    skeleton = skeleton_of("STICK")
    heat, pafs = np.full((6, 24, 30), 0.5, np.float32), np.full((10, 24, 30), 0.7, np.float32)
    heat[1] = 0
    heat[1, ::2, ::2] = 0.5  # 180 peaks of the same height
    heat[2, 3:20, 7:9] = 0.9
    both(skeleton, (heat, pafs), stride=stride, mode=mode)


def test_what_does_not_fit_into_the_block_comes_in_a_second_copy(device, skeleton_of, both, gpu):
    skeleton, rng = skeleton_of("STICK"), np.random.default_rng(1)
    heat = rng.uniform(0, 1, (6, 40, 40)).astype(np.float32)
    pafs = np.full((10, 40, 40), 0.7, np.float32)
    before = gpu.downloads
    assert len(both(skeleton, (heat, pafs))) > 0
    assert gpu.downloads - before == 4, "one for the peaks and one for the people, each with a second"


def maps_on(device, maps, stream):
    """The maps uploaded as they lie."""
    buffers = []
    for array in maps:
        host = device.host_array(array.shape, array.dtype.name)
        host[...] = array
        buffers.append(device.alloc(array.nbytes))
        device.upload(buffers[-1], host, stream)
    device.synchronize(stream)
    return buffers


def backend_on(device, skeleton, **options):
    options = PafOptions.for_skeleton(skeleton, **options)
    return CudaBackend(skeleton, 8, options, NumpyBackend(skeleton, 8, options), device)


def test_the_order_of_blocks_and_threads_changes_no_byte(device, kernels_library, skeleton_of, crowd):
    skeleton = skeleton_of("COCO_18")
    maps = crowd(skeleton, 12, seed=3, cells=(20, 30))
    module, blocks = cuda_shim.ShimModule(kernels_library), []
    with device.active():
        stream = device.new_stream()
        buffers = maps_on(device, maps, stream)
        for seed in range(6):
            module.seed(seed)
            backend = backend_on(device, skeleton)
            backend.enqueue(*[DeviceMaps(b.address, m.shape) for b, m in zip(buffers, maps)], stream=stream)
            device.synchronize(stream)
            used = backend._workspace.words_used()
            blocks.append(backend._workspace.host[:used].tobytes())
            backend.close()
        module.seed(0)
        for buffer in buffers:
            device.free(buffer)
    assert len(blocks[0]) > 1000
    assert blocks == [blocks[0]] * 6


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_maps_are_read_where_they_lie_in_one_output(layout, dtype, device, skeleton_of, crowd):
    skeleton = skeleton_of("STICK")
    heat, pafs = crowd(skeleton, 4, seed=9, cells=(12, 15))
    output = np.concatenate([np.zeros((3, 12, 15)), heat, pafs]).astype(dtype)
    channels, size = len(output), output.itemsize
    strides = (180, 15, 1) if layout == "NCHW" else (1, 15 * channels, channels)
    stored = output if layout == "NCHW" else np.ascontiguousarray(output.transpose(1, 2, 0))
    with device.active():
        stream = device.new_stream()
        buffer, = maps_on(device, [stored], stream)
        backend = backend_on(device, skeleton)
        views = [DeviceMaps(buffer.address + first * strides[0] * size, (count, 12, 15), dtype, strides)
                 for first, count in ((3, len(heat)), (3 + len(heat), len(pafs)))]
        backend.enqueue(views[0], views[1], stream)
        device.synchronize(stream)
        poses = backend.collect()
        backend.close()
        device.free(buffer)
    assert len(poses) > 0
    assert_same(poses, PafDecoder(skeleton)(output[3:3 + len(heat)], output[3 + len(heat):]))


def test_a_graph_of_it_decodes_what_lies_in_the_buffers_by_then(device, gpu, skeleton_of, crowd):
    skeleton = skeleton_of("STICK")
    first, second = (crowd(skeleton, people, seed=people, cells=(12, 15)) for people in (3, 6))
    with device.active():
        stream = device.new_stream()
        buffers = maps_on(device, first, stream)
        maps = [DeviceMaps(b.address, m.shape) for b, m in zip(buffers, first)]
        backend = backend_on(device, skeleton)
        backend.prepare(*maps)
        allocations = gpu.allocations
        graph = device.capture(stream, lambda: backend.enqueue(maps[0], maps[1], stream))
        for scene in (first, second, first):
            for buffer, array in zip(buffers, scene):
                device.upload(buffer, array, stream)
            device.launch_graph(graph, stream)
            device.synchronize(stream)
            assert_same(backend.collect(), PafDecoder(skeleton)(*scene))
        assert gpu.allocations == allocations
        backend.close()
        for buffer in buffers:
            device.free(buffer)


@pytest.mark.parametrize("integrated", [False, True])
def test_a_frame_takes_three_launches_one_copy_back_and_no_memory(integrated, monkeypatch, kernels_library, gpu,
                                                                  skeleton_of, crowd):
    gpu = pycuda_double.install(monkeypatch, FakeGpu(integrated=integrated))
    skeleton = skeleton_of("COCO_18")
    decode, expected = PafDecoder(skeleton, backend="cuda"), PafDecoder(skeleton)
    for people in (5, 2):
        maps = crowd(skeleton, people, people, (20, 30))
        before = gpu.launches, gpu.downloads, gpu.allocations
        assert_same(decode(*maps), expected(*maps))
    assert (gpu.launches - before[0], gpu.downloads - before[1]) == (3, 0 if integrated else 1)
    assert gpu.allocations == before[2]
    decode.close()
    decode.close()
    with pytest.raises(ModelError, match="this PafDecoder is closed"):
        decode(*maps)


def test_one_decoder_takes_maps_of_changing_size_and_crowd(device, skeleton_of, crowd):
    skeleton = skeleton_of("COCO_18")
    with PafDecoder(skeleton, backend="cuda", device=device) as decode:
        for people, cells in [(6, (15, 20)), (0, (15, 20)), (2, (20, 15)), (5, (6, 50)), (3, (30, 40))]:
            maps = crowd(skeleton, people, people, cells)
            assert_same(decode(*maps), PafDecoder(skeleton)(*maps))


@pytest.mark.parametrize(("shape", "stride", "message"), [
    ((19, 20, 2000), 8, "need .* bytes of shared memory, 49152 are there; use backend=\"native\""),
    ((19, 2100, 2100), 8, "are too large")], ids=["wide", "large"])
def test_maps_that_no_block_can_hold_are_refused(shape, stride, message, device):
    skeleton = get_skeleton("COCO_18")
    with PafDecoder(skeleton, stride, "cuda", device=device) as decode, pytest.raises(ShapeError, match=message):
        decode.candidates(np.broadcast_to(np.float32(0), shape))


@pytest.mark.parametrize(("stride", "widest"), [(8, 1311), (4, 1155)])
def test_maps_may_be_as_wide_as_the_docs_say(stride, widest):
    check_maps((19, 1, widest), stride, PafOptions())
    with pytest.raises(ShapeError):
        check_maps((19, 1, widest + 1), stride, PafOptions())


@pytest.mark.parametrize(("heat", "pafs", "message"), [
    (DeviceMaps(256, (4, 6, 6)), DeviceMaps(256, (10, 6, 6)), r"heatmaps of STICK .* \(5 or more, h, w\).* got \(4"),
    (DeviceMaps(256, (5, 6, 6)), DeviceMaps(256, (9, 6, 6)), r"pafs of STICK .* \(10 or more, h, w\)"),
    (DeviceMaps(256, (5, 6, 6)), DeviceMaps(256, (10, 6, 7)), "one h and w for both"),
    (DeviceMaps(256, (5, 0, 6)), DeviceMaps(256, (10, 0, 6)), "heatmaps of STICK"),
    (DeviceMaps(256, (5, 6, 6)), DeviceMaps(256, (10, 6, 6), "int8"), "expected float32 or float16, got int8")],
    ids=["heatmaps", "pafs", "sizes", "empty", "type"])
def test_maps_that_are_not_of_the_skeleton_are_refused(heat, pafs, message, device, skeleton_of):
    backend = backend_on(device, skeleton_of("STICK"))
    with pytest.raises(ShapeError, match=message):
        backend.enqueue(heat, pafs, 0)
    backend.close()


def test_no_memory_is_one_line_and_none_is_kept(device, gpu, monkeypatch, skeleton_of):
    real, left = gpu.alloc, [4]

    def alloc(nbytes):
        left[0] -= 1
        if left[0] < 0:
            raise sys.modules["pycuda.driver"].MemoryError("cuMemAlloc failed: out of memory")
        return real(nbytes)
    monkeypatch.setattr(gpu, "alloc", alloc)
    with pytest.raises(ModelError, match="MB of GPU memory left"):
        backend_on(device, skeleton_of("STICK"))
    assert not gpu.blocks


def test_more_peaks_than_an_index_can_say_are_refused(device):
    skeleton = get_skeleton("COCO_18")
    with pytest.raises(ValueError, match="max_peaks: expected at most 32767 on a GPU, got 40000"):
        PafDecoder(skeleton, backend="cuda", options=PafOptions(max_peaks=40000), device=device)


BLOCK = [5, 5, 2, 1] + [1, 1, 0, 0, 0] + [1, 0, 0, 0, 0] + [0x41000000, 0x41000000, 0x3F000000] * 2 + [0x3F000000, 0]


@pytest.mark.parametrize("change", [{0: 4}, {1: 6}, {2: 3}, {3: 2}, {4: 200}, {4: -1}, {9: 2}, {20: 0x7FC00000},
                                    {21: 1}, {14: 0x7F800000}, {"end": 21}, {"end": 6}, {"end": 0}], ids=str)
def test_a_damaged_block_is_refused(change, native, skeleton_of):
    skeleton = skeleton_of("STICK")
    block = np.array(BLOCK, np.int64).astype(np.uint32).view(np.int32)
    options = PafOptions.for_skeleton(skeleton, min_keypoints=1, min_score=0.0)
    decoder = PafDecoder(skeleton, 8, "native", options)
    assert len(decoder._backend.assemble(block)) == 1
    for word, value in change.items():
        if word != "end":
            block[word] = value
    with pytest.raises(ModelError, match="damaged or not of STICK"):
        decoder._backend.assemble(np.ascontiguousarray(block[:change.get("end")]))
