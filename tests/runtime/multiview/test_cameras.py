"""Camera files as OpenPose has them, lenses, and what is wrong with a file in one line."""
import cv2
import numpy as np
import pytest
from rigs import crowd, ring

from wholebody.errors import CameraError, OutputError
from wholebody.runtime.multiview import read_cameras, write_camera

OPENPOSES = """<?xml version="1.0"?>
<opencv_storage>
<CameraMatrix type_id="opencv-matrix"><rows>3</rows><cols>4</cols><dt>d</dt>
  <data>1. 0. 0. -0.5 0. 1. 0. 0.25 0. 0. 1. 2.</data></CameraMatrix>
<Intrinsics type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>
  <data>800. 0. 640. 0. 810. 512. 0. 0. 1.</data></Intrinsics>
<Distortion type_id="opencv-matrix"><rows>8</rows><cols>1</cols><dt>d</dt>
  <data>-0.1 0.2 0. 0. 0.01 0. 0. 0.</data></Distortion>
</opencv_storage>
"""


def test_what_is_written_is_read_back(tmp_path):
    for camera in ring(3):
        write_camera(tmp_path, camera)
    for camera, again in zip(ring(3), read_cameras(tmp_path)):
        assert (again.name, again.size) == (camera.name, camera.size)
        for name in ("intrinsics", "extrinsics", "distortion"):
            np.testing.assert_allclose(getattr(again, name), getattr(camera, name), atol=1e-12)


def test_openposes_own_files_are_read(tmp_path):
    for name in ("17012332", "16215823"):
        (tmp_path / (name + ".xml")).write_text(OPENPOSES)
    cameras = read_cameras(tmp_path)
    assert [camera.name for camera in cameras] == ["16215823", "17012332"]
    assert cameras[0].size is None
    assert cameras[0].distortion.size == 8
    np.testing.assert_allclose(cameras[0].centre, [0.5, -0.25, -2])
    np.testing.assert_allclose(cameras[0].projection[:, 3], [800 * -0.5 + 640 * 2, 810 * 0.25 + 512 * 2, 2])


def test_an_old_file_is_not_written_over(tmp_path):
    write_camera(tmp_path, ring(2)[0])
    with pytest.raises(OutputError, match="--overwrite"):
        write_camera(tmp_path, ring(2)[0])
    write_camera(tmp_path, ring(2)[0], overwrite=True)


@pytest.mark.parametrize("lens", [np.zeros(0), np.zeros(5), np.array([-0.2, 0.05, 0.001, -0.001]),
                                  np.array([-0.25, 0.1, 0.001, 0.002, -0.02]),
                                  np.array([0.3, -0.05, 0.0, 0.0, 0.01, 0.05, 0.01, 0.0])],
                         ids=["none", "zeros", "4", "5", "8"])
def test_undistorted_pixels_are_those_of_a_camera_without_a_lens(lens):
    camera = ring(3, lens=lens)[1]
    points = crowd(2, 0).reshape(-1, 3)
    straight = camera._replace(distortion=np.zeros(0))
    np.testing.assert_allclose(camera.undistorted(camera.see(points)), straight.see(points), atol=0.01)
    if lens.any():
        assert np.abs(camera.see(points) - straight.see(points)).max() > 2


DAMAGED = [
    ("none at all", None, "expected a .xml file for each of two or more cameras, got 0; .*wb-cameras calibrate"),
    ("no XML", "hello", "cam1.xml is not a camera file"),
    ("no extrinsics", OPENPOSES.replace("CameraMatrix", "Other"), "CameraMatrix: expected 3x4 .*, got none"),
    ("no number", OPENPOSES.replace("-0.5", ".Nan"), "CameraMatrix: expected 3x4 finite"),
    ("projection", OPENPOSES.replace("<data>1. 0.", "<data>800. 0."), "no rotation; OpenPose keeps"),
    ("lens", OPENPOSES.replace("<rows>8</rows>", "<rows>7</rows>").replace("0.01 0. 0. 0.", "0.01 0. 0."),
     "Distortion: expected one of"),
]


@pytest.mark.parametrize("text, said", [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_a_file_that_is_no_camera_is_one_line(tmp_path, text, said):
    if text is not None:
        (tmp_path / "cam0.xml").write_text(OPENPOSES)
        (tmp_path / "cam1.xml").write_text(text)
    with pytest.raises(CameraError, match=said) as caught:
        read_cameras(tmp_path)
    assert "\n" not in str(caught.value)


def test_see_is_opencvs_projection():
    camera, points = ring(3)[1], crowd(1, 0)[0]
    turn, _ = cv2.Rodrigues(camera.extrinsics[:, :3])
    expected, _ = cv2.projectPoints(points, turn, camera.extrinsics[:, 3], camera.intrinsics, camera.distortion)
    np.testing.assert_allclose(camera.see(points), expected[:, 0])
