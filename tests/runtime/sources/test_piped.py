"""Pictures on a pipe: MJPEG and raw ones."""
import io
import os
import threading
import time

import cv2
import numpy as np
import pytest

from wholebody.errors import SourceError
from wholebody.runtime.sources.address import parse_address
from wholebody.runtime.sources.piped import Piped, jpeg_end


def picture(seed, width=64, height=48):
    coarse = np.random.RandomState(seed).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def jpeg(image, **flags):
    return cv2.imencode(".jpg", image, [value for flag in flags.items() for value in flag])[1].tobytes()


def frames_of(data, address="-", piece=1000):
    """What the source makes of bytes that come in pieces."""
    end, start = os.pipe()

    def feed():
        with os.fdopen(start, "wb") as file:
            for at in range(0, len(data), piece):
                file.write(data[at:at + piece])
                file.flush()

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(end, "rb", buffering=0) as file:
        source = Piped(parse_address(address), file)
        try:
            return list(source), source
        finally:
            thread.join()


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
def test_mjpeg_is_cut_into_its_pictures(piece):
    pictures = [jpeg(picture(i)) for i in range(3)]
    frames, source = frames_of(b"".join(pictures), piece=piece)
    assert [frame.source for frame in frames] == ["stdin_%012d" % i for i in range(3)]
    for frame, data in zip(frames, pictures):
        np.testing.assert_array_equal(frame.image, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    assert source.problems == []
    assert not source.live


def test_progressive_pictures_and_thumbnails_in_headers_are_whole():
    progressive = cv2.imencode(".jpg", picture(1), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    thumbnail = jpeg(picture(2))
    exif = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = progressive[:2] + exif + progressive[2:]
    frames, _ = frames_of(progressive + with_thumbnail + progressive)
    assert len(frames) == 3
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame.image, frames[0].image)


def test_rubbish_between_pictures_is_stepped_over():
    one = jpeg(picture(1))
    frames, _ = frames_of(b"--boundary\r\nContent-Type: image/jpeg\r\n\r\n" + one + b"\r\n--boundary\r\n\r\n" + one)
    assert len(frames) == 2


def test_a_cut_off_last_picture_and_a_damaged_one_are_problems():
    one = jpeg(picture(1))
    damaged = one[:2] + b"\xff\xfe\x00\x04hi" + b"\xff\xd9"  # no picture in it
    frames, source = frames_of(one + damaged + one + one[:200])
    assert len(frames) == 2
    assert "could not be decoded" in source.problems[0]
    assert "cut off (200 bytes" in source.problems[1]


@pytest.mark.parametrize("pixels", ["bgr24", "rgb24", "nv12"])
def test_raw_pictures_have_the_size_that_is_told(pixels):
    drawn = np.random.RandomState(0)
    shape = (72, 64) if pixels == "nv12" else (48, 64, 3)
    raw = [drawn.randint(0, 256, shape).astype(np.uint8) for _ in range(3)]
    frames, source = frames_of(b"".join(r.tobytes() for r in raw), "-?format=%s&width=64&height=48" % pixels)
    expected = {"bgr24": lambda r: r, "rgb24": lambda r: r[:, :, ::-1],
                "nv12": lambda r: cv2.cvtColor(r, cv2.COLOR_YUV2BGR_NV12)}[pixels]
    assert len(frames) == 3
    for frame, each in zip(frames, raw):
        np.testing.assert_array_equal(frame.image, expected(each))
        assert frame.image.flags.c_contiguous
        assert frame.image.flags.writeable
    assert source.problems == []


def test_a_size_that_does_not_fit_shows_at_the_end():
    _, source = frames_of(bytes(64 * 48 * 3 + 100), "-?format=bgr24&width=64&height=48")
    assert source.problems == ["stdin: the last picture is cut off (100 bytes of it came)"]


@pytest.mark.parametrize("data", [b"", b"hello world", b"\x00" * 5000], ids=["nothing", "text", "zeros"])
def test_a_pipe_without_pictures_says_what_to_give(data):
    with pytest.raises(SourceError, match="not one picture came; pipe MJPEG into it"):
        frames_of(data)


def test_stop_ends_the_wait_for_a_program_that_says_nothing():
    end, start = os.pipe()
    with os.fdopen(end, "rb", buffering=0) as file, os.fdopen(start, "wb"):
        source = Piped(parse_address("-"), file)
        threading.Timer(0.05, source.stop).start()
        started = time.monotonic()
        assert list(source) == []
        assert time.monotonic() - started < 1.5


def test_looking_for_the_end_goes_on_where_it_stopped():
    data, at = bytearray(), 2
    whole = jpeg(picture(3))
    for byte in whole:
        data.append(byte)
        end, at = jpeg_end(data, at)
        assert end in (0, len(whole))
    assert end == len(whole)


def test_a_file_is_as_good_as_a_pipe(tmp_path):
    (tmp_path / "a.mjpeg").write_bytes(jpeg(picture(1)) * 2)
    with io.open(str(tmp_path / "a.mjpeg"), "rb") as file:
        assert len(list(Piped(parse_address("-"), file))) == 2
