"""Which package may import which, and which libraries load only when they are used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

LIBRARY = sorted((ROOT / "mnist_core").rglob("*.py"))
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
TENSORFLOW = {"tensorflow", "keras"}

BASE = {
    "config",
    "constants",
    "errors",
    "fields",
    "files",
    "guesses",
    "limits",
    "liveness",
    "locks",
    "owners",
    "processes",
    "wording",
}
"""Modules at the top of mnist_core, and `files`. Every package may import them, and they import only one another."""
LAYERS = {
    "cli": {
        "reproduction",
        "export",
        "explain",
        "charts",
        "sweeps",
        "training",
        "jobs",
        "runs",
        "recipes",
        "evaluation",
    },
    "worker": {"training", "jobs", "runs"},
    "export": {"charts", "sweeps", "jobs", "browser", "runs", "recipes", "evaluation"},
    "reproduction": {"export", "runs", "recipes", "evaluation"},
    "explain": {"training", "runs", "recipes", "evaluation"},
    "charts": {"sweeps", "evaluation"},
    "sweeps": {"jobs", "runs", "recipes", "evaluation"},
    "training": {"browser", "runs", "recipes", "evaluation"},
    "jobs": {"runs", "recipes"},
    "runs": {"recipes"},
    "recipes": set(),
    "evaluation": set(),
    "browser": {"runs"},
}
"""Package of the upper half -> the packages of the upper half that it may import."""
FOUNDATION = ["handwriting", "drawing", "models", "networks", "data"]
"""The lower half. Each package may import those after it; every package of the upper half may import all of them."""


def allowed_imports(package: str) -> set[str]:
    """The packages of mnist_core that a package may import."""
    if package in BASE:
        return BASE
    if package in FOUNDATION:
        return BASE | set(FOUNDATION[FOUNDATION.index(package) + 1 :])
    return BASE | set(FOUNDATION) | LAYERS[package]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names that these statements import; `from a.b import c` gives `a.b.c`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_libraries(nodes: Iterable[ast.AST]) -> set[str]:
    """The first part of each imported name."""
    return {name.partition(".")[0] for name in imported_modules(nodes)}


def nodes_run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from nodes_run_on_import(child)


def package_of(path: Path) -> str:
    """`runs` for mnist_core/runs/run.py, `worker` for mnist_core/worker.py."""
    return path.relative_to(ROOT / "mnist_core").parts[0].removesuffix(".py")


def forbidden_imports(path: Path) -> list[str]:
    """An explanation for each import that the package of a library module may not have."""
    package = package_of(path)
    if package in ("__init__", "__main__"):
        return []
    allowed = allowed_imports(package) | {package}
    modules = imported_modules(ast.walk(parse(path)))
    imported = {module.split(".")[1] for module in modules if module.startswith("mnist_core.")}
    return [
        explain_forbidden_import(path, package, name)
        for name in sorted(imported - allowed)
        if not name.startswith("__")
    ]


def explain_forbidden_import(path: Path, package: str, imported: str) -> str:
    """Says in one sentence where the code belongs."""
    above_both = [name for name in LAYERS if {package, imported} <= allowed_imports(name) | {name}]
    return (
        f"{path.relative_to(ROOT)} imports mnist_core.{imported}, which {package} may not: put code that needs both "
        f"into a package that may import both ({', '.join(above_both) or 'there is none'}), or move what they share "
        "down into a package that both may import (the tables are in tests/test_walls.py)."
    )


def test_a_forbidden_import_is_found_and_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mnist_core" / "data" / "mnist.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f():\n    from mnist_core.runs.run import Run\n    import mnist_core.errors\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (line,) = forbidden_imports(path)
    line = line.replace("\\", "/")
    assert "mnist_core/data/mnist.py imports mnist_core.runs" in line
    assert "cli, worker, export" in line, "packages that may import data and runs"


def test_imports_are_found_at_every_level() -> None:
    module = ast.parse("import a.b\nif x:\n    from c import d\nclass E:\n    import f\ndef g():\n    import h\n")
    assert imported_libraries(nodes_run_on_import(module)) == {"a", "c", "f"}
    assert imported_libraries(ast.walk(module)) == {"a", "c", "f", "h"}
    assert set(imported_modules(ast.walk(module))) == {"a.b", "c.d", "f", "h"}
    assert len(LIBRARY) > 100 and len(PAGES) > 50


def test_every_package_is_in_the_table() -> None:
    packages = {path.name for path in (ROOT / "mnist_core").iterdir() if path.is_dir() and path.name[0] != "_"}
    modules = {path.stem for path in (ROOT / "mnist_core").glob("*.py") if path.stem[0] != "_"}
    assert packages | modules == BASE | set(LAYERS) | set(FOUNDATION)


def test_the_table_has_no_cycle() -> None:
    for package in LAYERS:
        reached, to_visit = set(), set(LAYERS[package])
        while to_visit:
            other = to_visit.pop()
            reached.add(other)
            to_visit |= LAYERS[other] - reached
        assert package not in reached, f"{package} imports itself by way of other packages"


def test_packages_import_only_what_is_below_them() -> None:
    forbidden = [line for path in LIBRARY for line in forbidden_imports(path)]
    assert not forbidden, "\n".join(forbidden)


def test_the_library_never_imports_the_pages() -> None:
    web = {"streamlit", "streamlit_drawable_canvas", "pages", "app"}
    assert [path for path in LIBRARY if imported_libraries(ast.walk(parse(path))) & web] == []


def test_the_library_imports_tensorflow_only_inside_functions() -> None:
    assert [path for path in LIBRARY if imported_libraries(nodes_run_on_import(parse(path))) & TENSORFLOW] == []


def test_pages_never_import_tensorflow_or_ray() -> None:
    assert [path for path in PAGES if imported_libraries(ast.walk(parse(path))) & (TENSORFLOW | {"ray"})] == []


WRITES = {"write_text", "write_bytes", "touch", "mkdir", "rmdir", "unlink", "rename", "symlink_to", "chmod"}
"""Methods of Path that change a disk. `replace` does, too, when it has one argument."""
WRITING_MODULES = {"shutil", "tempfile"}
WRITING_OS = {"replace", "rename", "remove", "unlink", "makedirs", "mkdir", "rmdir", "truncate"}
OTHER_WRITERS = {
    "files/write.py": "what writes files",
    "files/folders.py": "what makes, moves and deletes folders",
    "files/leftovers.py": "deletes what killed processes have left",
    "data/download.py": "pooch downloads into a scratch folder; `chmod`",
    "handwriting/pen_digits.py": "a download in the system's folder for temporary files",
    "processes.py": "its priority, in /proc",
}
"""Modules that write by themselves, and what. TensorFlow writes events/ and SQLite study.db."""


def writes_in(module: ast.Module) -> list[str]:
    """The calls in a module that write to a disk."""
    return [ast.unparse(call) for call in ast.walk(module) if isinstance(call, ast.Call) and is_write(call)]


def is_write(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name == "open":
        modes = [
            *call.args[0 if owner else 1 :],
            *(keyword.value for keyword in call.keywords if keyword.arg == "mode"),
        ]
        texts = {each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)}
        return any(set(text) & set("wax+") and len(text) <= 3 for text in texts)
    if (owner in WRITING_MODULES and name != "disk_usage") or (owner == "os" and name in WRITING_OS):
        return True
    if name == "replace" and owner:
        return len(call.args) == 1 and not call.keywords
    return bool(owner) and name in WRITES


@pytest.mark.parametrize(
    "code", ["path.open('w')", "open(path, 'ab')", "path.replace(target)", "os.replace(a, b)", "shutil.rmtree(a)"]
)
def test_a_write_is_found(code: str) -> None:
    assert writes_in(ast.parse(code)) == [code]


@pytest.mark.parametrize(
    "code", ["path.open('rb')", "open('x')", "text.replace('a', 'b')", "replace(status, a='x')", "shutil.disk_usage(a)"]
)
def test_what_only_reads_is_no_write(code: str) -> None:
    assert writes_in(ast.parse(code)) == []


def test_only_one_package_writes_files() -> None:
    library = ROOT / "mnist_core"
    written = {path.relative_to(library).as_posix(): calls for path in LIBRARY if (calls := writes_in(parse(path)))}
    others = {name: calls for name, calls in written.items() if name not in OTHER_WRITERS}
    assert others == {}, "write through a function of mnist_core/files/"
    assert set(written) == set(OTHER_WRITERS), "a module of this list writes no more: take it out"
    assert [call for path in PAGES for call in writes_in(parse(path))] == []


OTHER_READERS = {
    "browser/bundle.py": "our own JavaScript",
    "export/html_page.py": "our own JavaScript",
    "export/try_model.py": "what `unzip` has just written",
    "export/unzip.py": "the entries of the zip that is imported",
    "export/validate_binary.py": "what `unzip` has just written",
    "export/validate_json.py": "what `unzip` has just written",
    "files/folders.py": "our own examples",
    "files/read.py": "what opens files",
    "handwriting/letters.py": "our own letters",
    "handwriting/pen_digits.py": "an archive that was just downloaded",
    "liveness.py": "the system's id of this boot, in /proc",
    "data/mnist_files.py": "an array in a file that is open",
}
"""Modules that open files by themselves, and which."""


def reads_in(module: ast.Module) -> list[str]:
    """The calls in a module that open a file to read it."""
    calls = [each for each in ast.walk(module) if isinstance(each, ast.Call) and not is_write(each)]
    named = [
        (each, each.func.attr if isinstance(each.func, ast.Attribute) else ast.unparse(each.func)) for each in calls
    ]
    return [ast.unparse(each) for each, name in named if name in ("open", "read_text", "read_bytes")]


def test_files_of_runs_are_opened_by_what_opens_only_regular_files() -> None:
    """A pipe or /dev/zero in the place of a file is an error, and nobody waits for it."""
    library = ROOT / "mnist_core"
    opened = {path.relative_to(library).as_posix(): calls for path in LIBRARY if (calls := reads_in(parse(path)))}
    others = {name: calls for name, calls in opened.items() if name not in OTHER_READERS}
    assert others == {}, "open it with a function of mnist_core/files/read.py"
    assert set(opened) == set(OTHER_READERS), "a module of this list opens no file any more: take it out"


IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.slow
def test_importing_the_whole_library_loads_nothing_heavy() -> None:
    """In a new process, with the worker, the command line, and everything that they import."""
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
