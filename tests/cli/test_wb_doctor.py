"""wb-doctor from the outside: a table, JSON, and exit code 3 when something must be mended."""
import json

import pytest

from wholebody.cli import doctor
from wholebody.jetson.findings import Finding

ROWS = [Finding("Python", "ok", "3.8"), Finding("Power mode", "look", "15W", "sudo nvpmodel -m 0")]
BAD = Finding("Swap", "mend", "0 MB", "sudo swapon /swap")


def test_this_machine_is_examined(capsys):
    code = doctor.main(["--json"])
    said = json.loads(capsys.readouterr().out)
    assert code == (3 if said["to_mend"] else 0)
    names = [row["name"] for row in said["findings"]]
    assert len(names) >= 15
    assert {"Board", "Python", "TensorRT", "pycuda", "OpenCV", "GStreamer", "Power mode", "Swap", "Build",
            "Cameras", "Heat", "Storage"} <= set(names)
    assert {row["state"] for row in said["findings"]} <= {"ok", "look", "mend"}


@pytest.mark.parametrize("rows, code, last", [(ROWS, 0, "nothing must be mended"), (ROWS + [BAD], 3, "1 to mend")])
def test_the_exit_code_says_whether_something_must_be_mended(monkeypatch, capsys, rows, code, last):
    monkeypatch.setattr(doctor, "examine", lambda model: rows)
    assert doctor.main([]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok    Python      3.8"
    assert lines[1:3] == ["look  Power mode  15W", "                  -> sudo nvpmodel -m 0"]
    assert lines[-1] == last


def test_quiet_leaves_out_what_is_fine(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda model: ROWS)
    doctor.main(["-q"])
    assert "Python" not in capsys.readouterr().out


def test_a_model_that_is_not_there_is_one_line(capsys, tmp_path):
    assert doctor.main(["--model", str(tmp_path / "none.onnx")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
