"""The outside of an ONNX file, read and edited without the onnx package."""
import numpy as np
import onnx_bytes
import pytest

from wholebody.card import METADATA_KEY, card_from_json
from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes, with_card
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import CardError, ModelError
from wholebody.protobuf import encode_bytes

CARD = card_from_json('{"name": "net", "skeleton": "COCO_18", "input": {"name": "image"}, "heads": [{"kind": "paf", '
                      '"stride": 8, "outputs": {"heatmaps": {"output": "heatmaps"}, "pafs": {"output": "pafs"}}}]}')


def test_inputs_outputs_opset_and_metadata_are_read():
    model = parse_onnx(onnx_bytes.paf_net(metadata=[("a", "b")]), "net.onnx")
    assert [str(i) for i in model.inputs] == ["image [N, 3, H, W] float32"]
    assert [str(o) for o in model.outputs] == ["heatmaps [N, 19, h, w] float32", "pafs [N, 38, h, w] float32"]
    assert (model.ir_version, model.opset, model.metadata, model.external_files) == (7, 13, {"a": "b"}, ())


def test_weights_that_old_files_list_as_inputs_are_none():
    w = onnx_bytes.weights("w", (1,), [1.0])
    add = onnx_bytes.node("Add", ["x", "w"], ["y"])
    data = onnx_bytes.model([add], [w], [("w", (1,)), ("x", ("N",))], [("y", ("N",))])
    assert [i.name for i in parse_onnx(data, "old.onnx").inputs] == ["x"]


def test_a_card_goes_in_is_replaced_and_the_network_stays_the_same(tmp_path):
    plain = onnx_bytes.paf_net(metadata=[("author", "me")])
    once = with_card(plain, CARD)
    twice = with_card(with_card(once, CARD._replace(notes="earlier")), CARD)
    assert twice == once
    model = parse_onnx(once, "net.onnx")
    assert card_of(model, "net.onnx") == CARD
    assert model.metadata["author"] == "me"
    assert graph_sha256(once) == graph_sha256(plain)
    picture = np.random.RandomState(0).rand(1, 3, 16, 24).astype(np.float32)
    answers = []
    for name, data in (("plain.onnx", plain), ("card.onnx", once)):
        (tmp_path / name).write_bytes(data)
        with OnnxRuntimeEngine(str(tmp_path / name)) as engine:
            assert (engine.card is None) == (name == "plain.onnx")
            answers.append(engine.infer({"image": picture}))
    np.testing.assert_array_equal(answers[0]["pafs"], answers[1]["pafs"])


def test_a_file_without_a_card_is_answered_with_the_command_that_gives_one():
    with pytest.raises(CardError, match="net.onnx has no card: .*wb-export card net.onnx --preset NAME -o OUT.onnx"):
        card_of(parse_onnx(onnx_bytes.paf_net(), "net.onnx"), "net.onnx")


def test_a_damaged_card_is_refused():
    data = onnx_bytes.paf_net(metadata=[(METADATA_KEY, "{")])
    with pytest.raises(CardError, match="net.onnx: card: not valid JSON"):
        card_of(parse_onnx(data, "net.onnx"), "net.onnx")


def test_a_truncated_file_is_refused_whatever_its_length():
    data = with_card(onnx_bytes.paf_net(), CARD)
    whole = parse_onnx(data, "net.onnx")
    for length in list(range(0, 200)) + list(range(200, len(data), 997)):
        try:
            parsed = parse_onnx(data[:length], "net.onnx")
        except ModelError as error:
            assert "net.onnx is not a readable ONNX file (%d bytes)" % length in str(error)
            assert "\n" not in str(error)
        else:  # cut between two fields: what is left is a whole file
            assert parsed.inputs == whole.inputs


def test_damaged_bytes_never_raise_anything_but_a_model_error():
    data = bytearray(with_card(onnx_bytes.paf_net(), CARD))
    random = np.random.RandomState(1)
    for _ in range(2000):
        hurt = bytearray(data)
        for position in random.randint(0, min(len(data), 4000), size=3):
            hurt[position] = random.randint(256)
        try:
            parse_onnx(bytes(hurt), "net.onnx")
        except ModelError as error:
            assert "\n" not in str(error)


def test_a_huge_declared_size_is_refused_at_once():
    with pytest.raises(ModelError, match="announces 4611686018427387904 bytes, 3 are left"):
        parse_onnx(b"\x3a" + b"\x80" * 8 + b"\x40" + b"abc", "huge.onnx")


@pytest.mark.parametrize("content, message", [(b"", "is empty"), (None, "cannot read model")], ids=["empty", "missing"])
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, message):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_bytes(path)


def net_with_weights_beside_it(folder):
    """y = x + w, where w lies in w.bin."""
    (folder / "w.bin").write_bytes(np.array([5], np.float32).tobytes())
    where = onnx_bytes.text(1, "location") + onnx_bytes.text(2, "w.bin")
    w = (onnx_bytes.number(1, 1) + onnx_bytes.number(2, onnx_bytes.FLOAT) + onnx_bytes.text(8, "w")
         + encode_bytes(13, where) + onnx_bytes.number(14, 1))
    add = onnx_bytes.node("Add", ["x", "w"], ["y"])
    (folder / "net.onnx").write_bytes(onnx_bytes.model([add], [w], [("x", ("N",))], [("y", ("N",))]))
    return folder / "net.onnx"


def test_weights_in_a_file_beside_it_are_found_from_anywhere(tmp_path, monkeypatch):
    path = net_with_weights_beside_it(tmp_path)
    assert parse_onnx(path.read_bytes(), "net.onnx").external_files == ("w.bin",)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with OnnxRuntimeEngine(str(path)) as engine:
        assert engine.infer({"x": np.array([2], np.float32)})["y"].tolist() == [7]


def test_weights_in_a_file_beside_it_count_in_the_hash(tmp_path):
    data = net_with_weights_beside_it(tmp_path).read_bytes()
    first = graph_sha256(data, [tmp_path / "w.bin"])
    (tmp_path / "w.bin").write_bytes(np.array([6], np.float32).tobytes())
    assert graph_sha256(data, [tmp_path / "w.bin"]) != first
    with pytest.raises(ModelError, match="cannot read weights .*v.bin: No such file"):
        graph_sha256(data, [tmp_path / "v.bin"])


def test_weights_that_are_not_beside_it_are_one_line(tmp_path):
    path = net_with_weights_beside_it(tmp_path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match="net.onnx") as caught:
        OnnxRuntimeEngine(str(path))
    assert "\n" not in str(caught.value)
