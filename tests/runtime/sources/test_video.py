"""Video files: frames, names, counts, and what is said of damaged ones."""
import numpy as np
import pytest

from wholebody.errors import SourceError
from wholebody.runtime.sources import open_source

pytest.importorskip("cv2", reason="reading videos needs OpenCV")


def make_video(path, frames=30, fps=25, options=None, codec="libx264"):
    av = pytest.importorskip("av", reason="the video is made with PyAV")
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        rng = np.random.RandomState(0)
        for _ in range(frames):
            noise = rng.randint(0, 255, (48, 64, 3)).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".MOV"])
def test_a_video_gives_every_frame_under_openposes_name(tmp_path, ending):
    path = make_video(tmp_path / ("clip" + ending.lower()), frames=7).rename(tmp_path / ("clip" + ending))
    path = tmp_path / ("clip" + ending)
    with open_source(str(path)) as source:
        assert (source.kind, source.length, source.fps) == ("video", 7, 25.0)
        assert source.frame_names == ["clip_000000000000"]
        frames = list(source)
        assert len(list(source)) == 7  # from the start again
    assert [f.index for f in frames] == list(range(7))
    assert [f.source for f in frames[:2]] == ["clip_000000000000", "clip_000000000001"]
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    assert all(a.captured_at <= b.captured_at for a, b in zip(frames, frames[1:]))
    assert source.problems == []


def test_frames_keep_their_own_pictures(tmp_path):
    with open_source(str(make_video(tmp_path / "a.mp4", frames=3))) as source:
        frames = list(source)
    assert not np.array_equal(frames[0].image, frames[1].image)


def test_a_name_with_digits_or_percent_signs_is_one_video(tmp_path):
    path = make_video(tmp_path / "a_%03d_001.mp4", frames=3)
    with open_source(str(path)) as source:
        assert len(list(source)) == 3


def test_closing_in_the_middle_ends_the_frames(tmp_path):
    with open_source(str(make_video(tmp_path / "a.mp4", frames=9))) as source:
        frames = iter(source)
        next(frames)
    assert list(frames) == []
    source.close()
    assert source.problems == []


def test_a_video_that_ends_early_is_a_problem_at_the_end(tmp_path, caplog, capfd):
    path = make_video(tmp_path / "a.mp4", frames=60, options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[:len(data) * 6 // 10])
    with open_source(str(path)) as source:
        frames = list(source)
    assert 20 < len(frames) < 50
    assert source.problems == ["%s ends early: %d of 60 frames could be read; it is cut off or damaged"
                               % (path, len(frames))]
    assert caplog.records[-1].levelname == "ERROR"
    assert capfd.readouterr().err == ""


def cut_before_index(data):
    return data[:len(data) // 2]


def unknown_codec(data):
    assert b"avc1" in data
    return data.replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC")


@pytest.mark.parametrize("damage", [cut_before_index, unknown_codec], ids=["cut off", "unknown codec"])
def test_a_video_without_a_frame_is_an_error_with_the_command_that_converts_it(tmp_path, capfd, damage):
    path = make_video(tmp_path / "my clip.mp4")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceError, match="ffmpeg -i '.*my clip.mp4' -c:v libx264 -pix_fmt yuv420p") as caught:
        with open_source(str(path)) as source:
            list(source)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.mp4", "a_001.avi", "a.mkv"])
@pytest.mark.parametrize(("data", "message"), [(b"", r"empty \(0 bytes\)"), (b"no video\n" * 99, "not a video")],
                         ids=["zero bytes", "a text"])
def test_a_file_that_is_no_video_is_one_line(tmp_path, capfd, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert capfd.readouterr().err == ""
