"""Somebody's own preprocessing beside the card's: told in words what it does instead."""
import cv2
import numpy as np
import onnx_bytes
import pytest

from wholebody.card import InputSpec, card_from_json
from wholebody.cli.export import main
from wholebody.engines.onnxfile import with_card
from wholebody.errors import ModelError
from wholebody.export.input_check import check_input, read_prepared
from wholebody.runtime.geometry import Resolution
from wholebody.runtime.preprocess import Preprocessor

SPEC = InputSpec("x", color="rgb", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), height=64)
RNG = np.random.default_rng(0)
IMAGE = cv2.resize(RNG.integers(0, 256, (12, 20, 3), np.uint8), (170, 90), interpolation=cv2.INTER_CUBIC)


def made(spec=SPEC, size=(64, 120)):
    return Preprocessor(spec, Resolution(size[1], size[0]))(IMAGE)[0].copy()


CASES = [
    ("the very same", made(), ()),
    ("nearly the same", made() + np.float32(0.002), ()),
    ("colours exchanged", made(SPEC._replace(color="bgr")), ("colours are bgr, not rgb",)),
    ("mean and deviation forgotten", made(SPEC._replace(mean=(0, 0, 0), std=(1, 1, 1))),
     ("numbers are pixel * 0.00392 + 0, not pixel * (0.0171, 0.0175, 0.0174) + (-2.12, -2.04, -1.8)",)),
    ("0 to 255", made(SPEC._replace(scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))),
     ("numbers are pixel * 1 + 0, not pixel * (0.0171, 0.0175, 0.0174) + (-2.12, -2.04, -1.8)",)),
    ("channels last", made().transpose(0, 2, 3, 1), ("layout NHWC, not NCHW",)),
    ("whole numbers", made(SPEC._replace(dtype="uint8")),
     ("numbers are uint8, not float32", "numbers are pixel * 1 + 0, not pixel * (0.0171, 0.0175, 0.0174) + "
                                        "(-2.12, -2.04, -1.8)")),
    ("stretched", made(SPEC._replace(resize="stretch"), (64, 80)), ("resize stretch, not fit",)),
    ("padded all around", made(SPEC._replace(padding="centre"), (64, 200)), ("padding centre, not right-bottom",)),
    ("mirrored", made()[:, :, :, ::-1], ("no change of scale, colours, resizing or padding makes it: is it of another "
                                         "picture, or mirrored?",))]


@pytest.mark.parametrize("given, differences", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_differs_is_said_in_words(given, differences):
    found = check_input(SPEC, IMAGE, given)
    assert found.differences == differences
    assert found.same == (not differences)


def test_a_size_that_the_card_never_makes_is_said():
    fixed = SPEC._replace(size=(64, 96))
    assert check_input(fixed, IMAGE, made()).differences == ("its size is 120x64, which the card never makes",)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 3, 8, 8)), np.zeros((1, 4, 8, 8))])
def test_what_is_no_prepared_picture_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ModelError, match="expected one prepared picture"):
        read_prepared(str(tmp_path / "a.npy"))
    (tmp_path / "b.npy").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read"):
        read_prepared(str(tmp_path / "b.npy"))


def test_the_command_says_it_and_its_exit_code_too(tmp_path, monkeypatch, capsys):
    pytest.importorskip("polygraphy", reason="wb-export verify: pip install '.[export]'")
    monkeypatch.chdir(tmp_path)
    card = card_from_json(onnx_bytes.STICK_CARD)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card))
    cv2.imwrite("photo.png", IMAGE)
    blob = Preprocessor(card.input)(IMAGE)[0]
    np.save("mine.npy", blob)
    np.save("theirs.npy", blob[:, ::-1] * 255)
    words = ["verify", "net.onnx", "--images", "photo.png", "--prepared"]
    assert main([*words, "mine.npy"]) == 0
    assert "is what the card of net.onnx makes of photo.png" in capsys.readouterr().out
    assert main([*words, "theirs.npy"]) == 3
    assert capsys.readouterr().out == ("your preprocessing differs from the card of net.onnx: colours are rgb, not "
                                       "bgr; numbers are pixel * 1 + 0, not pixel * 0.00392 + 0\n")
    with pytest.raises(SystemExit) as stop:
        main(["verify", "net.onnx", "--images", ".", "--prepared", "mine.npy"])
    assert stop.value.code == 2
