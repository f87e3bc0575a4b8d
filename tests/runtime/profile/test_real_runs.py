"""Profiles that were really measured, here and now, with whatever else this machine does."""
import numpy as np
import pytest
from slower_engine import SlowerEngine

from wholebody.default_model import default_model_path
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.runtime.estimator import estimator_around
from wholebody.runtime.profile import ProfileOptions, compare_profiles, profile_model, profiling, regressions

pytest.importorskip("cv2", reason="pictures are resized with OpenCV")
pytest.importorskip("onnxruntime", reason="runs networks: pip install onnxruntime")
IMAGE = np.random.RandomState(0).randint(0, 256, (96, 192, 3)).astype(np.uint8)
SECONDS = (2.0, 4.0, 6.0)  # longer where the shorter one is mistaken, as `measure longer` says


@pytest.fixture
def measured(monkeypatch):
    """A short profile of the built-in network, by itself or with a part of its work more."""
    def measure(more, seconds):
        def open_it(model):
            engine = open_engine(model, OpenOptions(threads=1))
            return estimator_around(SlowerEngine(engine, more), net_resolution="192x96", threads=1)
        monkeypatch.setattr(profiling, "open_whole", open_it)
        return profile_model(default_model_path(), IMAGE, ProfileOptions(seconds, people=(1,)))
    return measure


@pytest.mark.parametrize("more, called", [(0.0, False), (0.2, True)], ids=["identical", "20 % more work"])
@pytest.mark.parametrize("pairs", [1, pytest.param(3, marks=pytest.mark.long)])
def test_of_real_runs_a_planted_regression_is_called_one_and_identical_builds_are_not(measured, more, called, pairs):
    for _ in range(pairs):
        found = []
        for seconds in SECONDS:
            changes = compare_profiles(measured(0.0, seconds), measured(more, seconds))
            found.append([change.what for change in regressions(changes)])
            if ("engine" in found[-1]) == called and bool(found[-1]) == called:
                break
        else:
            pytest.fail("called a regression: %s" % found)
