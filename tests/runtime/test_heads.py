"""Outputs of a network become the maps that its card says they are."""
import numpy as np
import pytest

from wholebody.card import Head, InputSpec, ModelCard, TensorRef
from wholebody.errors import CardError
from wholebody.runtime.heads import PafHead, channels_first
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_18")
WIDTH, HEIGHT, STRIDE = 48, 32, 8  # maps of 6 x 4 cells
BOTH = (TensorRef("all", (0, 19)), TensorRef("all", (19, 57)))
EACH = (TensorRef("heat"), TensorRef("paf"))


def card(refs=EACH, layout="NCHW", skeleton=SKELETON, stride=STRIDE):
    head = Head("paf", (("heatmaps", refs[0]), ("pafs", refs[1])), stride=stride, layout=layout)
    return ModelCard("net", InputSpec("image"), (head,), skeleton)


def maps(channels, layout="NCHW", cells=(4, 6)):
    """Map c holds c everywhere, and 100 at row 1, column 2."""
    array = np.zeros((1, channels) + cells, np.float32) + np.arange(channels, dtype=np.float32)[None, :, None, None]
    array[:, :, 1, 2] = 100
    return array if layout == "NCHW" else np.ascontiguousarray(array.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("refs", [EACH, BOTH], ids=["an output each", "one output of both"])
def test_heat_maps_and_fields_are_cut_out(refs, layout):
    outputs = ({"heat": maps(19, layout), "paf": maps(38, layout)} if refs is EACH else {"all": maps(57, layout)})
    heatmaps, pafs = PafHead(card(refs, layout))(outputs, WIDTH, HEIGHT)
    assert heatmaps.shape == (19, 4, 6)
    assert pafs.shape == (38, 4, 6)
    assert heatmaps[:, 0, 0].tolist() == list(range(19))
    assert pafs[0, 0, 0] == (0 if refs is EACH else 19)
    assert (heatmaps[:, 1, 2] == 100).all()
    assert heatmaps.base is not None, "a view, not a copy"


def test_a_network_that_leaves_the_background_out_is_taken():
    heatmaps, _ = PafHead(card())({"heat": maps(18), "paf": maps(38)}, WIDTH, HEIGHT)
    assert len(heatmaps) == 18


WRONG = [
    ("an output that is missing", {"heat": maps(19)}, "reads pafs from output 'paf'; the network has: heat"),
    ("three dimensions", {"heat": maps(19)[0], "paf": maps(38)}, "expected 4 dimensions (NCHW), got shape (19, 4, 6)"),
    ("other channels", {"heat": maps(26), "paf": maps(38)}, "heatmaps: expected (19, 4, 6) for COCO_18 at stride 8"),
    ("other fields", {"heat": maps(19), "paf": maps(52)}, "pafs: expected (38, 4, 6)"),
    ("another stride", {"heat": maps(19, cells=(8, 12)), "paf": maps(38, cells=(8, 12))}, "got (19, 8, 12)"),
    ("another layout", {"heat": maps(19, "NHWC"), "paf": maps(38, "NHWC")}, "got (4, 6, 19)"),
    ("sizes that differ", {"heat": maps(19), "paf": maps(38, cells=(4, 5))}, "got (38, 4, 5)"),
]


@pytest.mark.parametrize("outputs, message", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_maps_of_another_network_are_refused_in_one_line(outputs, message):
    with pytest.raises(CardError) as caught:
        PafHead(card())(outputs, WIDTH, HEIGHT)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_size_of_picture_is_checked_again():
    head = PafHead(card())
    outputs = {"heat": maps(19), "paf": maps(38)}
    head(outputs, WIDTH, HEIGHT)
    with pytest.raises(CardError, match="input 96x32"):
        head(outputs, 96, HEIGHT)


@pytest.mark.parametrize("skeleton, message", [(None, "needs a skeleton"), (get_skeleton("COCO_17"), "has no limbs")],
                         ids=["none", "without limbs"])
def test_a_paf_head_needs_a_set_with_limbs(skeleton, message):
    with pytest.raises(CardError, match=message):
        PafHead(card(skeleton=skeleton))


def test_channels_first_is_a_view():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert channels_first(array, "NCHW") is array
    assert channels_first(array, "NHWC").shape == (4, 2, 3)
    assert np.shares_memory(channels_first(array, "NHWC"), array)
