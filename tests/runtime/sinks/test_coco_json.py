"""COCO results in OpenPose's layout."""
import json

import numpy as np
import pytest

from wholebody.errors import OutputError
from wholebody.poses import Poses
from wholebody.runtime.sinks import CocoJson
from wholebody.runtime.sinks.coco_json import image_id
from wholebody.skeletons import get_skeleton


def somebody(skeleton="COCO_17", found=(0, 16), score=0.75):
    keypoints = np.zeros((1, len(get_skeleton(skeleton).keypoints), 2), np.float32)
    scores = np.zeros(keypoints.shape[:2], np.float32)
    for k in found:
        keypoints[0, k] = (k + 0.5, 100 + k)
        scores[0, k] = 0.9
    return Poses(keypoints, scores, np.array([score], np.float32), get_skeleton(skeleton))


def names(folder):
    return sorted(p.name for p in folder.iterdir())


ENTRY = ('{\n\t\t"image_id":%d,\n\t\t"category_id":1,\n\t\t"keypoints":[\n\t\t\t%s\n\t\t],\n\t\t"score":0.75\n\t}')
POINTS = ",".join(["0.5,100,1"] + ["-1,-1,0"] * 15 + ["16.5,116,1"])


@pytest.mark.parametrize(("frames", "text"), [
    ([], "[\n\t\n]\n"),
    ([("000000001000", somebody())], "[\n\t" + ENTRY % (1000, POINTS) + "\n]\n"),
    ([("7", somebody()), ("8", somebody(found=())), ("9", somebody())],
     "[\n\t" + ENTRY % (7, POINTS) + ",\n\t" + ENTRY % (9, POINTS) + "\n]\n"),
], ids=["no frames", "one", "somebody without keypoints between"])
def test_the_file_is_what_openpose_writes(tmp_path, item, frames, text):
    with CocoJson(tmp_path / "out.json") as sink:
        for index, (name, poses) in enumerate(frames):
            sink.write(*item(poses, name, index))
        assert "out.json" not in names(tmp_path)
    assert (tmp_path / "out.json").read_bytes().decode("ascii") == text
    json.loads(text)
    assert names(tmp_path) == ["out.json"]


def test_other_sets_are_mapped_by_name(tmp_path, item):
    body = get_skeleton("BODY_25")
    left_ankle, neck = body.index_of("left_ankle"), body.index_of("neck")
    with CocoJson(tmp_path / "out.json") as sink:
        sink.write(*item(somebody("BODY_25", (left_ankle,))))
        sink.write(*item(somebody("BODY_25", (neck,))))
    (entry,) = json.loads((tmp_path / "out.json").read_text())
    assert entry["keypoints"][45:48] == [left_ankle + 0.5, 100 + left_ankle, 1]
    assert entry["keypoints"][:3] == [-1, -1, 0]


def test_coordinates_are_those_of_the_frame_whatever_the_keypoint_scale(tmp_path, item):
    with CocoJson(tmp_path / "out.json") as sink:
        sink.write(*item(somebody(), keypoints=np.zeros((1, 17, 2))))
    assert json.loads((tmp_path / "out.json").read_text())[0]["keypoints"][:3] == [0.5, 100, 1]


@pytest.mark.parametrize(("name", "number"), [("000000001000", 1000), ("COCO_val2014_000000000042", 42), ("5", 5),
                                          ("clip_000000000003", 3), ("a12b", 12)])
def test_the_picture_is_known_by_the_last_number_in_its_name(name, number):
    assert image_id(name) == number


def test_a_name_without_a_number_is_an_error_before_the_work_when_it_is_known(tmp_path, item):
    with pytest.raises(OutputError, match="need a number in the name of each picture.*'skater'") as caught:
        CocoJson(tmp_path / "out.json", names=["1", "skater"])
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="'skater'"):  # noqa: PT012 - the second write is the one
        with CocoJson(tmp_path / "out.json") as sink:
            sink.write(*item(somebody(), "12"))
            sink.write(*item(somebody(), "skater"))
    assert names(tmp_path) == []


def test_variants_go_into_files_of_their_own(tmp_path, item, people):
    poses = people("WHOLEBODY_133", 2)
    with CocoJson(tmp_path / "out.json", variants=("body", "foot", "face", "hand21", "hand42")) as sink:
        sink.write(*item(poses, "000000000139", index=4))
    files = ["out.json", "out_foot.json", "out_face.json", "out_hand21.json", "out_hand42.json"]
    assert names(tmp_path) == sorted(files)
    data = [json.loads((tmp_path / name).read_text()) for name in files]
    assert [len(entries) for entries in data] == [2] * 5
    assert [len(entries[0]["keypoints"]) // 3 for entries in data] == [17, 6, 68, 21, 42]
    assert [entries[0]["image_id"] for entries in data] == [139, 139, 4, 4, 4]
    left, right = poses.skeleton.part("left_hand"), poses.skeleton.part("right_hand")
    assert data[4][0]["keypoints"][0] == pytest.approx(poses.keypoints[0, left[0], 0], rel=1e-5)
    assert data[4][0]["keypoints"][63] == pytest.approx(poses.keypoints[0, right[0], 0], rel=1e-5)
    assert data[3][0]["keypoints"] == data[4][0]["keypoints"][63:]


def test_openposes_hands_start_at_the_wrists(tmp_path, item, people):
    poses = people("BODY_135")
    with CocoJson(tmp_path / "out.json", variants=("hand42",)) as sink:
        sink.write(*item(poses))
    (entry,) = json.loads((tmp_path / "out_hand42.json").read_text())
    wrists = [poses.keypoints[0, poses.skeleton.index_of(name), 0] for name in ("left_wrist", "right_wrist")]
    np.testing.assert_allclose([entry["keypoints"][0], entry["keypoints"][63]], wrists, rtol=1e-5)
    assert names(tmp_path) == ["out_hand42.json"]


@pytest.mark.parametrize(("variant", "skeleton"), [("foot", "COCO_18"), ("face", "BODY_25"), ("hand21", "HALPE_26"),
                                               ("body", "FACE_68")])
def test_a_set_without_the_variants_keypoints_is_an_error(tmp_path, item, people, variant, skeleton):
    with pytest.raises(OutputError, match="%s has not the keypoints of the COCO variant '%s'" % (skeleton, variant)):
        with CocoJson(tmp_path / "out.json", variants=(variant,)) as sink:
            sink.write(*item(people(skeleton)))
    assert names(tmp_path) == []


def test_an_unknown_variant_lists_the_known_ones(tmp_path):
    with pytest.raises(OutputError, match="unknown COCO variant 'hands'; known: body, foot, face, hand21, hand42"):
        CocoJson(tmp_path / "out.json", variants=("hands",))


def test_an_exception_in_the_middle_leaves_nothing(tmp_path, item):
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the middle of a block
        with CocoJson(tmp_path / "out.json") as sink:
            sink.write(*item(somebody()))
            raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_sink_that_was_never_entered_leaves_nothing(tmp_path):
    CocoJson(tmp_path / "out.json")
    assert names(tmp_path) == []


def test_an_old_file_of_any_variant_is_an_error_at_once_and_stays(tmp_path, item):
    (tmp_path / "out_foot.json").write_text("old")
    with pytest.raises(OutputError, match="out_foot.json exists; add --overwrite"):
        CocoJson(tmp_path / "out.json", variants=("body", "foot"))
    assert names(tmp_path) == ["out_foot.json"]
    assert (tmp_path / "out_foot.json").read_text() == "old"
    with CocoJson(tmp_path / "out.json", overwrite=True) as sink:
        sink.write(*item(somebody()))
    with CocoJson(tmp_path / "out.json", overwrite=True):
        pass
    assert json.loads((tmp_path / "out.json").read_text()) == []


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path):
    with pytest.raises(OutputError, match="mkdir -p"):
        CocoJson(tmp_path / "no" / "out.json")


def test_the_same_input_gives_the_same_bytes(tmp_path, item, people):
    for name in ("a.json", "b.json"):
        with CocoJson(tmp_path / name) as sink:
            sink.write(*item(people("BODY_25", 4)))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
