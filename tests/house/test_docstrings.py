"""The examples in docstrings are run."""
import doctest
import importlib
import pkgutil

import pytest

import wholebody

MODULES = sorted(module.name for module in pkgutil.walk_packages(wholebody.__path__, "wholebody.")
                 if not module.name.endswith(("__main__", "._wholebody")))  # the last is a C library, no module


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_to_run() -> None:
    assert sum(bool(doctest.DocTestFinder().find(importlib.import_module(name))) for name in MODULES) > 10
