"""Programs of the system that some tests use: where one is missing the test skips and names the apt line."""
import os
import shutil

import pytest


def need_program(program: str, package: str) -> str:
    """Path of a program; without it the test skips, or fails where scripts/setup-ci should have installed it."""
    path = shutil.which(program)
    if path:
        return path
    message = "%s is not installed: sudo apt install %s" % (program, package)
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
