"""Convolutions that AlphaPose alone has: deformable ones, and those behind a PixelUnshuffle."""
import pytest
import torch
from topdown_references import deform_conv

from wholebody.engines.onnxruntime_engine import open_session
from wholebody.export.networks.bottleneck import UnshuffledConv
from wholebody.export.networks.deformable import DEFORM_CONV_OPSET, GRID_SAMPLE_OPSET, DeformableConv

SIZES = [("a picture", 1, 9, 14), ("odd sides with a stride", 2, 9, 13),
         ("even sides with a stride", 2, 8, 12), ("one row", 1, 1, 5), ("one column with a stride", 2, 6, 1)]
FORMS = [("GridSample", GRID_SAMPLE_OPSET, False, 1), ("DeformConv", DEFORM_CONV_OPSET, True, 1)]


def layer_and_input(stride, height, width, seed=0):
    torch.manual_seed(seed)
    layer = DeformableConv(5, 4, stride).requires_grad_(False)
    rows, columns = -(-height // stride), -(-width // stride)
    offset = torch.randn(2, 18, rows, columns) * 3  # far enough to leave the picture
    offset[:, ::5] = offset[:, ::5].round()         # and some on the very cells and the border
    return layer, torch.randn(2, 5, height, width), offset


@pytest.mark.parametrize(("stride", "height", "width"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_sampling_all_taps_at_once_is_going_from_tap_to_tap(stride, height, width):
    layer, x, offset = layer_and_input(stride, height, width)
    torch.testing.assert_close(layer(x, offset), deform_conv(x, offset, layer.weight, stride), atol=1e-5, rtol=1e-5)


def test_without_offsets_it_is_a_convolution():
    layer, x, offset = layer_and_input(2, 8, 12)
    plain = torch.nn.functional.conv2d(x, layer.weight, None, 2, 1)
    torch.testing.assert_close(layer(x, torch.zeros_like(offset)), plain, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that exporter is called legacy
@pytest.mark.parametrize("fixed", [True, False], ids=["of one size", "of any size"])
@pytest.mark.parametrize(("operator", "opset", "native", "count"), FORMS, ids=[form[0] for form in FORMS])
@pytest.mark.parametrize(("stride", "height", "width"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_onnx_runtime_gives_the_same_with_its_own_operator_and_with_grid_sample(
        tmp_path, stride, height, width, operator, opset, native, count, fixed):
    onnx = pytest.importorskip("onnx", reason="counts nodes")
    layer, x, offset = layer_and_input(stride, height, width)
    expected = layer(x, offset)
    layer.native = native
    path = str(tmp_path / "layer.onnx")
    axes = None if fixed else {"x": {0: "n", 2: "h", 3: "w"}, "offset": {0: "n", 2: "i", 3: "j"}}
    traced = (x, offset) if fixed else layer_and_input(stride, 16, 24)[1:]
    torch.onnx.export(layer, traced, path, dynamo=False, opset_version=opset, input_names=["x", "offset"],
                      dynamic_axes=axes)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count(operator) == count
    session, _, _ = open_session(path, path)
    got = torch.from_numpy(session.run(None, {"x": x.numpy(), "offset": offset.numpy()})[0])
    assert ((got - expected).abs().max() / (expected.max() - expected.min())).item() <= 1e-5


def test_unshuffled_pixels_meet_the_same_weights_as_behind_a_pixel_unshuffle():
    torch.manual_seed(1)
    layer, x = UnshuffledConv(5, 7), torch.randn(2, 5, 8, 12)
    expected = torch.nn.functional.conv2d(torch.nn.functional.pixel_unshuffle(x, 2), layer.weight, None, 1, 1)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)
