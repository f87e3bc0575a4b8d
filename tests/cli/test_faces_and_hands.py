"""wb-run with networks for faces and hands: networks that always say the same, from the words to the files."""
import json

import numpy as np
import onnx_bytes
import pytest
from fake_parts import PERSON

from wholebody.card import card_from_json
from wholebody.cli.run import main
from wholebody.engines.onnxfile import with_card
from wholebody.skeletons import get_skeleton

SIZE = 8  # of the networks' inputs


def constant_net(values):
    """A network that says these numbers of every picture: a convolution of all of it whose weights are 0."""
    count = len(values)
    kernel = onnx_bytes.weights("kernel", (count, 3, SIZE, SIZE), [0.0] * (count * 3 * SIZE * SIZE))
    bias = onnx_bytes.weights("bias", (count,), [float(v) for v in values])
    return onnx_bytes.model([onnx_bytes.node("Conv", ["image", "kernel", "bias"], ["points"])], [kernel, bias],
                            [("image", ("N", 3, SIZE, SIZE))], [("points", ("N", count, 1, 1))])


def network(path, skeleton, points, **spec):
    card = card_from_json(json.dumps({
        "name": skeleton, "skeleton": skeleton, "input": dict({"name": "image", "size": [SIZE, SIZE]}, **spec),
        "heads": [{"kind": "regression", "format": "xy-unit", "outputs": {"keypoints": {"output": "points"}}}]}))
    path.write_bytes(with_card(constant_net(np.asarray(points).ravel()), card))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """body.onnx, face.onnx, hands.onnx and photo.png, of 200 x 200: the body is PERSON's about (100, 100)."""
    cv2 = pytest.importorskip("cv2", reason="pictures are read and written with OpenCV")
    pytest.importorskip("onnxruntime", reason="runs the networks")
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.png", np.zeros((200, 200, 3), np.uint8))
    places = [np.add(PERSON.get(name, (0, 50)), 100) / 200 for name in get_skeleton("COCO_17").keypoints]
    network(tmp_path / "body.onnx", "COCO_17", places, box_padding=1)
    network(tmp_path / "face.onnx", "FACE_68", np.full((68, 2), 0.5), crop={"kind": "face"})
    network(tmp_path / "hands.onnx", "HAND_21", np.tile([0.75, 0.5], (21, 1)), crop={"kind": "hand", "mirrored": True})
    return tmp_path


def run(*words):
    """The exit code of wb-run."""
    try:
        return main(list(words))
    except SystemExit as leaving:
        return leaving.code


BODY = ("--engine", "body.onnx", "--whole-frame", "--source", "photo.png")


def written(folder):
    person, = json.loads((folder / "out" / "photo_keypoints.json").read_text())["people"]
    return {name: np.reshape(values, (-1, 3)) for name, values in person.items() if name.endswith("_2d")}


@pytest.mark.parametrize("words, points", [
    ((), (17, 68, 21, 21)), (("--whole-body", "WHOLEBODY_133"), (23, 68, 21, 21)),
    (("--whole-body", "HALPE_136"), (26, 68, 21, 21)),
    (("--hand-scale-number", "6", "--hand-scale-range", "0.4"), (17, 68, 21, 21)),
], ids=["the points of all", "COCO-WholeBody", "Halpe", "hands at six scales"])
def test_faces_and_hands_go_into_openpose_s_json(folder, words, points):
    assert run(*(BODY + ("--face", "face.onnx", "--hands", "hands.onnx", "--json", "out", "-q") + words)) == 0
    people = written(folder)
    assert tuple(len(people[name]) for name in ("pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d",
                                                "hand_right_keypoints_2d")) == points
    neck = (PERSON["left_shoulder"][1] + PERSON["right_shoulder"][1]) / 2
    centre = [100, 100 + np.mean([(neck - 30) / 2, -36, -33])]  # of the square, where the network sees all points
    np.testing.assert_allclose(people["face_keypoints_2d"], [centre + [1]] * 68, atol=0.01)
    for name, sign in (("left", -1), ("right", 1)):  # three quarters to the right in the crop, left in a mirrored one
        wrist, elbow, shoulder = (np.array(PERSON[name + joint], float) for joint in ("_wrist", "_elbow", "_shoulder"))
        side = 1.5 * max(np.hypot(*(wrist - elbow)), 0.9 * np.hypot(*(elbow - shoulder)))
        if len(words) == 4:  # all answers are alike: the first scale stays
            side = int(0.8 * side + 0.5) // 2 * 2
        place = wrist + 0.33 * (wrist - elbow) + 100 + np.array([sign * side / 4, 0])
        np.testing.assert_allclose(people["hand_%s_keypoints_2d" % name][:, :2], [place] * 21, atol=0.01)


@pytest.mark.parametrize("words, points", [(("--face", "face.onnx"), (17, 68, 0, 0)),
                                           (("--hands", "hands.onnx"), (17, 0, 21, 21))])
def test_one_of_them_may_be_left_out(folder, words, points):
    assert run(*(BODY + words + ("--json", "out", "-q"))) == 0
    assert tuple(len(values) for name, values in written(folder).items()) == points


def test_the_body_stays_as_it_was(folder):
    assert run(*(BODY + ("--json", "out", "-q"))) == 0
    alone = written(folder)["pose_keypoints_2d"]
    assert run(*(BODY + ("--face", "face.onnx", "--json", "out", "-q", "--overwrite"))) == 0
    np.testing.assert_array_equal(written(folder)["pose_keypoints_2d"], alone)


REFUSED = [
    ("a set alone", ("--whole-body", "HALPE_136"), 1, "add --face FACE.onnx or --hands HANDS.onnx"),
    ("exchanged", ("--face", "hands.onnx"), 1, "--face takes a network of FACE_68 or FACE_70; its card says HAND_21"),
    ("heat maps", ("--face", "face.onnx", "--write-heatmaps", "maps"), 1, "leave --face and --hands out"),
    ("no such set", ("--face", "face.onnx", "--whole-body", "COCO_17"), 2, "invalid choice"),
    ("no scale", ("--hands", "hands.onnx", "--hand-scale-number", "0"), 2, "expected a number from 1 to 16"),
    ("a wide range", ("--hands", "hands.onnx", "--hand-scale-range", "2"), 2, "expected a number from 0 to below 2"),
    ("no file", ("--face", "none.onnx"), 1, "none.onnx"),
]


@pytest.mark.parametrize("words, code, said", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_does_not_go_together_is_told_in_one_line(folder, capsys, words, code, said):
    assert run(*(BODY + words)) == code
    told = capsys.readouterr().err
    assert said in told
    assert code == 2 or told.count("\n") == 1
