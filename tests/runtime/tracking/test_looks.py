"""People through a network for their looks: the right pieces of the picture, in its colours, of length one."""
import json

import numpy as np
import pytest
from onnx_bytes import colour_net, stick_net

from wholebody.card import METADATA_KEY
from wholebody.errors import CardError
from wholebody.poses import Poses
from wholebody.runtime.tracking.colours import Colours
from wholebody.runtime.tracking.looks import open_appearance
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")
CARD = {"name": "looks",
        "input": {"name": "crop", "size": [32, 16], "resize": "stretch", "box_padding": 1.0, "color": "rgb"},
        "heads": [{"kind": "embedding", "outputs": {"embedding": {"output": "looks"}}}]}
COLOURS = [(200, 30, 10), (10, 220, 40), (90, 90, 90)]


def write(path, card=CARD, net=colour_net):
    path.write_bytes(net(metadata=[(METADATA_KEY, json.dumps(dict(card, wholebody_card=1)))]))
    return str(path)


def painted():
    """Three boxes of one colour each, and people in them."""
    picture = np.zeros((120, 200, 3), np.uint8)
    boxes = np.array([[10, 20, 40, 80], [80, 30, 110, 90], [150, 10, 180, 70]], np.float32)
    for (x0, y0, x1, y1), colour in zip(boxes.astype(int), COLOURS):
        picture[y0:y1, x0:x1] = colour
    points = np.zeros((3, 17, 2), np.float32)
    return picture, Poses(points, np.ones((3, 17), np.float32), np.ones(3, np.float32), SKELETON, boxes)


@pytest.mark.parametrize("limit", ["N", 1], ids=["any number at once", "one at once"])
def test_everybody_is_cut_out_and_looked_at(tmp_path, limit):
    pytest.importorskip("onnxruntime")
    path = write(tmp_path / "looks.onnx", net=lambda metadata: colour_net(limit=limit, metadata=metadata))
    picture, poses = painted()
    with open_appearance(path, SKELETON) as looks:
        rows = looks.describe(picture, poses)
        assert looks.describe(picture, poses[np.zeros(0, np.int64)]).shape == (0, 3)
    rgb = np.array(COLOURS, float)[:, ::-1]
    np.testing.assert_allclose(rows, rgb / np.linalg.norm(rgb, axis=1, keepdims=True), atol=0.01)


def test_colours_need_no_network():
    assert isinstance(open_appearance("colours", SKELETON), Colours)


def test_a_network_without_an_embedding_is_one_line(tmp_path):
    pytest.importorskip("onnxruntime")
    from onnx_bytes import STICK_CARD
    path = tmp_path / "stick.onnx"
    path.write_bytes(stick_net(metadata=[(METADATA_KEY, json.dumps(dict(json.loads(STICK_CARD), wholebody_card=1)))]))
    with pytest.raises(CardError, match="its heads are paf, .*--looks colours needs no network") as caught:
        open_appearance(str(path), SKELETON)
    assert "\n" not in str(caught.value)


def test_a_network_of_any_size_is_one_line(tmp_path):
    pytest.importorskip("onnxruntime")
    card = dict(CARD, input={"name": "crop", "box_padding": 1.0})
    path = write(tmp_path / "any.onnx", card, lambda metadata: colour_net(("H", "W"), metadata=metadata))
    with pytest.raises(CardError, match="needs a fixed input"):
        open_appearance(path, SKELETON)
