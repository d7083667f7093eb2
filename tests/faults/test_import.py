"""Every kind of damage to every file of a run, sent as a zip: refused, or imported and shown by every page and command.

The mutations are those of `mutations`, packed as a zip would bring them: a link or a pipe is an entry with such a mode.
What is imported is opened by pages and commands, which must show no traceback.
"""

from __future__ import annotations

import io
import json
import logging
import random
import shutil
import stat
import time
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import streamlit as st

from mnist_core.errors import ModelError, RunError
from mnist_core.export import import_budget, try_model, validate
from mnist_core.export.archive import unpack_run
from mnist_core.runs.run import Run
from pages.ui.shared import analysis_caches
from tests.compatibility.test_older_files import RUN
from tests.faults.make_attacks import FOLDER
from tests.faults.mutations import Mutation, mutations, sample
from tests.faults.report import first_case, is_long, longest_seconds, scale, session_row, write_table
from tests.faults.run_zips import ID, Entry, entry, healthy_files, zipped
from tests.faults.visitor import (
    CASE_SECONDS,
    Findings,
    Visitor,
    forget_peak,
    memory_mb,
    time_limit,
    visit_lists,
    visit_one,
)
from tests.pages.conftest import component_manifests_scanned_once
from tests.support import names_in

__all__ = ["component_manifests_scanned_once"]  # a fixture

CASES = scale(short=10, long=2_000)
VISITED = scale(short=1, long=100)
"""How many of the imported runs are opened by pages and commands."""
SECONDS = longest_seconds(short=120, long=3_600)
"""After this time no more zips are imported; the table says how many were."""
TOGETHER = 10
"""Imported runs that are listed at once."""
MAX_RATIO = 20
FREE_BYTES = 1_000_000
"""A small run may take this much on disk, whatever the size of its zip."""
IMPORT_MEMORY_MB = 60
PAGE_MEMORY_MB = 200
MODES = dict.fromkeys(("link", "loop", "dangling"), stat.S_IFLNK) | {"device": stat.S_IFCHR, "fifo": stat.S_IFIFO}
"""Special file -> its kind in the mode of an entry."""


def healthy_run(folder: Path) -> Run:
    """A run of an earlier version, with every file that a zip can contain."""
    run = Run(folder / RUN)
    run.path.mkdir(parents=True)
    for name, content in healthy_files().items():
        (run.path / name).write_bytes(content)
    probe = {"name": "01234567", "image": "AAAA" * 261 + "AA=="}
    texts = {
        "label.json": {"name": "healthy", "starred": True, "note": "text"},
        "control.json": {"learning_rate": 0.001, "epochs": 2, "paused": False, "batches": 1},
        "probes.json": {"probes": [probe]},
    }
    for name, value in texts.items():
        (run.path / name).write_text(json.dumps(value))
    run.log.write_text("a line\n")
    return run


def packed(run: Run, mutation: Mutation) -> bytes:
    """The zip of a run with one damaged file."""
    entries: list[Entry] = [
        (f"{ID}/{path.name}", path.read_bytes()) for path in sorted(run.path.iterdir()) if path.name != mutation.file
    ]
    name, content = f"{ID}/{mutation.file}", mutation.content
    if content is not None:
        entries.append((name, content))
    elif mutation.special in MODES:
        entries.append((entry(name, MODES[mutation.special] | 0o644), b"/dev/zero"))
    elif mutation.special != "missing":  # a folder
        entries += [(f"{name}/", b""), (f"{name}/0000.npz", b"x")]
    return zipped(entries)


class ModelTrials:
    """Tries the models of a run as an import does, in a process that takes a second; the same files only once.

    Most mutations are of other files.
    """

    def __init__(self) -> None:
        self._run_module, self._tried = validate.run_module, dict[tuple[bytes | None, ...], CompletedProcess[str]]()

    def __call__(self, module: str, folder: str, **options: Any) -> CompletedProcess[str]:
        paths = [Path(folder) / name for name in ("spec.json", *try_model.CHECKS)]
        files = tuple(path.read_bytes() if path.exists() else None for path in paths)
        if files not in self._tried:
            self._tried[files] = self._run_module(module, folder, **options)
        return self._tried[files]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="it measures memory as Linux does")
def test_damaged_zips_are_refused_or_open_everywhere(
    runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_gradients = ModelError("Gradients are tested elsewhere.")
    monkeypatch.setattr(analysis_caches, "gradient_helper", lambda: (_ for _ in ()).throw(no_gradients))
    monkeypatch.setattr(validate, "run_module", ModelTrials())
    caplog.set_level(logging.ERROR)
    findings, outcomes, memory = Findings(), Counter[str](), Counter[str]()
    visitor, healthy = Visitor(findings, caplog), healthy_run(tmp_path / "healthy")
    began, waiting, ratio = time.monotonic(), list[tuple[str, Run]](), 0.0
    shutil.copytree(healthy.path, runs_root / RUN)
    cases = sample(mutations(healthy.path), CASES)
    zips = [(str(mutation), packed(healthy, mutation)) for mutation in cases]
    zips += [(path.stem, path.read_bytes()) for path in sorted(FOLDER.glob("*.zip"))] if is_long() else []
    random.Random(0).shuffle(zips)
    tried = 0
    for what, content in zips[first_case() :]:
        if time.monotonic() - began > SECONDS:
            break
        tried += 1
        if is_long() and tried % 100 == 0:
            print(f"{tried:,} zips, {len(findings.failed)} failed", flush=True)
        forget_peak()
        before, names = memory_mb("VmRSS"), names_in(runs_root)
        try:
            with time_limit(CASE_SECONDS, what):
                run = unpack_run(io.BytesIO(content))
        except RunError as error:
            outcomes["refused"] += 1
            if len(str(error)) > 1000 or names_in(runs_root) != names:
                findings.failed.append(f"{what}: something is left behind, or {error!s:.300}")
        except Exception as error:  # what a visitor would see as "Something went wrong"
            findings.failed.append(f"{what}: {type(error).__name__} {error!s:.300}")
        else:
            outcomes["imported"] += 1
            size = import_budget.disk_bytes(run.path)
            ratio = max(ratio, size / max(len(content), FREE_BYTES / MAX_RATIO))
            waiting.append((what, run))
        memory["import"] = max(memory["import"], memory_mb("VmHWM") - before)
        if len(waiting) == TOGETHER:
            visit_imported(visitor, waiting, outcomes, memory, tmp_path)
    visit_imported(visitor, waiting, outcomes, memory, tmp_path)
    minutes = (time.monotonic() - began) / 60
    figures = {
        "refused": outcomes["refused"],
        "imported": outcomes["imported"],
        "opened everywhere": outcomes["visited"],
        "tracebacks, “Something went wrong”, others affected": len(findings.failed),
        "more memory, import (MB)": memory["import"],
        "pages (MB)": memory["pages"],
        "disk ÷ zip": f"{ratio:.1f}",
    }
    figures |= {"pages and commands": findings.visits.total(), "minutes": round(minutes)}
    command = "make test-faults ARGS='-k damaged_zips_are_refused'"
    row = session_row(tried, figures)
    write_table("corruption-import", list(row), [list(row.values())], command)
    report = "\n".join(findings.failed)
    assert not findings.failed, f"{len(findings.failed)} failures:\n{report[:20_000]}"
    assert outcomes["imported"] and outcomes["refused"] and outcomes["visited"]
    assert memory["import"] <= IMPORT_MEMORY_MB and memory["pages"] <= PAGE_MEMORY_MB and ratio <= MAX_RATIO, figures


def visit_imported(
    visitor: Visitor, waiting: list[tuple[str, Run]], outcomes: Counter[str], memory: Counter[str], folder: Path
) -> None:
    """Opens what has been imported since the last call, and deletes it."""
    st.cache_resource.clear()
    st.cache_data.clear()
    for what, run in waiting:
        if outcomes["visited"] >= VISITED:
            continue
        if is_long() and outcomes["visited"] % TOGETHER == 0:
            visit_lists(visitor, what)
        forget_peak()
        before, number = memory_mb("VmRSS"), outcomes["visited"]
        with time_limit(2 * CASE_SECONDS, what):
            visit_one(visitor, "run", run.id, number, what, folder)
        if number > TOGETHER:  # libraries and data sets are loaded by then
            memory["pages"] = max(memory["pages"], memory_mb("VmHWM") - before)
        outcomes["visited"] += 1
    for _, run in waiting:
        shutil.rmtree(run.path)
    waiting.clear()
