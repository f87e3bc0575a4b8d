"""wb-run --soak for real: a camera of GStreamer's, the whole pipeline, and memory that stays."""
import json
import os
import pathlib

import pytest

from wholebody.cli.run import main
from wholebody.errors import MissingPackage
from wholebody.runtime.sources.gst_library import GstLibrary

MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "mannequins" / "mannequin.onnx"
CAMERA = "gst://videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1"


@pytest.mark.skipif(not MODEL.is_file(), reason="the mannequins' network is not here")
def test_a_minute_of_a_camera_does_not_grow(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
    try:
        if not GstLibrary.open().has("videotestsrc"):
            raise MissingPackage("GStreamer has no videotestsrc: sudo apt install gstreamer1.0-plugins-base")
    except MissingPackage as error:
        pytest.skip(str(error))
    seconds = "60" if os.environ.get("CI") else "12"
    log = tmp_path / "soak.jsonl"
    status = main(["--engine", str(MODEL), "--source", CAMERA, "--net-resolution", "128x96", "--duration", seconds,
                   "--soak", str(log), "--threads", "1", "--json"])
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert status == 0, said.err
    assert ("MB a minute" if seconds == "60" else "too short to tell") in said.err
    assert summary["frames"] > 10 * float(seconds)
    assert len(log.read_text().splitlines()) > 0.8 * float(seconds)


def test_options_of_a_pipe_are_no_flag(capsys):
    assert main(["--engine", str(MODEL), "--source", "-?format=bgr24"]) == 1
    assert "raw pictures need their size" in capsys.readouterr().err
