"""The benchmark for a machine with a GPU runs through on the fake one; its times mean nothing there."""
import importlib.util
import json
import pathlib

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "benchmarks" / "gpu_kernels.py"


@pytest.fixture
def script(gpu, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_kernels", str(SCRIPT))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in (("SCENES", (("COCO_18", 2, 60),)), ("FILL_BYTES", 1 << 16), ("WARM_UP", 1),
                        ("PICTURE", (96, 54)), ("CROP", (40, 30)), ("SIZE", (64, 48)), ("CELLS", (23, 41))):
        monkeypatch.setattr(module, name, value)
    return module


def test_every_row_agrees_and_is_written(script, tmp_path, capsys):
    assert script.main(["--runs", "2", "--json", str(tmp_path / "out.json")]) == 0
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [(row["what"], row.get("type") or row["people"]) for row in rows] == [
        ("decode", "float32"), ("preprocess", "float32"), ("decode", "float16"), ("preprocess", "float16"),
        ("crops", 1), ("crops", 20)]
    assert all(row["agrees"] for row in rows)
    assert rows[0]["same_bytes"]
    assert rows[0]["found"] == 2
    assert rows[0]["us"]["p50"] > 0
    assert rows[0]["us_graph"]["p50"] > 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_result_that_differs_is_status_3(script, tmp_path, monkeypatch):
    class Shifted(script.PafDecoder):
        def __call__(self, heatmaps, pafs):
            poses = super().__call__(heatmaps, pafs)
            return poses.with_keypoints(poses.keypoints + np.float32(0.02))
    monkeypatch.setattr(script, "PafDecoder", Shifted)
    assert script.main(["--runs", "1", "--json", str(tmp_path / "out.json")]) == 3
