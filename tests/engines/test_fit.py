"""A card that cannot be this network's is refused before the first picture."""
import pytest

from wholebody.card import Head, InputSpec, ModelCard, TensorRef
from wholebody.engines.engine import TensorInfo
from wholebody.engines.fit import check_fit
from wholebody.errors import CardError
from wholebody.skeletons import get_skeleton

HEAD = Head("paf", (("heatmaps", TensorRef("all", (0, 19))), ("pafs", TensorRef("all", (19, 57)))), stride=8)
CARD = ModelCard("net", InputSpec("image"), (HEAD,), get_skeleton("COCO_18"))
INPUT = TensorInfo("image", ("N", 3, "H", "W"), "float32")
OUTPUT = TensorInfo("all", ("N", 57, "h", "w"), "float32")


@pytest.mark.parametrize("outputs", [(OUTPUT,), (OUTPUT._replace(shape=(None, None, None, None)),), (
    TensorInfo("more", (1, 2), "float32"), OUTPUT), (OUTPUT._replace(shape=()),)],
    ids=["declared", "unknown sizes", "more outputs", "unknown dimensions"])
def test_a_card_that_fits_is_let_pass(outputs):
    check_fit(CARD, (INPUT,), outputs, "net.onnx")


def with_refs(heatmaps, pafs):
    return CARD._replace(heads=(HEAD._replace(outputs=(("heatmaps", heatmaps), ("pafs", pafs))),))


MISFITS = [
    ("another input", {"inputs": (INPUT._replace(name="data"),)}, "feeds one input 'image'"),
    ("two inputs", {"inputs": (INPUT, INPUT._replace(name="size"))}, "feeds one input 'image'"),
    ("a uint8 input", {"inputs": (INPUT._replace(dtype="uint8"),)}, "makes a float32 input"),
    ("a float32 input for pixels", {"card": CARD._replace(input=InputSpec("image", dtype="uint8"))},
     "makes a uint8 input"),
    ("NHWC", {"inputs": (INPUT._replace(shape=(1, 224, 224, 3)),)}, "an input of [1, 3, ?, ?]"),
    ("three dimensions", {"inputs": (INPUT._replace(shape=(3, 224, 224)),)}, "an input of [1, 3, ?, ?]"),
    ("a fixed size", {"inputs": (INPUT._replace(shape=(1, 3, 224, 224)),)}, "may have any size"),
    ("another output", {"outputs": (OUTPUT._replace(name="maps"),)}, "reads heatmaps from output 'all'"),
    ("fewer channels", {"outputs": (OUTPUT._replace(shape=("N", 38, "h", "w")),)},
     "reads pafs from output 'all', channels 19 to 57"),
    ("heat maps of another set", {"card": with_refs(TensorRef("all", (0, 26)), TensorRef("all", (19, 57)))},
     "reads heatmaps from output 'all': expected 19 or 18 channels, got 26"),
    ("all channels for the fields", {"card": with_refs(TensorRef("all", (0, 19)), TensorRef("all"))},
     "reads pafs from output 'all': expected 38 channels, got 57"),
    ("heat maps and fields swapped", {"card": with_refs(TensorRef("all", (19, 57)), TensorRef("all", (0, 19)))},
     "reads heatmaps from output 'all': expected 19 or 18 channels, got 38"),
    ("a size of its own", {"card": CARD._replace(input=InputSpec("image", size=(256, 192))),
                           "inputs": (INPUT._replace(shape=(1, 3, 192, 256)),)}, "an input of [1, 3, 256, 192]"),
    ("one side fixed", {"inputs": (INPUT._replace(shape=("N", 3, 368, "W")),)}, "may have any size"),
    ("no outputs", {"outputs": ()}, "the network has: none"),
]


@pytest.mark.parametrize("change, message", [case[1:] for case in MISFITS], ids=[case[0] for case in MISFITS])
def test_a_misfit_is_named_with_what_the_network_has(change, message):
    with pytest.raises(CardError) as caught:
        check_fit(change.get("card", CARD), change.get("inputs", (INPUT,)), change.get("outputs", (OUTPUT,)),
                  "net.onnx")
    assert message in str(caught.value)
    assert "the network has: " in str(caught.value)
    assert "wb-export card net.onnx" in str(caught.value)


BATCHES = [
    ("net.onnx", "net.pth", "wb-export onnx net.pth -o net.onnx --batch 1 --overwrite"),
    ("net.onnx", "", "export it again for one picture, or for any number"),
    ("net.engine", "net.pth", "wb-export build MODEL -o net.engine --overwrite")]


@pytest.mark.parametrize("where, source, says", BATCHES, ids=["a checkpoint's", "a foreign file", "an engine"])
def test_a_fixed_number_of_pictures_is_refused_with_the_way_to_one(where, source, says):
    with pytest.raises(CardError) as caught:
        check_fit(CARD._replace(source=source), (INPUT._replace(shape=(4, 3, "H", "W")),), (OUTPUT,), where)
    assert str(caught.value).startswith(where + " takes 4 pictures at once, and frames are given one at a time; ")
    assert str(caught.value).endswith(says)
