"""Imports run one way: words <- jetson <- engines <- runtime <- calibration <- export."""
import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ("words", "jetson", "engines", "runtime", "calibration", "export")
WORDS_ONLY = ("export/networks", "export/checkpoints")


def layer_of(module: str) -> str | None:
    """The layer of a wholebody module; None for other people's modules."""
    parts = module.split(".")
    if parts[0] != "wholebody":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else "words"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(folder: str) -> list[pathlib.Path]:
    return sorted((ROOT / folder).rglob("*.py"))


LAYERED = [(layer, path) for layer in LAYERS[1:] for path in files_of(layer)]


@pytest.mark.parametrize(("layer", "path"), LAYERED, ids=[str(p.relative_to(ROOT)) for _, p in LAYERED])
def test_a_layer_imports_only_itself_and_what_lies_below(layer: str, path: pathlib.Path) -> None:
    below = LAYERS[:LAYERS.index(layer) + 1]
    if any(str(path.relative_to(ROOT)).startswith(folder) for folder in WORDS_ONLY):
        below = ("words", layer)
    upward = {m for m in imports(ast.parse(path.read_text())) if layer_of(m) not in (None, *below)}
    assert not upward, f"{path.relative_to(ROOT)} imports upward: {sorted(upward)}"
    assert not any(m.startswith("wholebody.cli") for m in imports(ast.parse(path.read_text())))


WORDS = sorted((ROOT / "src/wholebody").glob("*.py")) + sorted((ROOT / "src/wholebody/cli").glob("*.py"))


@pytest.mark.parametrize("path", WORDS, ids=[str(p.relative_to(ROOT)) for p in WORDS])
def test_words_and_commands_import_upward_only_when_called(path: pathlib.Path) -> None:
    tree = ast.parse(path.read_text())
    late_allowed = path.parent.name == "cli" or path.name == "__init__.py"
    for node in ast.walk(tree):  # what only a type checker reads does not count
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    upward = {m for m in imports(tree) if layer_of(m) not in (None, "words")}
    at_import = {m for statement in tree.body if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
                 for m in imports(statement) if layer_of(m) not in (None, "words")}
    assert not at_import, f"imported when the module is: {sorted(at_import)}"
    assert late_allowed or not upward, f"only wholebody.open and the commands import upward: {sorted(upward)}"


def test_the_layers_hold_files_to_check() -> None:
    assert {layer for layer, _ in LAYERED} == set(LAYERS[1:])
