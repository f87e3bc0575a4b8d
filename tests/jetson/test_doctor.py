"""wb-doctor's questions, each on a machine where it goes wrong: fake packages, fake programs, roots of files."""
import os
import stat

import pytest

from wholebody.jetson import doctor_board, doctor_packages
from wholebody.jetson.identity import Board

ORIN = Board("NVIDIA Jetson Orin Nano Developer Kit", "8.7", "35.4.1", "11.4")


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder that child processes import from first."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return write


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Fake programs, and nothing else on PATH but the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", "%s%s/usr/bin%s/bin" % (folder, os.pathsep, os.pathsep))

    def write(name, text):
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(stat.S_IRWXU)
    return write


def written(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_tensorrt_that_is_there_is_fine(modules):
    modules("tensorrt.py", "__version__ = '8.5.2.2'\n")
    assert doctor_packages.check_tensorrt(True)[1:3] == ("ok", "8.5.2.2")


@pytest.mark.parametrize("text, found", [
    ("raise ImportError('libnvinfer.so.8: cannot open shared object')", "ImportError: libnvinfer.so.8: cannot open"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "importing it ends the process with signal 11"),
], ids=["a library is missing", "it crashes"])
def test_tensorrt_that_breaks_is_to_mend_on_a_board_and_a_look_elsewhere(modules, text, found):
    modules("tensorrt.py", text)
    on_board, on_pc = doctor_packages.check_tensorrt(True), doctor_packages.check_tensorrt(False)
    assert (on_board.state, on_pc.state) == ("mend", "look")
    assert on_board.found.startswith(found)
    assert on_board.mend


@pytest.mark.parametrize("version, state", [("1.19.5", "ok"), ("1.24.0", "look"), ("2.1.0", "look")])
def test_a_numpy_too_new_for_tensorrt_8_is_seen(modules, version, state):
    modules("numpy.py", "__version__ = %r\n" % version)
    assert doctor_packages.check_numpy("8.5.2.2").state == state
    assert doctor_packages.check_numpy("10.3.0").state == "ok"


CV2 = "__version__ = '4.9'\ndef getBuildInformation():\n    return '  Video I/O:\\n    GStreamer:  %s\\n'\n"


@pytest.mark.parametrize("where, gstreamer, state", [
    ("site-packages/cv2.py", "NO", "look"), ("site-packages/cv2.py", "YES (1.16.3)", "ok"),
    ("dist/cv2.py", "NO", "ok")])
def test_a_wheel_that_shadows_the_systems_opencv_is_named(tmp_path, monkeypatch, where, gstreamer, state):
    written(tmp_path, {where: CV2 % gstreamer})
    monkeypatch.setenv("PYTHONPATH", str((tmp_path / where).parent))
    finding = doctor_packages.check_opencv(True)
    assert finding.state == state
    assert ("pip uninstall opencv-python" in finding.mend) == (state == "look")
    assert doctor_packages.check_opencv(False).state == "ok"


def test_a_board_is_named_with_its_jetpack(tmp_path):
    root = written(tmp_path, {"proc/device-tree/compatible": "nvidia,p3767-0005\0nvidia,tegra234\0"})
    assert doctor_board.check_board(ORIN, root)[1:3] == ("ok", "Jetson Orin Nano, L4T 35.4.1 (JetPack 5.1.2)")
    assert doctor_board.check_board(ORIN._replace(model="?", l4t="99.0"), str(tmp_path / "no")).state == "look"
    assert doctor_board.check_board(Board()).state == "ok"


def test_missing_elements_of_gstreamer_are_named(programs):
    assert doctor_board.check_gstreamer(False).state == "ok"
    programs("gst-inspect-1.0", "[ $1 = nvvidconv ] || [ $1 = nvv4l2decoder ] || [ $1 = nvv4l2h264enc ]\n")
    finding = doctor_board.check_gstreamer(True)
    assert (finding.state, finding.found) == ("mend", "no element nvarguscamerasrc")
    programs("gst-inspect-1.0", "exit 0\n")
    assert doctor_board.check_gstreamer(True).state == "ok"


@pytest.mark.parametrize("said, state", [("NV Power Mode: MAXN\n0", "ok"), ("NV Power Mode: 15W\n2", "look"),
                                         ("?", "look")])
def test_a_slow_power_mode_is_seen(programs, tmp_path, said, state):
    programs("nvpmodel", "echo '%s'\n" % said)
    root = written(tmp_path, {"etc/nvpmodel.conf": "< POWER_MODEL ID=8 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n"})
    finding = doctor_board.check_power(True, root)
    assert finding.state == state
    assert finding.found != "15W (2), slower than MAXN (8)" or "nvpmodel -m 8" in finding.mend


@pytest.mark.parametrize("total, available, swap, states", [
    (4000000, 3000000, 0, ["ok", "mend"]), (4000000, 3000000, 4000000, ["ok", "ok"]),
    (16000000, 500000, 0, ["mend", "ok"]), (16000000, 9000000, 0, ["ok", "ok"])],
    ids=["a Nano without swap", "a Nano with swap", "all in use", "plenty"])
def test_memory_that_will_not_do_is_to_mend(tmp_path, total, available, swap, states):
    root = written(tmp_path, {"proc/meminfo": "MemTotal: %d kB\nMemAvailable: %d kB\nSwapTotal: %d kB\nSwapFree: 0 kB\n"
                                              % (total, available, swap)})
    findings = doctor_board.check_memory(root)
    assert [finding.state for finding in findings] == states
    assert all(bool(finding.mend) == (finding.state == "mend") for finding in findings)


@pytest.mark.parametrize("temperature, state", [("41000", "ok"), ("74000", "look"), ("91000", "mend"), ("", "ok")])
def test_heat_is_seen(tmp_path, temperature, state):
    root = written(tmp_path, {"sys/class/thermal/thermal_zone0/type": "tj-thermal",
                              "sys/class/thermal/thermal_zone0/temp": temperature,
                              "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
                              "sys/class/thermal/cooling_device0/cur_state": "2"})
    finding = doctor_board.check_heat(root)
    assert finding.state == state
    assert "slowed down: cpufreq-cpu0 at 2" in finding.found


def test_a_camera_without_permission_is_to_mend(tmp_path, monkeypatch):
    root = written(tmp_path, {"dev/video0": "", "dev/video1": ""})
    monkeypatch.setattr(doctor_board.os, "access", lambda path, mode: not path.endswith("1"))  # root may open all
    assert doctor_board.check_cameras(root)[1:3] == ("mend", "no permission for /dev/video1")


def test_cameras_are_listed_by_device(tmp_path):
    assert doctor_board.check_cameras(written(tmp_path, {"dev/video0": ""}))[1:3] == ("ok", "/dev/video0")
    assert doctor_board.check_cameras(str(tmp_path / "none")).state == "ok"


def test_a_folder_that_is_not_there_is_a_look(tmp_path):
    assert doctor_board.check_storage(str(tmp_path)).state in ("ok", "mend")
    assert doctor_board.check_storage(str(tmp_path / "none")).state == "look"
