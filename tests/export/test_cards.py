"""wb-export card: a foreign file gets a card that fits it, or hears which would."""
import json
import pathlib
from typing import Any

import onnx_bytes
import pytest

from wholebody.card import CropRule, card_from_json, card_to_json
from wholebody.cli.export import main
from wholebody.engines.onnxfile import card_of, parse_onnx
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import CardError
from wholebody.export.cards import give_card
from wholebody.export.presets import load_preset, preset_names

WEIGHTS = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "assets" / "weights"
FOREIGN = [  # file, preset, what the card then says
    ("human-pose-estimation-0001.fp32.onnx", "omz-human-pose", ("data", None, "heatmaps", None)),
    ("human-pose-estimation-0001.int8-qdq.onnx", "omz-human-pose", ("data", None, "heatmaps", None)),
    ("tfpose_mnv2small_coco18.onnx", "tf-pose", ("image:0", None, "Openpose/concat_stage7:0", (0, 19))),
    ("ultralight_simplepose_coco17.onnx", "simplepose", ("data", (256, 192), "hybridsequential0_conv7_fwd", None)),
    ("yolox_nano.onnx", "yolox", ("images", (416, 416), "output", None)),
    ("rtmdet-nano.onnx", "rtmdet", ("images", (320, 320), "1211", None)),
    ("pfld.onnx", "pfld", ("input", (112, 112), "output", None)),
    ("hand_landmark_full.onnx", "mediapipe-hand", ("input_1", (224, 224), "Identity", None)),
]
MISFITS = [
    ("human-pose-estimation-0001.fp32.onnx", "openpose-body25", "lightweight-openpose, omz-human-pose, openpose-coco"),
    ("yolox_nano.onnx", "omz-human-pose", "presets whose shapes fit: yolox"),
    ("tfpose_mnv2small_coco18.onnx", "omz-human-pose", "presets whose shapes fit: tf-pose"),
    ("pfld.onnx", "yolox", "presets whose shapes fit: pfld"),
]


def foreign(name: str) -> str:
    if not WEIGHTS.is_dir():
        pytest.skip("needs the networks of ../shared/assets, which is missing")
    return str(WEIGHTS / name)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_card_and_names_itself(name: str) -> None:
    assert load_preset(name).name == name


@pytest.mark.parametrize(("name", "preset", "says"), FOREIGN, ids=[case[0] for case in FOREIGN])
def test_a_well_known_network_takes_its_preset(tmp_path: pathlib.Path, name: str, preset: str, says: tuple) -> None:
    card = give_card(foreign(name), preset, str(tmp_path / "out.onnx"))
    ref = card.heads[0].outputs[0][1]
    assert (card.input.name, card.input.size, ref.output, ref.channels) == says
    assert card.source == name
    assert len(card.weights_sha256) == 64
    data = (tmp_path / "out.onnx").read_bytes()
    assert card_of(parse_onnx(data, "out.onnx"), "out.onnx") == card


@pytest.mark.parametrize(("name", "preset", "hint"), MISFITS, ids=[f"{n} {p}" for n, p, _ in MISFITS])
def test_a_preset_that_does_not_fit_is_refused_and_those_that_do_are_named(
        tmp_path: pathlib.Path, name: str, preset: str, hint: str) -> None:
    with pytest.raises(CardError) as caught:
        give_card(foreign(name), preset, str(tmp_path / "out.onnx"))
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.onnx").exists()


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(onnx_bytes.stick_net())
    (tmp_path / "card.json").write_text(onnx_bytes.STICK_CARD)
    return tmp_path


def test_a_card_of_ones_own_goes_in_and_is_shown(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "net.onnx", "--preset", "card.json", "-o", "out.onnx"]) == 0
    assert "Next: wb-run --engine out.onnx" in capsys.readouterr().out
    assert main(["card", "out.onnx", "--json"]) == 0
    card = card_from_json(capsys.readouterr().out)
    assert card.skeleton is not None
    assert card.skeleton.name == "STICK"
    assert main(["card", "out.onnx"]) == 0
    assert "STICK, paf at stride 8, BGR NCHW any size, height 64" in capsys.readouterr().out


def test_names_that_the_card_leaves_out_are_found_by_channels(place: pathlib.Path) -> None:
    card = json.loads(onnx_bytes.STICK_CARD)
    card["input"].pop("name")
    card["heads"][0]["outputs"] = {"heatmaps": {}, "pafs": {}}
    (place / "card.json").write_text(json.dumps(card))
    fitted = give_card("net.onnx", "card.json", "out.onnx")
    assert fitted.input.name == "image"
    assert [ref.output for _, ref in fitted.heads[0].outputs] == ["heatmaps", "pafs"]


def test_one_output_that_holds_both_is_cut(place: pathlib.Path) -> None:
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    model = onnx.load("net.onnx")
    model.graph.node.pop()
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("all", 1, ["N", 7, "h", "w"]))
    onnx.save(model, "one.onnx")
    card = json.loads(onnx_bytes.STICK_CARD)
    card["heads"][0]["outputs"] = {"heatmaps": {}, "pafs": {}}
    (place / "card.json").write_text(json.dumps(card))
    fitted = give_card("one.onnx", "card.json", "out.onnx")
    assert [(ref.output, ref.channels) for _, ref in fitted.heads[0].outputs] == [("all", (0, 3)), ("all", (3, 7))]


def test_of_several_stages_the_last_counts(place: pathlib.Path) -> None:
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    model = onnx.load("net.onnx")
    for name, count in (("heatmaps", 3), ("pafs", 4)):
        model.graph.node.append(onnx.helper.make_node("Relu", [name], [name + "_2"]))
        model.graph.output.append(onnx.helper.make_tensor_value_info(name + "_2", 1, ["N", count, "h", "w"]))
    onnx.save(model, "two.onnx")
    card = json.loads(onnx_bytes.STICK_CARD)
    card["heads"][0]["outputs"] = {"heatmaps": {}, "pafs": {}}
    (place / "card.json").write_text(json.dumps(card))
    fitted = give_card("two.onnx", "card.json", "out.onnx")
    assert [ref.output for _, ref in fitted.heads[0].outputs] == ["heatmaps_2", "pafs_2"]


def test_weights_beside_the_file_stay_beside_it(place: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    (place / "model").mkdir()
    onnx.save(onnx.load("net.onnx"), "model/net.onnx", save_as_external_data=True, location="weights.bin",
              size_threshold=100)
    assert main(["card", "model/net.onnx", "--preset", "card.json", "-o", "out.onnx"]) == 1
    assert "keeps weights in files beside it; write the copy into the same folder" in capsys.readouterr().err
    card = give_card("model/net.onnx", "card.json", "model/out.onnx")
    with OnnxRuntimeEngine("model/out.onnx") as engine:
        assert engine.card == card
    weights = (place / "model" / "weights.bin").read_bytes()
    (place / "model" / "weights.bin").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    other = give_card("model/net.onnx", "card.json", "model/other.onnx")
    assert other.weights_sha256 != card.weights_sha256
    (place / "model" / "weights.bin").unlink()
    assert main(["card", "model/net.onnx", "--preset", "card.json", "-o", "model/third.onnx"]) == 1
    said = capsys.readouterr().err
    assert "weights.bin" in said
    assert said.count("\n") == 1


CARDS = [  # what somebody's own card says that this network cannot be
    ("heat maps and fields swapped", ["heads", 0, "outputs"], {"heatmaps": {"output": "pafs"},
                                                               "pafs": {"output": "heatmaps"}}, "output 'pafs'"),
    ("an output that is not there", ["heads", 0, "outputs", "pafs", "output"], "fields", "output 'fields'"),
    ("too few channels", ["heads", 0, "outputs", "heatmaps", "channels"], [0, 2], "channels 0 to 2"),
    ("more channels than there are", ["heads", 0, "outputs", "heatmaps", "channels"], [1, 4], "channels 1 to 4"),
    ("another stride", ["heads", 0, "stride"], 4, "at stride 4, that is NCHW 32x48"),
    ("another layout", ["input", "layout"], "NHWC", "expected 3 channels in layout NHWC"),
    ("another input", ["input", "name"], "data", "expected one input 'data'"),
    ("a set without limbs", ["skeleton"], "COCO_17", "COCO_17 has no limbs"),
    ("no set", ["skeleton"], None, "needs a skeleton"),
    ("an unknown threshold", ["decoding"], {"nms": 1}, "unknown thresholds in the card's decoding: nms"),
    ("a threshold out of range", ["decoding"], {"paf_ratio": 2}, "paf_ratio: expected at least 0 and below 1"),
]


@pytest.mark.parametrize(("where", "value", "message"), [c[1:] for c in CARDS], ids=[c[0] for c in CARDS])
def test_a_card_that_the_network_cannot_have_is_refused(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                        where: list, value: object, message: str) -> None:
    card = json.loads(onnx_bytes.STICK_CARD)
    place_of_it = card
    for step in where[:-1]:
        place_of_it = place_of_it[step]
    place_of_it[where[-1]] = value
    (place / "card.json").write_text(json.dumps(card))
    assert main(["card", "net.onnx", "--preset", "card.json", "-o", "out.onnx"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (place / "out.onnx").exists()


@pytest.mark.parametrize("old", ["{", '{"wholebody_card": 99}', "[" * 100000], ids=["damaged", "newer", "deep"])
def test_a_card_that_cannot_be_read_is_replaced(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                old: str) -> None:
    (place / "old.onnx").write_bytes(onnx_bytes.stick_net(metadata=[("wholebody.card", old)]))
    assert main(["card", "old.onnx"]) == 1
    assert "give it a new one: wb-export card old.onnx --preset NAME -o OUT.onnx" in capsys.readouterr().err
    assert main(["card", "old.onnx", "--preset", "card.json", "-o", "new.onnx"]) == 0
    assert main(["card", "new.onnx"]) == 0


@pytest.mark.parametrize("head, said", [
    pytest.param({"kind": "heatmap", "stride": 8, "outputs": {"heatmaps": {}}},
                 "Next: wb-run --engine out.onnx --detector DETECTOR.onnx", id="crops want a detector"),
    pytest.param({"kind": "embedding", "outputs": {"embedding": {"output": "heatmaps"}}},
                 "wb-run does not take it: no head of it finds people (it has: embedding)",
                 id="embeddings are not sent there")])
def test_the_next_command_is_one_that_takes_the_network(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                        head: Any, said: str) -> None:
    card = json.loads(onnx_bytes.STICK_CARD)
    card["heads"] = [head]
    (place / "card.json").write_text(json.dumps(card))
    assert main(["card", "net.onnx", "--preset", "card.json", "-o", "out.onnx"]) == 0
    assert said in capsys.readouterr().out


def test_the_same_card_gives_the_same_bytes(place: pathlib.Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        give_card("net.onnx", "card.json", name)
    assert (place / "a.onnx").read_bytes() == (place / "b.onnx").read_bytes()


def test_an_existing_file_is_replaced_with_overwrite_only(place: pathlib.Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "net.onnx").read_bytes()
    words = ["card", "net.onnx", "--preset", "card.json", "-o", "net.onnx"]
    assert main(words) == 1
    assert "net.onnx exists; add --overwrite" in capsys.readouterr().err
    assert (place / "net.onnx").read_bytes() == before
    assert main([*words, "--overwrite"]) == 0
    assert main(["card", "net.onnx"]) == 0


def test_maps_with_channels_last_are_found(place: pathlib.Path) -> None:
    """A network in the layout of TensorFlow: NHWC in, one NHWC output of heat maps and fields."""
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    model = onnx.load("net.onnx")
    graph = model.graph
    graph.node.pop()
    del graph.output[:], graph.input[:]
    graph.node.insert(0, onnx.helper.make_node("Transpose", ["picture"], ["image"], perm=[0, 3, 1, 2]))
    graph.node.append(onnx.helper.make_node("Transpose", ["all"], ["maps"], perm=[0, 2, 3, 1]))
    graph.input.append(onnx.helper.make_tensor_value_info("picture", 1, ["N", "H", "W", 3]))
    graph.output.append(onnx.helper.make_tensor_value_info("maps", 1, ["N", "h", "w", 7]))
    onnx.save(model, "nhwc.onnx")
    card = json.loads(onnx_bytes.STICK_CARD)
    card["input"] = {"layout": "NHWC", "scale": 1 / 255, "height": 64}
    card["heads"][0].update(layout="NHWC", outputs={"heatmaps": {}, "pafs": {}})
    (place / "card.json").write_text(json.dumps(card))
    fitted = give_card("nhwc.onnx", "card.json", "out.onnx")
    assert (fitted.input.name, fitted.input.layout) == ("picture", "NHWC")
    assert [(ref.output, ref.channels) for _, ref in fitted.heads[0].outputs] == [("maps", (0, 3)), ("maps", (3, 7))]


def test_weights_that_old_files_list_as_inputs_are_no_inputs(place: pathlib.Path) -> None:
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    model = onnx.load("net.onnx")
    model.ir_version = 3
    for weights in model.graph.initializer:
        model.graph.input.append(onnx.helper.make_tensor_value_info(weights.name, weights.data_type, weights.dims))
    onnx.save(model, "old.onnx")
    assert give_card("old.onnx", "card.json", "out.onnx").input.name == "image"


def test_an_input_that_is_not_float32_is_refused(place: pathlib.Path) -> None:
    onnx = pytest.importorskip("onnx", reason="makes a network: pip install '.[export]'")
    model = onnx.load("net.onnx")
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["bytes"], ["image"], to=1))
    del model.graph.input[:]
    model.graph.input.append(onnx.helper.make_tensor_value_info("bytes", 2, ["N", 3, "H", "W"]))
    onnx.save(model, "bytes.onnx")
    card = json.loads(onnx_bytes.STICK_CARD)
    card["input"].pop("name")
    (place / "card.json").write_text(json.dumps(card))
    with pytest.raises(CardError, match=r"expected a float32 input, got bytes \[N, 3, H, W\] uint8"):
        give_card("bytes.onnx", "card.json", "out.onnx")


USAGE = [
    (["card"], "expected MODEL.onnx, or --list"), (["card", "net.onnx", "-o", "x.onnx"], "-o needs --preset NAME"),
    (["card", "net.onnx", "--preset", "card.json"], "--preset needs -o OUT.onnx"),
    (["card", "net.onnx", "--prest", "x"], "did you mean --preset?"), (["crad"], "crad"),
]


@pytest.mark.parametrize(("words", "message"), USAGE, ids=[" ".join(words) for words, _ in USAGE])
def test_words_that_make_no_command_exit_with_2(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                words: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


RUN_ERRORS = [
    ("no such model", ["nte.onnx", "--preset", "card.json"], "cannot read model nte.onnx"),
    ("no such preset", ["net.onnx", "--preset", "opnpose"], "unknown preset 'opnpose'; did you mean openpose-"),
    ("a preset misspelt", ["net.onnx", "--preset", "yolx"], "unknown preset 'yolx'; did you mean yolox? known: "),
    ("no such card", ["net.onnx", "--preset", "my.json"], "cannot read card my.json"),
    ("a card of other bytes", ["net.onnx", "--preset", "bytes.json"], "cannot read card bytes.json: 'utf-8' codec"),
    ("a card that is none", ["net.onnx", "--preset", "bad.json"], "bad.json: not valid JSON"),
    ("the output exists", ["net.onnx", "--preset", "card.json", "-o", "card.json"], "card.json exists; add"),
    ("no folder for it", ["net.onnx", "--preset", "card.json", "-o", "no/out.onnx"], "no/out.onnx"),
    ("a model cut short", ["cut.onnx", "--preset", "card.json"], "cut.onnx is not a readable ONNX file"),
    ("no model at all", ["bad.json", "--preset", "card.json"], "bad.json is not a readable ONNX file"),
]


@pytest.mark.parametrize(("words", "message"), [c[1:] for c in RUN_ERRORS], ids=[c[0] for c in RUN_ERRORS])
def test_what_is_wrong_is_said_in_one_line(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                           words: list[str], message: str) -> None:
    (place / "bad.json").write_text("{")
    (place / "bytes.json").write_bytes(b"\xff\xfe")
    (place / "cut.onnx").write_bytes((place / "net.onnx").read_bytes()[:2000])
    before = sorted(path.name for path in place.iterdir())
    assert main(["card", *words, *([] if "-o" in words else ["-o", "out.onnx"])]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize("kind, flag", [("face", "--face"), ("hand", "--hands")])
def test_a_network_for_a_part_goes_beside_one_for_bodies(place: pathlib.Path, capsys: pytest.CaptureFixture[str],
                                                         kind: str, flag: str) -> None:
    card = json.loads(onnx_bytes.STICK_CARD)
    card["heads"] = [{"kind": "heatmap", "stride": 8, "format": "bicubic", "outputs": {"heatmaps": {}}}]
    card["input"]["crop"] = {"kind": kind}
    (place / "card.json").write_text(json.dumps(card))
    assert main(["card", "net.onnx", "--preset", "card.json", "-o", "out.onnx"]) == 0
    assert f"Next: wb-run --engine BODY.onnx {flag} out.onnx" in capsys.readouterr().out


@pytest.mark.parametrize("name, rule, head", [
    ("openpose-face", CropRule("face"), ("heatmap", "bicubic", 8)),
    ("openpose-hand", CropRule("hand", mirrored=True), ("heatmap", "bicubic", 8)),
    ("pfld", CropRule("face", scale=0.6), ("regression", "xy-unit", 0)),
    ("mediapipe-hand", CropRule("hand", scale=0.9, turned=True, again=1.6), ("regression", "xyz-pixels", 0)),
])
def test_presets_of_faces_and_hands_say_where_they_look(name: str, rule: CropRule, head: tuple[str, str, int]) -> None:
    card = load_preset(name)
    assert card.input.crop == rule
    assert (card.heads[0].kind, card.heads[0].format, card.heads[0].stride) == head
    assert card_from_json(card_to_json(card)) == card
