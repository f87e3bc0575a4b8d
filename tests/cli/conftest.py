"""A network, pictures with sticks in them, and a video, for the commands."""
import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card


@pytest.fixture
def cv2():
    return pytest.importorskip("cv2", reason="pictures are read and written with OpenCV")


@pytest.fixture
def place(tmp_path, monkeypatch, cv2):
    """A folder to work in: net.onnx, plain.onnx without a card, one.png, four.png and the folder pictures."""
    monkeypatch.chdir(tmp_path)
    card = card_from_json(onnx_bytes.STICK_CARD)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card))
    (tmp_path / "plain.onnx").write_bytes(onnx_bytes.stick_net())
    (tmp_path / "card.json").write_text(onnx_bytes.STICK_CARD)
    (tmp_path / "pictures").mkdir()
    for count, name in ((1, "one.png"), (4, "four.png"), (0, "pictures/000000000001.png"),
                        (1, "pictures/000000000002.png"), (4, "pictures/000000000003.png")):
        cv2.imwrite(str(tmp_path / name), draw_sticks(count))
    return tmp_path
