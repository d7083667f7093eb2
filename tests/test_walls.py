"""Imports point one way, and heavy libraries are loaded only by the functions that need them."""

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
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
TENSORFLOW = {"tensorflow", "keras"}

BASE = {"config", "constants", "errors", "fields", "files", "owners", "processes"}
"""Modules at the top of mnist_core. Every package may import them, and they import only one another."""
LAYERS = {
    "cli": {"export", "explain", "charts", "sweeps", "training", "jobs", "runs", "recipes", "evaluation"},
    "worker": {"training", "jobs", "runs"},
    "export": {"charts", "sweeps", "jobs", "runs", "recipes", "evaluation"},
    "explain": {"training", "runs", "recipes", "evaluation"},
    "charts": {"sweeps", "evaluation"},
    "sweeps": {"jobs", "runs", "recipes", "evaluation"},
    "training": {"runs", "recipes", "evaluation"},
    "jobs": {"runs", "recipes"},
    "runs": {"recipes"},
    "recipes": set(),
    "evaluation": set(),
}
"""Which packages of the upper half a package may import."""
FOUNDATION = ["handwriting", "drawing", "models", "networks", "data"]
"""The lower half: each may import those after it, and every package of the upper half may import all of them."""


def allowed_imports(package: str) -> set[str]:
    """The packages of mnist_core that a package may import."""
    if package in BASE:
        return BASE
    if package in FOUNDATION:
        return BASE | set(FOUNDATION[FOUNDATION.index(package) + 1 :])
    return BASE | set(FOUNDATION) | LAYERS[package]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Dotted names that these statements import; `from a.b import c` gives `a.b.c`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(nodes: Iterator[ast.AST]) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(nodes)}


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from run_on_import(child)


def package_of(path: Path) -> str:
    """`runs` for mnist_core/runs/run.py, `worker` for mnist_core/worker.py."""
    return path.relative_to(ROOT / "mnist_core").parts[0].removesuffix(".py")


def forbidden_imports(path: Path) -> list[str]:
    """One line for each import of a library module that its package may not have."""
    package = package_of(path)
    if package in ("__init__", "__main__"):
        return []
    allowed = allowed_imports(package) | {package}
    names = [name.split(".")[1] for name in imported_modules(ast.walk(parse(path))) if name.startswith("mnist_core.")]
    return [
        f"{path.relative_to(ROOT)} imports mnist_core.{name}, but {package} may import only {sorted(allowed)}. "
        f"Move the code that needs both to a package that may import {package} and {name}, or move what they share "
        f"down to a package below both (CONTRIBUTING.md, 'Where things are')."
        for name in sorted(set(names))
        if name not in allowed and not name.startswith("__")
    ]


def test_the_parser_finds_what_it_should() -> None:
    module = ast.parse("import a.b\nif x:\n    from c import d\nclass E:\n    import f\ndef g():\n    import h\n")
    assert top_level(run_on_import(module)) == {"a", "c", "f"} and top_level(ast.walk(module)) == {"a", "c", "f", "h"}
    assert set(imported_modules(ast.walk(module))) == {"a.b", "c.d", "f", "h"}
    assert len(LIBRARY) > 100 and len(PAGES) > 50


def test_every_package_has_its_place() -> None:
    packages = {path.name for path in (ROOT / "mnist_core").iterdir() if path.is_dir() and path.name[0] != "_"}
    modules = {path.stem for path in (ROOT / "mnist_core").glob("*.py") if path.stem[0] != "_"}
    assert packages | modules == BASE | set(LAYERS) | set(FOUNDATION)


def test_the_table_has_no_cycle() -> None:
    for package in LAYERS:
        seen, todo = set(), set(LAYERS[package])
        while todo:
            other = todo.pop()
            seen.add(other)
            todo |= LAYERS[other] - seen
        assert package not in seen, f"{package} reaches itself"


def test_packages_import_only_what_is_below_them() -> None:
    assert [line for path in LIBRARY for line in forbidden_imports(path)] == []


def test_a_wrong_import_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mnist_core" / "data" / "mnist.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f():\n    from mnist_core.runs.run import Run\n    import mnist_core.errors\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (line,) = forbidden_imports(path)
    assert "mnist_core/data/mnist.py imports mnist_core.runs" in line.replace("\\", "/")


def test_the_library_never_imports_the_pages() -> None:
    web = {"streamlit", "streamlit_drawable_canvas", "pages", "app"}
    assert [path for path in LIBRARY if top_level(ast.walk(parse(path))) & web] == []


def test_the_library_imports_tensorflow_only_inside_functions() -> None:
    assert [path for path in LIBRARY if top_level(run_on_import(parse(path))) & TENSORFLOW] == []


def test_pages_never_import_tensorflow_or_ray() -> None:
    assert [path for path in PAGES if top_level(ast.walk(parse(path))) & (TENSORFLOW | {"ray"})] == []


IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_importing_the_whole_library_loads_nothing_heavy() -> None:
    """In a new process, with the worker and the command line, and with everything that is imported on the way."""
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in LIBRARY]
    assert {"mnist_core.worker", "mnist_core.models.classifier", "mnist_core.training.loop"} <= set(modules)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "mnist_core" in loaded
    assert not loaded & (TENSORFLOW | {"streamlit", "ray", "torch", "pages"})
