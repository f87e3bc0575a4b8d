"""Previews without a run."""
import pytest
from fake_viewing import RunningPreview, web_threads


@pytest.fixture
def make_preview():
    """Previews that are closed in the end, with all their threads."""
    pytest.importorskip("cv2", reason="JPEGs are made with OpenCV")
    made = []

    def make(*args, **kwargs):
        made.append(RunningPreview(*args, **kwargs))
        return made[-1]

    yield make
    for running in made:
        running.preview.close()
    assert not web_threads()


@pytest.fixture
def running(make_preview):
    return make_preview()
