"""Both ways of doing a top-down network's arithmetic."""
import pytest

from wholebody.runtime.native.library import HOW_TO_BUILD, find_library
from wholebody.runtime.topdown.choosing import choose_backend


@pytest.fixture(params=["numpy", "native"])
def backend(request):
    if request.param == "native" and find_library() is None:
        pytest.skip("the native library is not built; " + HOW_TO_BUILD)
    return choose_backend(request.param)
