"""The video that wb-run writes, seen by somebody else's decoder."""
import json
import pathlib
import subprocess

import onnx_bytes
import pytest
from sticks import draw_sticks
from system_packages import need_program

from wholebody.card import card_from_json
from wholebody.cli.run import main
from wholebody.engines.onnxfile import with_card

pytest.importorskip("av", reason="videos are written with PyAV: pip install '.[video]'")


def test_ffmpeg_plays_every_frame_of_the_video(tmp_path: pathlib.Path) -> None:
    ffmpeg, ffprobe = need_program("ffmpeg", "ffmpeg"), need_program("ffprobe", "ffmpeg")
    (tmp_path / "net.onnx").write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    raw = b"".join(draw_sticks(count).tobytes() for count in (0, 1, 2, 3, 4, 3, 2))
    subprocess.run([ffmpeg, "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "112x64", "-r", "25", "-i", "-",
                    "-c:v", "ffv1", str(tmp_path / "in.mkv")], input=raw, check=True)
    assert main(["--engine", str(tmp_path / "net.onnx"), "--source", str(tmp_path / "in.mkv"),
                 "--video", str(tmp_path / "out.mp4")]) == 0
    probe = subprocess.run([ffprobe, "-v", "error", "-count_frames", "-show_streams", "-of", "json",
                            str(tmp_path / "out.mp4")], check=True, capture_output=True, encoding="utf-8")
    stream, = json.loads(probe.stdout)["streams"]
    assert probe.stderr == ""
    assert {key: stream[key] for key in ("codec_name", "pix_fmt", "width", "height", "r_frame_rate")} == {
        "codec_name": "h264", "pix_fmt": "yuv420p", "width": 112, "height": 64, "r_frame_rate": "25/1"}
    assert stream["nb_read_frames"] == "7"
