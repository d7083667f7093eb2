"""Damaged and hostile files laid among healthy ones: every page and every reading command, and what they must not do.

A world is a runs folder of an earlier version with a run, a sweep, a saved network and a kept drawing. A batch of
damaged copies is laid in it, each with one mutation. No page and no command may show a traceback or "Something went
wrong", the healthy ones must be listed as before, and the memory of the process must stay bounded.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from mnist_core.errors import ModelError
from mnist_core.files.write import write_json
from mnist_core.runs.run import Run
from pages.ui.shared import analysis_caches
from tests.compatibility.test_older_files import FILES, RETRAINED, RUN, SWEEP
from tests.faults.mutations import Mutation, mutations, mutations_of_file, sample
from tests.faults.report import first_case, is_long, longest_seconds, scale, session_row, write_table
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

__all__ = ["component_manifests_scanned_once"]  # a fixture, for all tests of this file

CASES = scale(8, 2_040)
BATCH = 40
SEED = 15
SECONDS = longest_seconds(short=5_400, long=5_400)
"""On a busy machine, fewer cases are tried. The table says how many."""
MEMORY_MB = 200


@dataclass(frozen=True)
class Kind:
    """What is damaged: a folder or file of the world.

    Attributes:
        name: of the row in the table.
        source: of the healthy one, in the world.
        target: of the damaged copy, with a place for a number of six digits.
    """

    name: str
    source: str
    target: str

    def all_mutations(self, world: Path) -> list[Mutation]:
        path = world / self.source
        return mutations(path) if path.is_dir() else list(mutations_of_file(path.name, path.read_bytes()))

    def lay(self, world: Path, number: int, mutation: Mutation) -> str:
        """Lays a damaged copy, and returns its id."""
        target = world / self.target.format(number)
        if (world / self.source).is_dir():
            shutil.copytree(world / self.source, target)
            mutation.lay(target)
        else:
            shutil.copy(world / self.source, target)
            Mutation(target.name, mutation.what, mutation.make, mutation.special).lay(target.parent)
        return target.stem


KINDS = (
    Kind("run", RUN, "20270101-{:06d}-own-00000000"),
    Kind("trial of a sweep", RETRAINED, "20270102-{:06d}-own-00000000"),
    Kind("sweep", f"sweeps/{SWEEP}", "sweeps/20270103-{:06d}-00000000"),
    Kind("saved network", "networks/{network}", "networks/20270104-{:06d}-00000000.json"),
    Kind("kept drawing", "drawings/{drawing}", "drawings/20270105-{:06d}-00000000.json"),
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A runs folder of an earlier version, with every file that a run can have."""
    folder = tmp_path / "world"
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(folder)
    run = Run(folder / RUN)
    write_json(run.path / "label.json", {"name": "healthy", "starred": True, "note": "text"})
    write_json(run.path / "owner.json", {"owner": "0" * 64})
    write_json(run.path / "claim.json", {"number": 1, "job": "job", "retried": False})
    write_json(run.path / "control.json", {"learning_rate": 0.001, "epochs": 2, "paused": False, "batches": 1})
    image = {"name": "01234567", "image": "AAAA" * 261 + "AA=="}
    write_json(run.path / "probes.json", {"probes": [image]})
    write_json(folder / "sweeps" / SWEEP / "control.json", {"paused": False, "trials": 2, "backend": "local"})
    for log in (run.log, folder / "sweeps" / SWEEP / "log.txt"):
        log.write_text("a line\n")
    return folder


def healthy_rows(printed: str) -> list[dict[str, Any]]:
    known = {RUN, SWEEP}
    return [row for row in json.loads(printed) if {row.get("run"), row.get("sweep")} & known]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="it measures memory as Linux does")
def test_damaged_files_break_nothing_but_themselves(
    world: Path, runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_gradients = ModelError("Gradients are tested elsewhere.")
    monkeypatch.setattr(analysis_caches, "gradient_helper", lambda: (_ for _ in ()).throw(no_gradients))
    caplog.set_level(logging.ERROR)
    findings = Findings()
    visitor = Visitor(findings, caplog)
    kinds = [named(kind, world) for kind in KINDS]
    chosen = [
        (kind, mutation) for kind in kinds for mutation in sample(kind.all_mutations(world), share_of(kind), SEED)
    ]
    random.Random(SEED).shuffle(chosen)
    shutil.copytree(world, runs_root)
    if is_long():  # every view is loaded before memory is measured
        visit_lists(visitor, "healthy")
        for number in range(21):
            visit_one(visitor, kinds[0].name, RUN, number, "healthy", tmp_path)
        visit_one(visitor, kinds[2].name, SWEEP, 0, "healthy", tmp_path)
    expected = listed(visitor, "healthy")
    assert findings.failed == []
    began = time.monotonic()
    for start in range(first_case(), len(chosen), BATCH):
        if time.monotonic() - began > SECONDS:
            break
        try_batch(chosen[start : start + BATCH], start, world, runs_root, tmp_path, visitor, findings, expected)
    minutes = (time.monotonic() - began) / 60
    report = "\n".join(findings.failed)
    figures = {kind.name: findings.cases[kind.name] for kind in kinds} | {
        "tracebacks, “Something went wrong”, others affected": len(findings.failed),
        "more memory (MB)": findings.memory_mb,
        "pages and commands": findings.visits.total(),
        "minutes": round(minutes),
    }
    row = session_row(findings.cases.total(), figures)
    write_table("corruption", list(row), [list(row.values())], "make test-faults ARGS='-k damaged_files'")
    assert not findings.failed, f"{len(findings.failed)} of {findings.visits.total()} visits:\n{report[:20_000]}"
    assert findings.memory_mb <= MEMORY_MB


def named(kind: Kind, world: Path) -> Kind:
    """The kind with the names of its files in the world."""
    files = {
        name: next((world / folder).glob("*.json")).name
        for name, folder in (("network", "networks"), ("drawing", "drawings"))
    }
    return Kind(kind.name, kind.source.format(**files), kind.target)


def share_of(kind: Kind) -> int:
    """How many cases a kind has: most of them are runs."""
    shares = {"run": 0.5, "trial of a sweep": 0.12, "sweep": 0.2, "saved network": 0.09, "kept drawing": 0.09}
    return round(CASES * shares[kind.name])


def try_batch(
    batch: Sequence[tuple[Kind, Mutation]],
    first: int,
    world: Path,
    root: Path,
    folder: Path,
    visitor: Visitor,
    findings: Findings,
    expected: dict[str, Any],
) -> None:
    """Lays a batch of damaged copies, and visits everything."""
    shutil.rmtree(root)
    shutil.copytree(world, root)
    st.cache_resource.clear()
    st.cache_data.clear()
    what = " & ".join(f"{kind.name}, {mutation}" for kind, mutation in batch)
    cases = list(enumerate(batch, first))
    damaged = [(number, kind, mutation, kind.lay(root, number, mutation)) for number, (kind, mutation) in cases]
    findings.cases.update(kind.name for kind, _ in batch)
    forget_peak()
    before = memory_mb("VmRSS")
    with time_limit(CASE_SECONDS * len(batch), what):
        visit_lists(visitor, what)
        found = listed(visitor, what)
        for name in expected:
            if found[name] != expected[name]:
                findings.failed.append(f"{what}: the {name} of the healthy are listed as {found[name]}")
        for number, kind, mutation, damaged_id in damaged:
            visit_one(visitor, kind.name, damaged_id, number, f"{kind.name}, {mutation}", folder)
    if is_long():
        findings.memory_mb = max(findings.memory_mb, memory_mb("VmHWM") - before)
        print(f"{findings.cases.total():,} cases, {len(findings.failed)} failed, {findings.memory_mb} MB", flush=True)


def listed(visitor: Visitor, what: str) -> dict[str, Any]:
    """What the lists say about the healthy run and the healthy sweep."""
    runs = visitor.command(what, "runs", "--json")
    sweeps = visitor.command(what, "sweep", "show", "--json")
    return {"runs": healthy_rows(runs or "[]"), "sweeps": healthy_rows(sweeps or "[]")}
