"""Pictures, folders and videos become frames; what cannot be read is said in one line."""
import pathlib
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

import wholebody
from wholebody.errors import SourceError
from wholebody.runtime.sources import open_source
from wholebody.runtime.sources.completeness import missing_end
from wholebody.runtime.sources.pictures import read_picture, unique_names

cv2 = pytest.importorskip("cv2", reason="reading pictures needs OpenCV")


def picture(height=24, width=32):
    ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    return ramp.astype(np.uint8)


def save(path, image=None):
    done, data = cv2.imencode(path.suffix, picture() if image is None else image)
    assert done
    path.write_bytes(data.tobytes())
    return path


def with_orientation(jpeg, orientation):
    """An EXIF segment with the orientation tag alone."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.ppm", "a.tiff", "b.c.PNG", "снимок 1.png", "図.png"])
def test_a_picture_is_one_frame_named_by_its_stem(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(cv2.imencode(path.suffix.lower(), picture())[1].tobytes())
    before = time.monotonic()
    with open_source(str(path)) as source:
        frames = list(source)
    assert (source.kind, source.length, source.fps, source.problems) == ("image", 1, None, [])
    assert len(frames) == 1
    assert (frames[0].index, frames[0].source) == (0, path.stem)
    assert source.frame_names == [path.stem]
    assert before <= frames[0].captured_at <= time.monotonic()
    np.testing.assert_array_equal(frames[0].image, picture())


@pytest.mark.parametrize(("image", "expected"), [
    (picture()[..., 0], np.repeat(picture()[..., :1], 3, axis=2)),
    (np.dstack([picture(), np.full((24, 32), 7, np.uint8)]), picture()),
    (picture().astype(np.uint16) * 256 + 128, picture()),
    (picture()[..., 0].astype(np.uint16) * 256, np.repeat(picture()[..., :1], 3, axis=2)),
], ids=["grey", "with alpha", "16 bits", "grey 16 bits"])
def test_every_png_becomes_eight_bit_bgr(tmp_path, image, expected):
    result = read_picture(save(tmp_path / "a.png", image))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


def test_a_photograph_is_turned_as_its_exif_data_says(tmp_path):
    jpeg = cv2.imencode(".jpg", picture(24, 32))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(with_orientation(jpeg, 6))
    upright = read_picture(tmp_path / "a.jpg")
    assert upright.shape == (32, 24, 3)
    plain = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(upright, np.rot90(plain, -1))


BAD = {
    "zero bytes": (b"", "empty"),
    "a text": (b"this is no picture\n" * 50, "not a picture"),
    "half a jpeg": (cv2.imencode(".jpg", picture())[1].tobytes()[:-200], "cut off"),
    "a jpeg without its last byte": (cv2.imencode(".jpg", picture())[1].tobytes()[:-1], "cut off"),
    "a jpeg header": (cv2.imencode(".jpg", picture())[1].tobytes()[:30], "cut off"),
    "half a png": (cv2.imencode(".png", picture())[1].tobytes()[:-90], "cut off"),
    "half a bmp": (cv2.imencode(".bmp", picture())[1].tobytes()[:-900], "damaged"),
}


@pytest.mark.parametrize(("data", "message"), list(BAD.values()), ids=list(BAD))
def test_a_bad_picture_is_an_error_with_its_path(tmp_path, capfd, data, message):
    (tmp_path / "bad.jpg").write_bytes(data)
    with open_source(str(tmp_path / "bad.jpg")) as source, pytest.raises(SourceError, match=message) as caught:
        list(source)
    assert str(tmp_path / "bad.jpg") in one_line(caught)
    noise = capfd.readouterr().err
    assert noise == "" or (data[:2] == b"BM" and cv2.__version__ < "5")  # OpenCV 4 cannot be kept from that line


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph():
    thumbnail = cv2.imencode(".jpg", picture(8, 8))[1].tobytes()
    jpeg = cv2.imencode(".jpg", picture())[1].tobytes()
    whole = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + jpeg[2:]
    assert missing_end(whole) == ""
    assert missing_end(whole + b"\0" * 100) == ""
    assert missing_end(whole[:-50]) == "no end-of-image marker"


def test_a_folder_is_read_by_name_and_other_files_are_ignored(tmp_path):
    for name in ("b.png", "a.png", "c.BMP", ".hidden.png"):
        save(tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "inside.png").mkdir()
    save(tmp_path / "inside.png" / "d.png")
    with open_source(str(tmp_path)) as source:
        frames = list(source)
        again = list(source)
    assert (source.kind, source.length, source.problems) == ("folder", 3, [])
    assert [(f.index, f.source) for f in frames] == [(0, "a"), (1, "b"), (2, "c")]
    assert source.frame_names == ["a", "b", "c"]
    assert [f.source for f in again] == ["a", "b", "c"]


def test_a_bad_picture_in_a_folder_is_a_problem_and_the_rest_goes_on(tmp_path, caplog):
    save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.png").symlink_to(tmp_path / "gone.png")
    save(tmp_path / "d.png")
    with open_source(str(tmp_path)) as source:
        frames = list(source)
    assert [f.source for f in frames] == ["a", "d"]
    assert [f.index for f in frames] == [0, 1]
    assert len(source.problems) == 2
    assert "b.jpg: the file is empty" in source.problems[0]
    assert "c.png: No such file" in source.problems[1]
    assert [r.levelname for r in caplog.records] == ["ERROR", "ERROR"]


def test_pictures_of_one_stem_get_results_of_different_names(tmp_path, caplog):
    for name in ("a.bmp", "a.png", "a.png.bmp", "a.ppm", "b.png"):
        save(tmp_path / name)
    with open_source(str(tmp_path)) as source:
        got = [frame.source for frame in source]
    assert got == ["a", "a.png", "a.png.bmp", "a.ppm", "b"]
    assert any("a.png: another picture is called a too" in r.getMessage() for r in caplog.records)
    assert unique_names(source.paths) == got


def test_a_folder_without_pictures_says_what_it_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures in folder .*\.jpg .*\.png") as caught:
        open_source(str(tmp_path))
    one_line(caught)


def test_a_number_can_still_be_a_folder_when_it_is_written_as_a_path(tmp_path, monkeypatch):
    (tmp_path / "0").mkdir()
    save(tmp_path / "0" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert open_source("./0").kind == "folder"


@pytest.mark.parametrize(("spec", "message"), [
    ("ftp://host/a.mp4", "no such kind of address"),
    ("", "empty"),
    ("{tmp}/notes.txt", "unknown kind of file '.txt'.*\\.png.*\\.mp4"),
    ("/dev/null", "not a regular file"),
    ("{tmp}/nowhere/at/all.png", "nor does the folder"),
    ("{tmp}/zzz.png", "does not exist; give a picture, a folder of pictures, a video file or a camera"),
    ("{tmp}/Skater.jpg", "did you mean .*skater\\.png\\?"),
    ("{tmp}/skatr.png", "did you mean .*skater\\.png\\?"),
], ids=["address", "nothing", "text file", "device", "no folder", "no file", "other ending", "typo"])
def test_what_is_no_source_says_what_would_be(tmp_path, spec, message):
    (tmp_path / "notes.txt").write_text("x")
    save(tmp_path / "skater.png")
    with pytest.raises(SourceError, match=message) as caught:
        open_source(spec.format(tmp=tmp_path))
    one_line(caught)


def test_the_package_imports_without_opencv():
    code = ("import sys; sys.path.insert(0, %r); sys.modules['cv2'] = sys.modules['av'] = None\n"
            "import wholebody.runtime.sources, wholebody.runtime.sinks, wholebody.runtime.drawing"
            % str(pathlib.Path(wholebody.__file__).resolve().parents[1]))
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
