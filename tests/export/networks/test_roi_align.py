"""RoIAlign told by GridSample is ONNX Runtime's own, within boxes of every kind."""
import pytest
import torch

from wholebody.engines.onnxruntime_engine import open_session
from wholebody.export.networks.roi_align import ROI_ALIGN_OPSET, RoIAlign

HEIGHT, WIDTH, STRIDE = 24, 18, 4  # of the features, and pixels a cell
INSIDE = [[8.0, 12.0, 40.0, 60.0], [0.5, 0.5, 71.5, 95.5], [30.3, 40.7, 38.1, 41.2]]
CASES = [
    ("inside", INSIDE),
    ("of no size", [[20.0, 20.0, 20.0, 20.0], [71.9, 0.0, 71.9, 95.0], [0.0, 0.0, 0.0, 0.0]]),
    ("partly outside", [[-30.0, -20.0, 20.0, 30.0], [50.0, 70.0, 130.0, 140.0], [-40.0, 30.0, 110.0, 50.0]]),
    ("wholly outside", [[-60.0, -60.0, -20.0, -20.0], [100.0, 10.0, 140.0, 50.0], [10.0, 120.0, 40.0, 150.0]]),
    ("less than a cell outside", [[-3.0, -2.0, 74.0, 98.0], [-1.0, -4.0, 72.5, 96.2], [0.1, 0.1, 75.9, 99.9]]),
    ("turned round", [[40.0, 60.0, 8.0, 12.0], [20.0, 10.0, 10.0, 30.0], [50.0, 90.0, 60.0, 20.0]]),
]


def features(pictures=2, seed=0):
    return torch.randn(pictures, 5, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def random_boxes(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(2, count, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT]) * STRIDE
    half = torch.rand(2, count, 2, generator=generator) * 40
    return torch.cat((centre - half, centre + half), 2)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """The layer as two ONNX files: GridSample and RoiAlign."""
    folder, found = tmp_path_factory.mktemp("roi"), {}
    onnx = pytest.importorskip("onnx", reason="counts nodes")
    for size in (7, 8):
        for native in (False, True):
            layer, path = RoIAlign(size, STRIDE), str(folder / f"{size}-{native}.onnx")
            layer.native = native
            axes = {"x": {0: "n"}, "boxes": {0: "n", 1: "r"}}
            torch.onnx.export(layer, (features(), random_boxes(4)), path, dynamo=False, opset_version=ROI_ALIGN_OPSET,
                              input_names=["x", "boxes"], dynamic_axes=axes)
            operators = [node.op_type for node in onnx.load(path).graph.node]
            assert (operators.count("RoiAlign"), operators.count("GridSample")) == ((1, 0) if native else (0, 1))
            found[size, native] = open_session(path, path)[0]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that exporter is called legacy
@pytest.mark.parametrize("size", [7, 8], ids=["odd", "even"])
@pytest.mark.parametrize("boxes", [pytest.param(torch.tensor([rows, rows[::-1]]), id=name) for name, rows in CASES]
                         + [pytest.param(random_boxes(60), id="any sixty")])
def test_grid_sample_gives_what_onnx_runtimes_roi_align_gives(sessions, boxes, size):
    x = features()
    native, sampled = (sessions[size, native].run(None, {"x": x.numpy(), "boxes": boxes.numpy()})[0]
                       for native in (True, False))
    layer = RoIAlign(size, STRIDE)(x, boxes)
    assert native.shape == (2 * boxes.shape[1], 5, size, size) == tuple(layer.shape)
    spread = float(x.max() - x.min())
    assert abs(native - sampled).max() <= 1e-5 * spread
    assert abs(native - layer.numpy()).max() <= 1e-5 * spread


def test_boxes_far_outside_are_empty_and_those_inside_are_not():
    found = RoIAlign(8, STRIDE)(features(1), torch.tensor([[[-60.0, -60.0, -20.0, -20.0], INSIDE[0]]]))
    assert not found[0].any()
    assert found[1].all()
