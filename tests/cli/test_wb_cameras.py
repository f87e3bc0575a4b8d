"""From pictures of a checkerboard to people in metres, by the commands a user types."""
import json
import pathlib
import re

import cv2
import numpy as np
import pytest
from boards import BOARD, TRUE, board_motions
from boards import picture_of as board_picture
from rigs import SKELETON, crowd, look_at
from rigs import picture_of as person_picture

from wholebody.cli import cameras, run
from wholebody.runtime.multiview import write_camera

MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "mannequins" / "mannequin.onnx"
BODY = [SKELETON.keypoints.index(name) for name in SKELETON.keypoints
        if any(part in name.lower() for part in ("neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))]
PEOPLE = 3
PLACE = np.array([0.0, 0.0, 3.1])


def write_pictures(folder, pictures):
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / ("%03d.png" % number)), picture)


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory):
    """Folders of three cameras, each with three moments of one drawn person."""
    folder = tmp_path_factory.mktemp("rig")
    figures = [crowd(1, seed)[0] for seed in range(PEOPLE)]
    figures = [figure - figure[8] + PLACE for figure in figures]
    for camera in TRUE:
        write_pictures(folder / camera.name, [person_picture(camera, figure) for figure in figures])
    return folder, figures


def sources(folder):
    return [word for camera in TRUE for word in ("--source", str(folder / camera.name))]


def test_drawn_people_are_placed_by_cameras_that_a_checkerboard_calibrated(tmp_path, rig, capsys):
    pytest.importorskip("scipy.optimize", reason="what places all cameras together: pip install scipy")
    for camera in TRUE:
        write_pictures(tmp_path / camera.name, [board_picture(camera, motion) for motion in board_motions(10, 4)])
    views = [word for camera in TRUE for word in ("--view", str(tmp_path / camera.name))]
    assert cameras.main(["calibrate", "--board", "8x5", "--square", str(BOARD.square), "-o", str(tmp_path / "found")]
                        + views) == 0
    assert "pixels off" in capsys.readouterr().out
    assert cameras.main(["show", str(tmp_path / "found"), "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["a", "b", "c"]
    assert off_by(tmp_path, tmp_path / "found", rig, capsys) < 0.02


def test_drawn_people_are_placed_by_the_cameras_that_drew_them(tmp_path, rig, capsys):
    (tmp_path / "true").mkdir()
    for camera in TRUE:
        write_camera(tmp_path / "true", camera)
    assert off_by(tmp_path, tmp_path / "true", rig, capsys) < 0.015


def off_by(tmp_path, calibrated, rig, capsys):
    """Runs the network over all views; median distance from the truth, of the distance to the first camera."""
    folder, figures = rig
    out = tmp_path / "people.jsonl"
    words = ["--engine", str(MODEL), "--cameras", str(calibrated), "--json-3d", str(out)]
    assert run.main(words + sources(folder)) == 0
    assert "3D: 3 moments, 3 people" in capsys.readouterr().err
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    apart = []
    for line, figure in zip(lines, figures):
        points = np.array(line["people"][0]["keypoints"])[BODY]
        there = figure[BODY] @ TRUE[0].extrinsics[:, :3].T + TRUE[0].extrinsics[:, 3]
        found = points[:, 3] > 0
        assert found.mean() > 0.6
        apart += list(np.linalg.norm(points[found, :3] - there[found], axis=1))
    return float(np.median(apart)) / PLACE[2]


def test_on_stdout_there_are_lines_alone(tmp_path, rig, capsys):
    for camera in TRUE:
        write_camera(tmp_path, camera)
    assert run.main(["--engine", str(MODEL), "--cameras", str(tmp_path)] + sources(rig[0])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2]


@pytest.mark.parametrize("words, said", [
    (["--json-3d", "x.jsonl"], "add --cameras DIR"),
    (["--cameras", "CAMERAS", "--json-lines"], "--json-3d - and --json-lines both write to stdout; name a file"),
    (["--cameras", "CAMERAS", "--json"], "--json-3d - and --json both write to stdout; name a file"),
    (["--cameras", "CAMERAS", "--least-views", "4"], "there are 3 cameras"),
    (["--cameras", "CAMERAS", "TWO"], "holds 3 cameras \\(a, b, c\\), and 2 sources were given"),
], ids=["no cameras", "lines twice", "stdout twice", "too many views", "a source missing"])
def test_what_does_not_fit_is_one_line(tmp_path, rig, capsys, words, said):
    for camera in TRUE:
        write_camera(tmp_path, camera)
    given = sources(rig[0])[:4 if "TWO" in words else 6]
    words = [str(tmp_path) if word == "CAMERAS" else word for word in words if word != "TWO"]
    assert run.main(["--engine", str(MODEL)] + words + given) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(said, err)


def test_cameras_are_read_before_the_network(tmp_path, rig, capsys):
    (tmp_path / "net.onnx").write_bytes(b"this opens as nothing")
    words = ["--engine", str(tmp_path / "net.onnx"), "--cameras", str(tmp_path / "nowhere")]
    assert run.main(words + sources(rig[0])) == 1
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("words, said", [
    (["--view", "b", "--view", "a"], "in the order of their names: give a, b"),
    (["--view", "a"], "expected two or more with names of their own"),
    (["--view", "a", "--view", "b"], "a does not exist"),
], ids=["order", "one", "missing"])
def test_calibrating_what_is_not_there_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert cameras.main(["calibrate", "--board", "8x5", "--square", "0.06", "-o", "out"] + words) == 1
    assert said in capsys.readouterr().err


def test_where_cameras_stand_is_shown(tmp_path, capsys):
    for name, eye in (("a", (1.0, 2.0, -3.0)), ("b", (-1.0, 0.0, -3.0))):
        write_camera(tmp_path, TRUE[0]._replace(name=name, extrinsics=look_at(np.array(eye))))
    assert cameras.main(["show", str(tmp_path)]) == 0
    assert "a: at 1.000, 2.000, -3.000 m; focal length 560.0, 560.0 pixels of 640x480" in capsys.readouterr().out
