"""The walls of the house: arrows run one way, and the heavy libraries stay out until they are called."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

LIBRARY = sorted((ROOT / "mnist_core").rglob("*.py"))
WEB = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
HEAVY = {"tensorflow", "keras"}
MODULES = [
    f"mnist_core.{path.stem}" for path in LIBRARY if path.parent.name == "mnist_core" and path.stem != "__init__"
]


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """The packages that these statements import."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def on_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from on_import(child)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_walker_sees_what_it_should() -> None:
    module = ast.parse("import a.b\nif x:\n    from c import d\nclass E:\n    import f\ndef g():\n    import h\n")
    assert imported(on_import(module)) == {"a", "c", "f"} and imported(ast.walk(module)) == {"a", "c", "f", "h"}
    assert len(LIBRARY) > 10 and len(WEB) > 3


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_library_knows_nothing_of_the_web(path: Path) -> None:
    """Not even inside a function."""
    assert not imported(ast.walk(tree(path))) & {"streamlit", "streamlit_drawable_canvas", "pages", "app"}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_library_imports_tensorflow_only_when_called(path: Path) -> None:
    assert not imported(on_import(tree(path))) & HEAVY


@pytest.mark.parametrize("path", WEB, ids=lambda path: path.stem)
def test_web_never_imports_tensorflow(path: Path) -> None:
    assert not imported(ast.walk(tree(path))) & (HEAVY | {"ray"})


IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_all_of_the_library_imports_without_the_heavy_ones() -> None:
    """In a fresh process, and the worker and the command line too: whatever is imported on the way counts."""
    assert {
        "mnist_core.worker",
        "mnist_core.__main__",
        "mnist_core.models.classifier",
        "mnist_core.training.loop",
    } <= set(MODULES)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "mnist_core" in loaded
    assert not loaded & (HEAVY | {"streamlit", "ray", "torch", "pages"})
