"""Which module of a torch network a node of its ONNX graph came from."""
import re
from collections.abc import Collection
from typing import Any


def module_of(node: Any, modules: Collection[str]) -> str | None:
    """The module's qualified name, from the names torch's exporter gives to weights and nodes; None where unknown."""
    for name in node.input:
        owner = str(name).rpartition(".")[0]
        for module in (owner, owner.partition(".")[2]):  # a network within another has that one's attribute in front
            if module and module in modules:
                return module
    scope = str(node.name).strip("/").rpartition("/")[0]
    # A module that is called twice has _1 behind its name the second time.
    return _by_scope(scope, modules) or _by_scope(re.sub(r"_\d+$", "", scope), modules)


def _by_scope(scope: str, modules: Collection[str]) -> str | None:
    """Each part of a scope is a call: one within a Sequential repeats its name, and mere containers are absent.

    >>> _by_scope("first/trunk/trunk.0", ["trunk.0", "stages.first.trunk.0", "stages.other.trunk.0"])
    'stages.first.trunk.0'
    """
    parts = scope.split("/")
    calls = [part for part, after in zip(parts, [*parts[1:], ""]) if not after.startswith(part + ".")]
    while calls and calls[-1]:
        wanted = ".".join(calls)
        found = [module for module in modules if module == wanted or module.endswith("." + wanted)]
        if wanted in found or len(found) == 1:
            return wanted if wanted in found else found[0]
        calls = calls[1:]
    return None
