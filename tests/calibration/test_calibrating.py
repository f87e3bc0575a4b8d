"""wb-export calibrate: the same table whatever happens on the way, and bad pictures told."""
import json

import cv2
import numpy as np
import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.calibration import calibrating
from wholebody.calibration.calibrating import CalibrationOptions, calibrate
from wholebody.card import card_from_json
from wholebody.cli.export import main as wb_export
from wholebody.engines.calibration_table import read_table
from wholebody.engines.onnxfile import graph_sha256, with_card
from wholebody.errors import BuildError, CardError, ModelError, OutputError, SourceError

COUNT = 20


def picture(number):
    """Sticks before a background of its own."""
    rng = np.random.default_rng(number)
    background = cv2.resize(rng.integers(0, 90, (4, 7, 3), np.uint8), (112, 64), interpolation=cv2.INTER_CUBIC)
    return np.maximum(draw_sticks(1 + number % 4), background)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibrating, "_SAVE_SECONDS", 0.0)
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    write_pictures(tmp_path / "pictures", [picture(n) for n in range(COUNT)])
    return tmp_path


def write_pictures(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:012d}.png"), image)


def test_ranges_are_those_of_the_pictures_as_the_card_prepares_them(place):
    table = calibrate("net.onnx", "pictures", "scales.json", CalibrationOptions("max")).table
    brightest = max(int(picture(n).max()) for n in range(COUNT))
    assert table.ranges["image"] == pytest.approx(brightest / 255, rel=1e-6)
    assert set(table.ranges) == {"image", "all", "heatmaps", "pafs"}
    assert table.channels["w"] == [pytest.approx(1 / 64)] * 3 + [0.0] * 4
    assert (table.pictures["readable"], table.pictures["with_people"], table.pictures["warnings"]) == (COUNT, COUNT, [])
    assert all(table.statistics["percentile-99.9"][name] <= largest for name, largest in table.ranges.items())
    assert not (place / "scales.json.partial").exists()


class Stop(Exception):
    """As Ctrl-C would."""


@pytest.mark.parametrize("stops", [[1], [7, 8, 19], list(range(1, 20))], ids=["once", "three times", "everywhere"])
def test_an_interrupted_calibration_goes_on_to_the_same_bytes(place, stops):
    calibrate("net.onnx", "pictures", "whole.json")
    for stop in stops:
        def interrupt(done, total, line, stop=stop):
            if done == stop:
                raise Stop
        with pytest.raises(Stop):
            calibrate("net.onnx", "pictures", "parts.json", progress=interrupt)
        assert not (place / "parts.json").exists()
    said = []
    calibrate("net.onnx", "pictures", "parts.json", progress=lambda done, total, line: said.append((done, line)))
    assert "parts.json.partial: going on after %d of 20 pictures" % stops[-1] in said[0][1]
    assert said[1][0] == stops[-1] + 1
    assert (place / "parts.json").read_bytes() == (place / "whole.json").read_bytes()


def test_an_interruption_within_a_picture_counts_nothing_of_it(place, monkeypatch):
    calibrate("net.onnx", "pictures", "whole.json")
    real, calls = calibrating.look_at, []

    def look_at(image):
        calls.append(image)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(image)
    monkeypatch.setattr(calibrating, "look_at", look_at)
    with pytest.raises(KeyboardInterrupt):
        calibrate("net.onnx", "pictures", "parts.json")
    calibrate("net.onnx", "pictures", "parts.json")
    assert (place / "parts.json").read_bytes() == (place / "whole.json").read_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: b"", lambda data: data[:-200] + bytes(200)],
                         ids=["cut off", "empty", "overwritten"])
def test_a_damaged_half_way_file_is_started_again(place, damage):
    calibrate("net.onnx", "pictures", "whole.json")
    with pytest.raises(Stop):
        calibrate("net.onnx", "pictures", "parts.json", progress=_stop_after_three)
    partial = place / "parts.json.partial"
    partial.write_bytes(damage(partial.read_bytes()))
    calibrate("net.onnx", "pictures", "parts.json")
    assert (place / "parts.json").read_bytes() == (place / "whole.json").read_bytes()


def _stop_after_three(done, total, line):
    if done == 3:
        raise Stop


def test_what_is_there_already_is_not_measured_again(place):
    first = calibrate("net.onnx", "pictures", "scales.json")
    again = calibrate("net.onnx", "pictures", "scales.json")
    assert (first.ready, again.ready, again.table) == (False, True, first.table)
    with pytest.raises(OutputError, match="scales.json exists"):
        calibrate("net.onnx", "pictures", "scales.json", CalibrationOptions("max"))
    other = calibrate("net.onnx", "pictures", "scales.json", CalibrationOptions("max"), overwrite=True)
    assert (other.ready, other.table.ranges) == (True, first.table.statistics["max"])
    assert calibrate("net.onnx", "pictures", "scales.json").table.method == "max"


def other_network(place):
    (place / "net.onnx").write_bytes(with_card(onnx_bytes.wild_stick_net(), card_from_json(onnx_bytes.STICK_CARD)))


def other_card(place):
    card = card_from_json(onnx_bytes.STICK_CARD)
    data = (place / "net.onnx").read_bytes()
    (place / "net.onnx").write_bytes(with_card(data, card._replace(input=card.input._replace(color="rgb"))))


def another_picture(place):
    cv2.imwrite(str(place / "pictures" / "999.png"), picture(999))


def a_changed_picture(place):
    cv2.imwrite(str(place / "pictures" / "000000000003.png"), picture(999))


@pytest.mark.parametrize("change, message", [
    (other_network, "was measured on another network"), (other_card, "another preprocessing"),
    (another_picture, "on other pictures"), (a_changed_picture, "on other pictures")])
def test_a_table_is_refused_when_anything_differs_and_replaced_when_asked(place, change, message):
    calibrate("net.onnx", "pictures", "scales.json")
    change(place)
    with pytest.raises(BuildError, match=message + ".*add --overwrite to replace it"):
        calibrate("net.onnx", "pictures", "scales.json")
    assert not calibrate("net.onnx", "pictures", "scales.json", overwrite=True).ready


def test_pictures_of_another_size_are_others(place):
    calibrate("net.onnx", "pictures", "scales.json")
    with pytest.raises(BuildError, match="on other sizes of them"):
        calibrate("net.onnx", "pictures", "scales.json",
                  CalibrationOptions(estimator=(("net_resolution", "80x40"),)))


def test_a_table_of_another_preprocessing_is_refused(place):
    calibrate("net.onnx", "pictures", "scales.json")
    card = card_from_json(onnx_bytes.STICK_CARD)
    digest = graph_sha256((place / "net.onnx").read_bytes())
    assert read_table("scales.json", digest, "net.onnx", card).ranges
    other = card._replace(input=card.input._replace(color="rgb"))
    with pytest.raises(BuildError, match="another preprocessing than the card of net.onnx says .color bgr, not rgb."):
        read_table("scales.json", digest, "net.onnx", other)


def poisoned(kind):
    good = [picture(n) for n in range(COUNT)]
    return {"blank": [np.full_like(p, 127) for p in good[:5]] + good[5:], "one picture": [picture(1)] * COUNT,
            "few": good[:3], "nobody": [p * np.uint8([0, 0, 1]) for p in good],
            "colours": [np.ascontiguousarray(p[:, :, ::-1]) for p in good]}[kind]


@pytest.mark.parametrize("kind, said", [
    ("blank", "5 of 20 pictures are blank"), ("one picture", "of 20 pictures only 1 differ"),
    ("few", "only 3 pictures"), ("nobody", "finds people in 0 of 20 pictures"),
    ("colours", "sees people better in 20 of 20 pictures when red and blue are exchanged")])
def test_a_poisoned_set_is_noticed(place, capsys, kind, said):
    write_pictures(place / "bad", poisoned(kind))
    words = ["calibrate", "net.onnx", "--images", "bad", "-o", "bad.json"]
    assert wb_export([*words, "-q"]) == 0
    assert "warning: " in (err := capsys.readouterr().err)
    assert said in err
    assert wb_export([*words, "--strict", "--json"]) == 3
    assert any(said in line for line in json.loads(capsys.readouterr().out)["warnings"])


def test_a_good_set_is_strictly_good_and_the_next_command_is_told(place, capsys):
    assert wb_export(["calibrate", "net.onnx", "--images", "pictures", "-o", "scales.json", "--strict"]) == 0
    said = capsys.readouterr()
    assert "scales.json written: ranges of 4 tensors over 20 pictures, by entropy" in said.out
    assert "Next: wb-export build net.onnx --int8 --calibration scales.json" in said.out
    assert "warning" not in said.err


def test_unreadable_pictures_are_passed_over_and_none_at_all_is_an_error(place):
    (place / "pictures" / "zzz.png").write_bytes(b"no picture")
    table = calibrate("net.onnx", "pictures", "scales.json").table
    assert (table.pictures["count"], table.pictures["readable"]) == (COUNT + 1, COUNT)
    (place / "none").mkdir()
    (place / "none" / "a.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match="none of the 1 pictures in none can be read"):
        calibrate("net.onnx", "none", "other.json")


@pytest.mark.parametrize("images, model, error", [
    ("nowhere", "net.onnx", SourceError), ("pictures", "plain.onnx", CardError), ("pictures", "half.onnx", ModelError)])
def test_what_cannot_be_calibrated_is_one_line(place, images, model, error):
    (place / "plain.onnx").write_bytes(onnx_bytes.stick_net())
    data = (place / "net.onnx").read_bytes()
    (place / "half.onnx").write_bytes(data[:len(data) // 2])
    with pytest.raises(error) as caught:
        calibrate(model, images, "scales.json")
    assert "\n" not in str(caught.value)
    assert not (place / "scales.json").exists()
