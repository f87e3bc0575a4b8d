"""Networks that tell people apart: their authors' costs, their checkpoints to ONNX, and what attention does."""
import numpy as np
import pytest
import torch

from wholebody.cli.export import main
from wholebody.export.networks.architecture import meta_network, official_shapes
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.costs import count_macs, count_parameters
from wholebody.export.networks.pose_attention import PoseAttention
from wholebody.poses import Poses
from wholebody.runtime.tracking.looks import open_appearance
from wholebody.skeletons import get_skeleton


def test_osnet_costs_what_its_authors_publish():
    """2.2 M parameters and 978.9 M multiply-adds at 256x128."""
    network = meta_network(ARCHITECTURES["osnet-ain"])
    assert round(count_parameters(network) / 1e6, 1) == 2.2
    assert round(count_macs(network, 256, 128) / 1e6, 1) == 978.9


NAMED = {"conv1.bn.weight": (64,), "conv2.0.conv2.3.layers.3.conv2.weight": (64, 1, 3, 3),
         "conv2.0.gate.fc1.bias": (4,),
         "conv2.1.IN.bias": (256,), "conv3.0.conv3.bn.running_var": (384,), "pool2.0.conv.weight": (256, 256, 1, 1),
         "conv4.0.downsample.conv.weight": (512, 384, 1, 1), "fc.1.running_mean": (512,)}


@pytest.mark.parametrize(("name", "shape"), NAMED.items(), ids=NAMED)
def test_tensors_have_the_authors_names(name, shape):
    assert official_shapes(ARCHITECTURES["osnet-ain"])[name] == shape


@pytest.mark.parametrize("name", ["osnet-ain", pytest.param("alphapose-pga", marks=pytest.mark.long)])
def test_a_checkpoint_becomes_a_network_that_runs(name, tmp_path, capsys):
    """Also with the classes that it was trained on, which nobody needs to tell people apart."""
    torch.manual_seed(1)
    architecture = ARCHITECTURES[name]
    network = architecture.build().eval()
    state = dict(network.state_dict())
    state["classifier.weight"], state["classifier.bias"] = torch.zeros(10, 512), torch.zeros(10)
    torch.save(state, tmp_path / "looks.pth")
    model = tmp_path / "looks.onnx"
    assert main(["onnx", str(tmp_path / "looks.pth"), "-o", str(model)]) == 0
    assert main(["verify", str(tmp_path / "looks.pth"), str(model)]) == 0
    capsys.readouterr()
    skeleton = get_skeleton("COCO_17")
    boxes = np.array([[5, 5, 60, 120], [40, 20, 120, 150]], np.float32)
    nowhere, sure = np.zeros((2, 17, 2), np.float32), np.ones((2, 17), np.float32)
    poses = Poses(nowhere, sure, np.ones(2, np.float32), skeleton, boxes)
    picture = np.random.RandomState(0).randint(0, 255, (160, 160, 3)).astype(np.uint8)
    with open_appearance(str(model), skeleton) as looks:
        rows = looks.describe(picture, poses)
    assert rows.shape == (2, architecture.channels[0][1])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert abs(float(rows[0] @ rows[1])) < 0.99999


def test_attention_is_more_where_the_pose_is():
    """Heat in one corner: its features grow beside the others', which keep at least what they were."""
    attention = PoseAttention(1)
    with torch.no_grad():
        attention.conv.weight.fill_(5.0)
        attention.conv.bias.zero_()
        heat = torch.zeros(1, 1, 64, 48)
        heat[:, :, :8, :8] = 1.0
        out = attention(torch.ones(1, 3, 8, 6), heat)[0, 0]
        even = attention(torch.ones(1, 3, 8, 6), torch.zeros(1, 1, 64, 48))
    assert out[0, 0] > 2 * out[1:, 1:].max()
    assert out.min() >= 1
    torch.testing.assert_close(even, torch.full_like(even, 2.0))


def test_a_skeleton_is_not_for_them(tmp_path, capsys):
    torch.save(ARCHITECTURES["osnet-ain"].build().state_dict(), tmp_path / "looks.pth")
    assert main(["onnx", str(tmp_path / "looks.pth"), "-o", str(tmp_path / "x.onnx"), "--skeleton", "COCO_17"]) == 1
    assert "finds no keypoints" in capsys.readouterr().err
