"""Heat maps in OpenPose's order, range and formats."""
import numpy as np
import pytest

from wholebody.errors import OutputError
from wholebody.poses import Poses
from wholebody.runtime.sinks import HeatmapFiles
from wholebody.runtime.sinks.heatmap_files import side_by_side, to_range
from wholebody.skeletons import get_skeleton

cv2 = pytest.importorskip("cv2", reason="maps are enlarged with OpenCV")


def maps(skeleton="COCO_18", height=6, width=8):
    """Each map flat, with a value of its own."""
    chosen = get_skeleton(skeleton)
    heat = np.linspace(0, 1, chosen.heatmap_channels, dtype=np.float32)
    pafs = np.linspace(-1, 1, chosen.paf_channel_count, dtype=np.float32)
    return {"heatmaps": np.repeat(heat, height * width).reshape(-1, height, width),
            "pafs": np.repeat(pafs, height * width).reshape(-1, height, width), "net_size": (8 * width, 8 * height)}


def nobody(skeleton="COCO_18"):
    return Poses.empty(get_skeleton(skeleton))


def test_a_png_holds_parts_background_and_fields_side_by_side(tmp_path, item):
    given = maps()
    with HeatmapFiles(tmp_path) as sink:
        sink.write(*item(nobody(), "a", **given))
    image = cv2.imread(str(tmp_path / "a_pose_heatmaps.png"), cv2.IMREAD_UNCHANGED)
    assert image.shape == (48, 64 * (19 + 38))
    assert image.dtype == np.uint8
    values = np.concatenate([np.floor(given["heatmaps"][:, 0, 0] * 255 + 0.5),
                             np.minimum(255, np.floor(given["pafs"][:, 0, 0] * 128.5 + 128.5 + 0.5))])
    np.testing.assert_array_equal(image[0, ::64], values)
    np.testing.assert_array_equal(image[-1, 63::64], values)


@pytest.mark.parametrize(("which", "count"), [
    (("parts",), 18), (("background",), 1), (("pafs",), 38), ("parts,pafs", 56), (("pafs", "background"), 39)])
def test_only_the_chosen_maps_are_written(tmp_path, item, which, count):
    HeatmapFiles(tmp_path, which, "float").write(*item(nobody(), "a", **maps()))
    data = np.fromfile(str(tmp_path / "a_pose_heatmaps.float"), "<f4")
    assert data[:4].tolist() == [3, count, 48, 64]
    assert data.size == 4 + count * 48 * 64


def test_the_float_file_has_the_maps_enlarged_by_cubic_interpolation(tmp_path, item):
    given = maps()
    given["heatmaps"] = np.random.RandomState(0).rand(19, 6, 8).astype(np.float32)
    HeatmapFiles(tmp_path, ["parts"], "float", scale=3).write(*item(nobody(), "a", **given))
    data = np.fromfile(str(tmp_path / "a_pose_heatmaps.float"), "<f4")[4:].reshape(18, 48, 64)
    for channel in (0, 17):
        expected = cv2.resize(given["heatmaps"][channel], (64, 48), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_array_equal(data[channel], expected)


@pytest.mark.parametrize(("scale", "is_paf", "expected"), [
    (0, False, [-1, -1, -0.5, 1, 1]), (0, True, [-1, -0.5, 0.25, 1, 1]),
    (1, False, [0, 0, 0.25, 1, 1]), (1, True, [0, 0.25, 0.625, 1, 1]),
    (2, False, [0, 0, 64, 255, 255]), (2, True, [0, 64, 161, 257, 257]),
    (3, False, [-1.5, -0.5, 0.25, 1, 1.5]), (3, True, [-1.5, -0.5, 0.25, 1, 1.5]),
])
def test_the_ranges_are_openposes(scale, is_paf, expected):
    values = np.array([-1.5, -0.5, 0.25, 1, 1.5], np.float32)
    assert to_range(values, scale, is_paf).tolist() == expected


def test_pictures_are_rounded_and_clipped_to_bytes():
    wide = side_by_side(np.array([[[-1.0, 0.49, 0.5]], [[254.6, 257.0, 1e6]]], np.float32))
    assert wide.tolist() == [[0, 0, 1, 255, 255, 255]]


@pytest.mark.parametrize(("which", "skeleton", "missing", "message"), [
    (("background",), "BODY_25B", "", "BODY_25B has no background map; leave it out"),
    (("parts",), "COCO_18", "heatmaps", "this model gives no heat maps"),
    (("pafs",), "COCO_18", "pafs", "this model gives none; leave them out"),
], ids=["background", "heat maps", "fields"])
def test_maps_that_do_not_exist_are_an_error(tmp_path, item, which, skeleton, missing, message):
    given = maps(skeleton)
    if missing:
        given[missing] = None
    with pytest.raises(OutputError, match=message):
        HeatmapFiles(tmp_path, which).write(*item(nobody(skeleton), "a", **given))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("options", "message"), [
    ({"which": ("feet",)}, "unknown kind of heat map 'feet'; known: parts, background, pafs"),
    ({"which": ()}, "unknown kind of heat map"), ({"fmt": "gif"}, "unknown heat map format 'gif'"),
    ({"scale": 4}, "unknown heat map scale 4"),
], ids=["kind", "no kind", "format", "scale"])
def test_wrong_options_are_an_error_at_once(tmp_path, options, message):
    with pytest.raises(OutputError, match=message):
        HeatmapFiles(tmp_path, **options)


def test_all_maps_of_the_largest_set_fit_into_a_png_and_not_into_a_jpeg(tmp_path, item, capfd):
    given = maps("BODY_135", 1, 82)
    HeatmapFiles(tmp_path, ("parts", "pafs")).write(*item(nobody("BODY_135"), "a", **given))
    image = cv2.imread(str(tmp_path / "a_pose_heatmaps.png"), cv2.IMREAD_UNCHANGED)
    assert image.shape == (8, 439 * 656)
    with pytest.raises(OutputError, match="refuses a picture of 287984 x 8 .439 maps of 656 x 8; JPEG ends") as caught:
        HeatmapFiles(tmp_path, ("parts", "pafs"), "jpg").write(*item(nobody("BODY_135"), "a", **given))
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_pose_heatmaps.png"]


def test_an_old_file_is_an_error_at_once(tmp_path):
    (tmp_path / "a_pose_heatmaps.png").write_text("old")
    with pytest.raises(OutputError, match="exists; add --overwrite"):
        HeatmapFiles(tmp_path, names=["a"])
    HeatmapFiles(tmp_path, names=["a"], overwrite=True)
    assert (tmp_path / "a_pose_heatmaps.png").read_text() == "old"
