"""Cards: what they say, and what they may not say."""
import json

import pytest

from wholebody.card import CropRule, card_from_json, card_to_json
from wholebody.errors import CardError
from wholebody.skeletons import get_skeleton

GOOD = {
    "name": "net", "skeleton": "COCO_18", "licence": "MIT", "decoding": {"nms_threshold": 0.1},
    "input": {"name": "image", "color": "rgb", "scale": 0.5, "mean": [1, 2, 3], "std": [4, 5, 6], "size": [256, 192],
              "pad_value": [128, 128, 128], "padding": "centre", "resize": "fit", "layout": "NHWC"},
    "heads": [{"kind": "paf", "stride": 8,
               "outputs": {"heatmaps": {"output": "all", "channels": [0, 19]},
                           "pafs": {"output": "all", "channels": [19, 57]}}}],
}


def changed(**changes):
    return json.dumps(dict(GOOD, **changes))


def with_input(**changes):
    return changed(input=dict(GOOD["input"], **changes))


def with_head(**changes):
    return changed(heads=[dict(GOOD["heads"][0], **changes)])


def test_a_card_survives_the_way_through_json():
    card = card_from_json(json.dumps(GOOD))
    assert card_from_json(card_to_json(card)) == card
    assert card_to_json(card) == card_to_json(card_from_json(card_to_json(card)))
    assert card.skeleton == get_skeleton("COCO_18")
    assert card.input.size == (256, 192)
    assert card.head("paf").output("pafs").channels == (19, 57)


def test_a_skeleton_of_ones_own_travels_whole():
    own = {"name": "STICK", "keypoints": ["a", "b"], "paf": {"pairs": [[0, 1]]}}
    card = card_from_json(changed(skeleton=own))
    assert card.skeleton.keypoints == ("a", "b")
    assert json.loads(card_to_json(card))["skeleton"]["keypoints"] == ["a", "b"]
    assert card_from_json(card_to_json(card)) == card


def test_a_skeleton_in_a_file_lies_beside_the_card_and_travels_whole(tmp_path):
    (tmp_path / "mine.json").write_text('{"name": "STICK", "keypoints": ["a", "b"]}')
    card = card_from_json(changed(skeleton="mine.json"), folder=tmp_path)
    assert card.skeleton.keypoints == ("a", "b")
    assert card_from_json(card_to_json(card)) == card, "no folder is needed any more"
    with pytest.raises(CardError, match="cannot read skeleton .*yours.json"):
        card_from_json(changed(skeleton="yours.json"), folder=tmp_path)


def test_a_set_of_ours_that_somebody_changed_travels_whole():
    skeleton = get_skeleton("COCO_18")._replace(draw_scales=(2.0,) * 18)
    card = card_from_json(json.dumps(GOOD))._replace(skeleton=skeleton)
    assert card_from_json(card_to_json(card)).skeleton == skeleton


def test_a_head_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(CardError, match="net has no boxes head; it has: paf"):
        card_from_json(json.dumps(GOOD)).head("boxes")


def test_a_crop_survives_the_way_through_json_and_may_say_little():
    crop = {"kind": "hand", "scale": 0.9, "shift": [0.1, -0.2], "turned": True, "mirrored": True, "least_side": 5,
            "again": 1.6}
    card = card_from_json(with_input(crop=crop))
    assert card.input.crop == CropRule("hand", 0.9, (0.1, -0.2), True, True, 5, 1.6)
    assert card_from_json(card_to_json(card)) == card
    assert card_from_json(with_input(crop={"kind": "face"})).input.crop == CropRule("face")
    assert card_from_json(json.dumps(GOOD)).input.crop is None


BAD = [
    ("a crop of a foot", with_input(crop={"kind": "foot"}), "input: crop: `kind` is one of face, hand, got \"foot\""),
    ("a crop without a kind", with_input(crop={"scale": 1}), "crop: `kind` is missing"),
    ("a crop that is text", with_input(crop="face"), "crop: expected a JSON object, got str"),
    ("a crop of no size", with_input(crop={"kind": "face", "scale": 0}), "crop: `scale` must not be 0"),
    ("a crop of years", with_input(crop={"kind": "face", "again": 10 ** 9}), "`again` is a number from 0 to 16"),
    ("a crop moved along one axis", with_input(crop={"kind": "face", "shift": [1]}), "`shift` is two numbers from -16"),
    ("a crop moved far", with_input(crop={"kind": "face", "shift": [1, 1e9]}), "`shift` is two numbers from -16"),
    ("a crop that is perhaps turned", with_input(crop={"kind": "face", "turned": 1}), "`turned` is true or false"),
    ("a crop with more", with_input(crop={"kind": "face", "angle": 1}), "crop: unknown fields: angle"),
    ("an enlarged map without a stride", changed(heads=[{"kind": "heatmap", "format": "bicubic", "outputs": {
        "heatmaps": {}}}]), "a bicubic head needs its `stride`"),
    ("an enlarged map of a large stride", changed(heads=[{"kind": "heatmap", "format": "bicubic", "stride": 17,
                                                         "outputs": {"heatmaps": {}}}]), "a `stride` up to 16"),
    ("no JSON", "{", "not valid JSON"),
    ("a list", "[]", "expected a JSON object, got list"),
    ("no name", json.dumps({k: v for k, v in GOOD.items() if k != "name"}), "`name` is missing"),
    ("a newer version", changed(wholebody_card=99), "expected wholebody_card 1, got 99; update wholebody"),
    ("unknown field", changed(colour="red"), "unknown fields: colour"),
    ("unknown skeleton", changed(skeleton="BODY_26"), "unknown skeleton 'BODY_26'"),
    ("malformed skeleton", changed(skeleton={"name": "X"}), "expected `keypoints`"),
    ("no heads", changed(heads=[]), "expected at least one head"),
    ("heads no list", changed(heads={}), "`heads` is a list"),
    ("input no object", changed(input=[]), "`input` is an object"),
    ("unknown colour order", with_input(color="hsv"), "`color` is one of bgr, rgb, got \"hsv\""),
    ("unknown layout", with_input(layout="CHW"), "`layout` is one of NCHW, NHWC"),
    ("a scale that is text", with_input(scale="1/256"), "`scale` is a number"),
    ("a scale that is NaN", with_input(scale=float("nan")), "`scale` is a number"),
    ("two means", with_input(mean=[1, 2]), "`mean` is three numbers"),
    ("a std of 0", with_input(std=[1, 0, 1]), "`std` must not be 0"),
    ("a size of one number", with_input(size=[256]), "`size` is [height, width] or null"),
    ("a size of 0", with_input(size=[0, 10]), "`size` is [height, width] or null"),
    ("a height of 0", with_input(height=0), "`height` is a whole number from 1 to 16384"),
    ("a height of years", with_input(height=10 ** 12), "`height` is a whole number from 1 to 16384"),
    ("a size of years", with_input(size=[10, 10 ** 9]), "`size` is [height, width] or null"),
    ("a scale no float can hold", with_input(scale=10 ** 400), "`scale` is a number"),
    ("a mean that is none", with_input(mean=[1, 2, float("nan")]), "`mean` is three numbers"),
    ("unknown input field", with_input(kind="float16"), "input: unknown fields: kind"),
    ("unknown type of input", with_input(dtype="float16"), "input: `dtype` is one of float32, uint8, got \"float16\""),
    ("pixels and a scale", with_input(dtype="uint8", scale=0.5), "a uint8 input takes pixels as they are"),
    ("unknown head", with_head(kind="magic"), "`kind` is one of paf, heatmap"),
    ("a paf head without pafs", with_head(outputs={"heatmaps": {}}), "has outputs heatmaps, pafs; got heatmaps"),
    ("a paf head without stride", with_head(stride=0), "a paf head needs its `stride`"),
    ("channels backwards", with_head(outputs={"heatmaps": {"channels": [5, 2]}, "pafs": {}}), "`channels` is"),
    ("a format on a paf head", with_head(format="yolox"), "`format` is null"),
    ("keypoints past the skeleton", with_head(keypoints=[0, 19]), "`keypoints` ends at 19, the skeleton has 18"),
    ("a threshold of text", changed(decoding={"nms_threshold": "low"}), "`decoding` is an object of numbers"),
    ("a threshold that is none", changed(decoding={"nms_threshold": None}), "`decoding` is an object of numbers"),
    ("an endless threshold", changed(decoding={"nms_threshold": float("inf")}), "`decoding` is an object of numbers"),
    ("decoding as a list", changed(decoding=[]), "`decoding` is an object of numbers"),
    ("no heads", changed(heads=[]), "expected at least one head"),
    ("brackets without end", "[" * 100000, "not valid JSON"),
    ("a file of a skeleton that is not there", changed(skeleton="mine.json"),
     "expected the skeleton itself or its name, got the file 'mine.json'"),
    ("a malformed skeleton", changed(skeleton={"name": "X"}), "expected `keypoints`"),
    ("an unknown field of an output", with_head(outputs={"heatmaps": {"name": "a"}, "pafs": {}}),
     "outputs.heatmaps: unknown fields: name"),
    ("heads of text", changed(heads=["paf"]), "expected a JSON object, got str"),
]


@pytest.mark.parametrize("text, message", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_malformed_card_is_refused_in_one_line(text, message):
    with pytest.raises(CardError) as caught:
        card_from_json(text, where="my.json")
    assert message in str(caught.value)
    assert "my.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def leaves(value, path=()):
    """Every place in a JSON value, itself first."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for place in leaves(inner, path + (key,)):
            yield place


NONSENSE = [None, True, "", "x", -1, 0, 3.5, 10 ** 400, float("nan"), [], [[]], {}, {"": None}]


@pytest.mark.parametrize("path", list(leaves(GOOD)), ids=lambda path: ".".join(str(p) for p in path) or "all")
def test_whatever_stands_in_a_field_gives_a_card_that_lasts_or_one_line(path):
    for value in NONSENSE:
        data = json.loads(json.dumps(GOOD))
        place = {"card": data}
        for step in ("card",) + path[:-1] if path else ():
            place = place[step]
        place[path[-1] if path else "card"] = value
        text = json.dumps(data if path else place["card"])
        try:
            card = card_from_json(text, where="my.json")
        except CardError as error:
            assert str(error).startswith("my.json")
            assert "\n" not in str(error)
        else:
            assert card_from_json(card_to_json(card)) == card
