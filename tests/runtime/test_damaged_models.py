"""A model file that was damaged on its way is one line, and never a crash, a hang or another exception."""
import numpy as np
import onnx_bytes
import pytest

from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card
from wholebody.errors import CardError, ModelError
from wholebody.runtime.estimator import open_estimator

pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
WHOLE = with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD))


def outcome(tmp_path, data):
    """What opening and running gives: the number of people, or the class of the refusal."""
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    try:
        with open_estimator(str(path), decoder="numpy") as estimate:
            return len(estimate(np.zeros((64, 112, 3), np.uint8)))
    except (CardError, ModelError) as error:
        assert "net.onnx" in str(error) or "stick" in str(error)
        assert "\n" not in str(error)
        return type(error)


def test_the_whole_file_runs(tmp_path):
    assert outcome(tmp_path, WHOLE) == 0


def test_a_file_cut_anywhere_is_refused(tmp_path):
    lengths = sorted(set(range(0, len(WHOLE), 61)) | set(range(64)) | set(range(len(WHOLE) - 64, len(WHOLE))))
    outcomes = {length: outcome(tmp_path, WHOLE[:length]) for length in lengths}
    assert {length for length, was in outcomes.items() if was not in (CardError, ModelError)} == set()


@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_wrong_bytes_runs_or_is_refused(tmp_path, seed):
    random = np.random.RandomState(seed)
    refused = 0
    for _ in range(150):
        data = bytearray(WHOLE)
        for position in random.randint(0, len(data), size=3):
            data[position] = random.randint(256)
        refused += outcome(tmp_path, bytes(data)) in (CardError, ModelError)
    assert refused > 30


@pytest.mark.parametrize("old, new", [(b"heatmaps", b"\xff\xfe\xfdtmaps"), (b"image", b"im\xd2ge")],
                         ids=["an output", "the input"])
def test_names_that_are_no_text_are_refused_in_one_line(tmp_path, capsys, old, new):
    assert outcome(tmp_path, WHOLE.replace(old, new)) in (CardError, ModelError)
    assert capsys.readouterr().out == "", "nothing of it on stdout, which may be JSON for a machine"
