"""Mutation test: changes one operator or constant of the library at a time and counts how many changes a test notices.

    python tests/tools/mutants.py sample COVERAGE mutants.json     # draws 100 mutants on lines that tests run
    python tests/tools/mutants.py run mutants.json COVERAGE        # tries each one; --quick: by quick tests only

COVERAGE is the file that `pytest --cov=mnist_core --cov-branch --cov-context=test` writes: it says which tests run
which line. `run` works in a copy of the checkout, runs the quick ones of those tests, then the slow ones, and stops at
the first that fails. A mutant is stored as text (file, line, the text before and after), so that the same mutants can
be carried over to code that was rewritten.
"""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 100
"""Mutants to draw."""
TIMEOUT = 240.0
"""Seconds for the tests of one mutant. A mutant that makes them hang is noticed."""
NO_TESTS = 5
"""pytest's exit status where no test was selected."""
MOST_TESTS = 60
"""Covering tests to run for one mutant; a file that more of them come from is run as a whole."""

SWAPS: dict[type, str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.And: "or",
    ast.Or: "and",
}
"""An operator and what it becomes."""


@dataclass(frozen=True)
class Mutant:
    """One change: `before`, the text of `line` (1-based) in `file`, becomes `after`, in the function `scope`."""

    file: str
    line: int
    before: str
    after: str
    scope: str


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file whose operands stand on one line. Annotations and docstrings have none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    name = path.relative_to(ROOT).as_posix()

    def changed(node: ast.expr, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Mutant]:
        if node.lineno != node.end_lineno or left.end_col_offset is None:
            return
        text = lines[node.lineno - 1]
        between = text[left.end_col_offset : right.col_offset]
        if text.isascii() and old in between:
            swapped = between.replace(old, new, 1)
            after = text[: left.end_col_offset] + swapped + text[right.col_offset :]
            yield Mutant(name, node.lineno, text, after, ".".join(scope))

    def visit(node: ast.AST) -> Iterator[Mutant]:
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if named:
            scope.append(node.name)  # type: ignore[attr-defined]
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            op, right = node.ops[0], node.comparators[0]
            if type(op) in SWAPS:
                yield from changed(node, node.left, right, SYMBOLS[type(op)], SWAPS[type(op)])
        elif isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
            if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str):
                yield from changed(node, node.left, node.right, SYMBOLS[type(node.op)], SWAPS[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            yield from changed(node, node.values[0], node.values[1], SYMBOLS[type(node.op)], SWAPS[type(node.op)])
        elif isinstance(node, ast.Constant) and scope and type(node.value) in (int, bool) and node.end_col_offset:
            text = lines[node.lineno - 1]
            new = str(not node.value) if isinstance(node.value, bool) else str(node.value + 1)
            if text.isascii():
                after = text[: node.col_offset] + new + text[node.end_col_offset :]
                yield Mutant(name, node.lineno, text, after, ".".join(scope))
        for field, value in ast.iter_fields(node):
            if field in (
                "annotation",
                "returns",
                "decorator_list",
                "keywords" if isinstance(node, ast.ClassDef) else "",
            ):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from visit(child)
        if named:
            scope.pop()

    scope: list[str] = []
    yield from visit(ast.parse("\n".join(lines)))


SYMBOLS: dict[type, str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.And: "and",
    ast.Or: "or",
}
"""An operator as it is written."""


def tests_by_line(coverage: Path) -> dict[tuple[str, int], set[str]]:
    """(file, line) -> the tests that run it, from a coverage file with contexts (branch coverage stores arcs)."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    with sqlite3.connect(coverage) as data:
        rows = data.execute(
            "select file.path, context.context, arc.fromno, arc.tono from arc "
            "join file on file.id = arc.file_id join context on context.id = arc.context_id"
        )
        for path, context, start, end in rows:
            test = context.partition("|")[0]
            if test and "mnist_core/" in path:
                name = "mnist_core/" + path.rpartition("mnist_core/")[2]
                for line in (start, end):
                    found[name, line].add(test)
    return found


def sample(coverage: Path, target: Path) -> None:
    """Draws SAMPLE mutants among the lines that tests run."""
    covered = tests_by_line(coverage)
    files = sorted((ROOT / "mnist_core").rglob("*.py"))
    every = [mutant for path in files for mutant in mutants_of(path) if covered.get((mutant.file, mutant.line))]
    chosen = sorted(random.Random(0).sample(every, SAMPLE), key=lambda mutant: (mutant.file, mutant.line))
    target.write_text(json.dumps([asdict(mutant) for mutant in chosen], indent=1) + "\n", encoding="utf-8")
    print(f"{len(every):,} mutants on covered lines, {len(chosen)} drawn")


def chosen_tests(tests: set[str]) -> list[str]:
    """What to run: the tests themselves, or the files they are in where they are many."""
    plain = {test for test in tests if "[" not in test} | {test.partition("[")[0] for test in tests}
    return sorted(plain) if len(plain) <= MOST_TESTS else sorted({test.partition("::")[0] for test in plain})


def run(listed: Path, coverage: Path, quick: bool = False) -> None:
    """Tries each mutant in a copy of the checkout; prints one JSON line each, and the count at the end.

    Args:
        listed: the mutants, as `sample` writes them.
        coverage: the coverage file.
        quick: leave the tests that are marked slow out.
    """
    mutants = [Mutant(**row) for row in json.loads(listed.read_text(encoding="utf-8"))]
    covered = tests_by_line(coverage)
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        for name in subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
        every = sorted({test for mutant in mutants for test in chosen_tests(covered[mutant.file, mutant.line])})
        if failure := failing_test(copy, ["--collect-only", *every], "slow or not slow"):
            sys.exit(f"Without any mutant: {failure}")
        for number, mutant in enumerate(mutants):
            path = copy / mutant.file
            original = path.read_text(encoding="utf-8")
            lines = original.splitlines(keepends=True)
            if lines[mutant.line - 1].rstrip("\n") != mutant.before:
                sys.exit(f"{mutant.file}:{mutant.line} reads {lines[mutant.line - 1]!r}, expected {mutant.before!r}")
            lines[mutant.line - 1] = mutant.after + "\n"
            path.write_text("".join(lines), encoding="utf-8")
            tests = chosen_tests(covered[mutant.file, mutant.line])
            outcome = failing_test(copy, tests, "not slow") or ("" if quick else failing_test(copy, tests, "slow"))
            path.write_text(original, encoding="utf-8")
            killed += outcome != ""
            print(
                json.dumps({"number": number, **asdict(mutant), "tests": len(tests), "killed_by": outcome}), flush=True
            )
    print(f"{killed} of {len(mutants)} killed")


def failing_test(checkout: Path, tests: list[str], marked: str) -> str:
    """The first test so marked that fails, "timeout" where they hang, or "" where all pass."""
    if not tests:
        return ""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-m",
        marked,
        *tests,
    ]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    if done.returncode in (0, NO_TESTS):
        return ""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" - ")[0] if lines else f"pytest ended with {done.returncode}"


if __name__ == "__main__":
    command, *paths = [argument for argument in sys.argv[1:] if argument != "--quick"] or [""]
    if command == "sample" and len(paths) == 2:
        sample(Path(paths[0]), Path(paths[1]))
    elif command == "run" and len(paths) == 2:
        run(Path(paths[0]), Path(paths[1]), quick="--quick" in sys.argv)
    else:
        sys.exit(__doc__)
