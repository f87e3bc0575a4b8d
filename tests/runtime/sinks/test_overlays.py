"""People drawn on pictures and videos."""
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import wholebody
from wholebody.errors import MissingPackage, OutputError
from wholebody.poses import Poses
from wholebody.runtime.drawing import draw_poses
from wholebody.runtime.sinks import OverlayPictures, OverlayVideo, overlay_video, video_writers
from wholebody.runtime.sinks.video_writers import GstWriter
from wholebody.runtime.sources.gst_library import GstLibrary
from wholebody.skeletons import get_skeleton

cv2 = pytest.importorskip("cv2", reason="drawing needs OpenCV")
SRC = str(pathlib.Path(wholebody.__file__).resolve().parents[1])


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def stick(skeleton="COCO_17", score=1.0, **points):
    """Somebody of the named keypoints."""
    keypoints = np.zeros((1, len(get_skeleton(skeleton).keypoints), 2), np.float32)
    scores = np.zeros(keypoints.shape[:2], np.float32)
    for name, at in points.items():
        keypoints[0, get_skeleton(skeleton).index_of(name)] = at
        scores[0, get_skeleton(skeleton).index_of(name)] = score
    return Poses(keypoints, scores, scores.mean(axis=1), get_skeleton(skeleton))


def blank(height=300, width=400):
    return np.zeros((height, width, 3), np.uint8)


def test_a_limb_has_the_colour_of_its_second_keypoint():
    skeleton = get_skeleton("BODY_25")
    first, second = skeleton.limbs[0]
    image = blank()
    limb = {skeleton.keypoints[first]: (100, 20), skeleton.keypoints[second]: (100, 280)}
    draw_poses(image, stick("BODY_25", **limb))
    assert tuple(image[150, 100]) == skeleton.colors_rgb[second][::-1]
    assert tuple(image[20, 100]) == skeleton.colors_rgb[first][::-1]
    assert not image[:, 200:].any()


def test_bigger_people_get_thicker_limbs():
    def width(reach):
        image = blank(1200, 1600)
        draw_poses(image, stick(left_hip=(800, 600 - reach), left_knee=(800, 600 + reach)))
        return int(image[600].any(axis=1).sum())
    assert width(550) > width(250) > width(80) > 0


@pytest.mark.parametrize(("skeleton", "keypoint", "hidden", "shown"), [
    ("WHOLEBODY_133", "nose", 0.05, 0.06), ("WHOLEBODY_133", "face_8", 0.4, 0.41),
    ("WHOLEBODY_133", "left_thumb_4", 0.2, 0.21), ("WHOLEBODY_133", "right_little_4", 0.2, 0.21),
    ("BODY_135", "face_8", 0.4, 0.41), ("HAND_21", "thumb_4", 0.2, 0.21),
])
def test_each_part_has_its_threshold(skeleton, keypoint, hidden, shown):
    for score, visible in ((hidden, False), (shown, True)):
        poses = stick(skeleton, score=1.0, **{keypoint: (200, 100)})
        far = 1 if skeleton == "HAND_21" else 5  # somebody has an extent only with a point that is surely there
        poses.keypoints[0, far], poses.scores[0, far] = (20, 280), 1
        poses.scores[0, get_skeleton(skeleton).index_of(keypoint)] = score
        image = blank()
        draw_poses(image, poses)
        assert image[90:110, 190:210].any() == visible


@pytest.mark.parametrize("poses", [
    Poses.empty(get_skeleton("BODY_25")), stick(), stick(nose=(np.nan, 5), left_hip=(np.inf, 1)),
    stick(nose=(1e30, -1e30), left_hip=(-1e9, 50), left_knee=(1e9, 60)), stick(nose=(-50, -50)),
], ids=["nobody", "no keypoints", "not numbers", "far away", "outside"])
def test_odd_people_are_drawn_without_an_error(poses):
    draw_poses(blank(), poses)


def test_a_picture_is_written_and_the_frame_is_left_alone(tmp_path, item, people):
    frame, result, details = item(people(), "a")
    before = frame.image.copy()
    with OverlayPictures(tmp_path) as sink:
        sink.write(frame, result, details)
    assert names(tmp_path) == ["a_rendered.png"]
    drawn = before.copy()
    draw_poses(drawn, result.poses)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a_rendered.png")), drawn)
    np.testing.assert_array_equal(frame.image, before)
    assert (drawn != before).any()


def test_the_same_input_gives_the_same_png(tmp_path, item, people):
    for folder in ("a", "b"):
        OverlayPictures(tmp_path / folder).write(*item(people(count=3), "x"))
    assert (tmp_path / "a" / "x_rendered.png").read_bytes() == (tmp_path / "b" / "x_rendered.png").read_bytes()


def test_jpeg_can_be_asked_for_and_other_formats_are_an_error(tmp_path, item, people):
    OverlayPictures(tmp_path, fmt="jpg").write(*item(people(), "a"))
    assert names(tmp_path) == ["a_rendered.jpg"]
    with pytest.raises(OutputError, match="unknown picture format 'gif'; known: png, jpg"):
        OverlayPictures(tmp_path, fmt="gif")


def test_an_old_picture_stays_unless_overwriting(tmp_path, item, people):
    (tmp_path / "a_rendered.png").write_text("old")
    with pytest.raises(OutputError, match="exists; add --overwrite"):
        OverlayPictures(tmp_path, names=["a"])
    with pytest.raises(OutputError, match="exists; add --overwrite"):
        OverlayPictures(tmp_path).write(*item(people(), "a"))
    assert (tmp_path / "a_rendered.png").read_text() == "old"
    OverlayPictures(tmp_path, overwrite=True).write(*item(people(), "a"))
    assert cv2.imread(str(tmp_path / "a_rendered.png")) is not None


def test_without_pyav_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    def absent():
        raise MissingPackage("GStreamer does not load")
    monkeypatch.setattr(GstLibrary, "open", absent)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackage, match=r"av is not installed. Install it: pip install 'wholebody\[video\]'"):
        OverlayVideo(tmp_path / "a.mp4", 30)
    assert names(tmp_path) == []


@pytest.fixture
def av():
    return pytest.importorskip("av", reason="videos are written with PyAV")


def play(av, path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream, [frame.to_ndarray(format="bgr24") for frame in container.decode(stream)]


@pytest.mark.parametrize(("fps", "rate"), [(25.0, 25), (None, 30), (29.97002997, 29.97002997), (float("nan"), 30),
                                       (0, 30), (12.5, 12.5)])
def test_a_video_is_h264_at_the_rate_of_the_source(tmp_path, item, people, av, fps, rate):
    with OverlayVideo(tmp_path / "a.mp4", fps) as sink:
        for index in range(5):
            sink.write(*item(people(), index=index))
        assert "a.mp4" not in names(tmp_path)
    stream, frames = play(av, tmp_path / "a.mp4")
    assert names(tmp_path) == ["a.mp4"]
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert float(stream.average_rate) == pytest.approx(rate, rel=1e-4)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 5


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_frames_of_a_camera_are_shown_when_they_were_taken(tmp_path, item, people, av, ending):
    taken = [50.0, 50.033, 50.5, 50.5, 50.4999, 52.0]  # some were left out, and a clock that stands still
    with OverlayVideo(tmp_path / ("a." + ending), live=True) as sink:
        for index, at in enumerate(taken):
            frame, result, details = item(people(), index=index)
            sink.write(frame._replace(captured_at=at), result, details)
    with av.open(str(tmp_path / ("a." + ending))) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(np.array(shown) - shown[0], [0, 0.033, 0.5, 0.501, 0.502, 2.0], atol=2e-3)


@pytest.fixture
def gstreamer(monkeypatch):
    """Videos are written by GStreamer."""
    try:
        library = GstLibrary.open()
    except MissingPackage as error:
        pytest.skip(str(error))
    if not (library.has("x264enc") and library.has("h264parse")):
        pytest.skip("GStreamer has no encoder: sudo apt install gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad")
    monkeypatch.setattr(overlay_video, "choose_writer", lambda: GstWriter)
    monkeypatch.setattr(video_writers, "choose_writer", lambda: GstWriter)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("size", [(48, 64), (47, 63), (50, 66)], ids=["even", "odd", "padded lines"])
def test_gstreamer_writes_the_same_video(tmp_path, item, people, av, gstreamer, ending, size):
    shown = []
    with OverlayVideo(tmp_path / ("a." + ending), 25.0) as sink:
        for index in range(12):
            frame, result, details = item(people(), index=index, size=size)
            smooth = cv2.resize(frame.image[:4, :4], (size[1], size[0]))
            sink.write(frame._replace(image=smooth), result, details)
            shown.append(smooth)
    assert names(tmp_path) == ["a." + ending]
    stream, frames = play(av, tmp_path / ("a." + ending))
    assert stream.codec_context.name == "h264"
    assert [frame.shape for frame in frames] == [(size[0] + size[0] % 2, size[1] + size[1] % 2, 3)] * 12
    for frame, expected in zip(frames, shown):
        assert np.median(np.abs(frame[:size[0], :size[1]].astype(int) - expected)) < 20  # colours are halved
    with av.open(str(tmp_path / ("a." + ending))) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(np.diff(times), 1 / 25.0, atol=2e-3)


def test_gstreamer_leaves_no_half_video_either(tmp_path, item, people, gstreamer):
    sink = OverlayVideo(tmp_path / "a.mp4")
    sink.write(*item(people()))
    sink.abort()
    sink.abort()
    assert names(tmp_path) == []


@pytest.mark.parametrize(("size", "even"), [((47, 63), (48, 64)), ((48, 63), (48, 64)), ((1, 1), (2, 2))])
def test_odd_sizes_become_even(tmp_path, item, people, av, size, even):
    with OverlayVideo(tmp_path / "a.mp4", 30) as sink:
        sink.write(*item(people(), size=size))
    assert play(av, tmp_path / "a.mp4")[1][0].shape[:2] == even


def test_frames_of_another_size_are_fitted_to_the_first_and_said_once(tmp_path, item, people, av, caplog):
    with OverlayVideo(tmp_path / "a.mkv", 30) as sink:
        for index, size in enumerate([(48, 64), (96, 64), (300, 10), (24, 500)]):
            sink.write(*item(people(), index=index, size=size))
    assert [frame.shape for frame in play(av, tmp_path / "a.mkv")[1]] == [(48, 64, 3)] * 4
    assert len([r for r in caplog.records if "scaled and padded" in r.getMessage()]) == 1


def test_a_frame_of_another_size_is_centred_on_black():
    from wholebody.runtime.sinks.overlay_video import fit
    fitted = fit(np.full((96, 64, 3), 200, np.uint8), (64, 48))
    assert fitted.shape == (48, 64, 3)
    assert (fitted[:, 16:48] == 200).all()
    assert not fitted[:, :16].any()
    assert not fitted[:, 48:].any()


def test_an_exception_in_the_middle_leaves_no_video(tmp_path, item, people, av):
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the middle of a block
        with OverlayVideo(tmp_path / "a.mp4", 30) as sink:
            sink.write(*item(people()))
            raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_no_frames_give_no_video_and_a_line_in_the_log(tmp_path, av, caplog):
    with OverlayVideo(tmp_path / "a.mp4", 30):
        pass
    assert names(tmp_path) == []
    assert "a.mp4 is not written: there was no frame" in caplog.text


@pytest.mark.parametrize(("file", "message"), [
    ("a.xyz", "unknown kind of video '.xyz'; name it"), ("a", "unknown kind"), ("no/a.mp4", "mkdir -p"),
    ("old.mp4", "exists; add --overwrite")])
def test_a_video_that_cannot_be_written_is_an_error_before_the_work(tmp_path, av, file, message):
    (tmp_path / "old.mp4").write_text("old")
    with pytest.raises(OutputError, match=message):
        OverlayVideo(tmp_path / file, 30)
    assert names(tmp_path) == ["old.mp4"]


@pytest.mark.parametrize("limit", [0, 3000, 300000], ids=["at once", "at the end", "in the middle"])
def test_a_file_size_limit_is_an_output_error_and_leaves_nothing(tmp_path, av, limit):
    code = ("import resource, signal, sys; sys.path[:0] = [%r, %r]\n"
            "import numpy as np\n"
            "from conftest import item, people\n"
            "from wholebody.errors import OutputError\n"
            "from wholebody.runtime.sinks import OverlayVideo\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))\n"
            "try:\n"
            "    with OverlayVideo(%r, 30) as sink:\n"
            "        for index in range(%d): sink.write(*item(people(), index=index, size=(480, 640)))\n"
            "except OutputError as error: print(error)\n"
            % (SRC, str(pathlib.Path(__file__).parent), limit, limit, str(tmp_path / "a.mp4"),
               3 if limit < 10000 else 30))
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8", check=True)
    assert "cannot write %s: File too large" % (tmp_path / "a.mp4") in done.stdout
    assert names(tmp_path) == []
