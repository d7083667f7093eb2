"""Reading commands on damaged files: a sentence that names the file, or a result without what is damaged."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mnist_core.runs.examples import EXAMPLES
from mnist_core.runs.run import Run
from tests.cli.calling import call, call_error, call_json
from tests.compatibility.test_older_files import FILES, SWEEP

RUN, OTHER = "20260101-000000-own-00000001", "20260101-000000-own-00000002"


@pytest.fixture
def run(runs_root: Path) -> Run:
    shutil.copytree(EXAMPLES / "2-large-steps", runs_root / OTHER)
    return Run(shutil.copytree(EXAMPLES / "1-small-steps", runs_root / RUN))


def lay(path: Path, special: str) -> None:
    path.unlink(missing_ok=True)
    if special == "folder":
        path.mkdir()
    elif special == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if special == "loop" else "/dev/zero")


def all_succeed(*commands: tuple[str, ...]) -> None:
    for command in commands:
        done = call(*command)
        assert done.exit_code == 0 and done.exception is None, (command, done.exception)


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor devices in folders")
@pytest.mark.parametrize("special", ["folder", "pipe", "loop", "device"])
@pytest.mark.parametrize("name", ["status.json", "label.json", "card.json", "control.json", "owner.json", "log.txt"])
def test_special_files_change_no_other_run(run: Run, name: str, special: str) -> None:
    lay(run.path / name, special)
    all_succeed(("runs",), ("show", run.id), ("show", run.id, "--json"), ("compare", run.id, OTHER))
    rows = {row["run"]: row for row in call_json("runs", "--json")}
    assert rows.keys() == {RUN, OTHER} and rows[OTHER]["test_accuracy"] > 0.9


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor devices in folders")
@pytest.mark.parametrize("special", ["folder", "pipe", "loop", "device"])
@pytest.mark.parametrize("name", ["spec.json", "metrics.jsonl"])
def test_an_error_names_the_special_file(run: Run, name: str, special: str) -> None:
    lay(run.path / name, special)
    assert len(call_json("runs", "--json")) == 2
    command = ("show", run.id) if name == "spec.json" else ("export", run.id, "--format", "csv", "--output", "x.csv")
    assert f"{run.path / name} cannot be read" in call_error(*command)


@pytest.mark.skipif(os.name == "nt", reason="it makes a symbolic link")
def test_a_link_to_itself_among_the_runs_is_passed_over(run: Run, runs_root: Path) -> None:
    (runs_root / "20260101-000000-own-00000003").symlink_to("20260101-000000-own-00000003")
    all_succeed(("runs",))
    assert {row["run"] for row in call_json("runs", "--json")} == {RUN, OTHER}


ODD: list[Any] = [None, -1, 10**30, "0.5", {}, "\ud800", float("inf")]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_odd_cards_are_shown_and_exported(run: Run, odd: Any, tmp_path: Path) -> None:
    card = json.loads((run.path / "card.json").read_text())
    for name in ("test_accuracy", "test_loss", "train_seconds", "data", "test", "settings", "taught"):
        (run.path / "card.json").write_text(json.dumps({**card, name: odd}))
        all_succeed(("show", run.id), ("compare", run.id, OTHER))
    output = str(tmp_path / "curves.svg")
    all_succeed(("export", run.id, "--format", "svg", "--output", output))


@pytest.mark.parametrize("odd", [*ODD[:-1], 10**5000], ids=lambda odd: repr(odd)[:20] if odd != 10**5000 else "huge")
def test_odd_reports_are_exported_without_what_is_odd(run: Run, odd: Any, tmp_path: Path) -> None:
    text = (
        str(odd) if odd == 10**5 else ("1" + 5000 * "0" if isinstance(odd, int) and odd > 10**40 else json.dumps(odd))
    )
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    for name in ("step", "epoch", "loss", "val_loss", "images"):
        for place in (0, -1):
            row = json.dumps({**json.loads(lines[place]), name: "HERE"}).replace('"HERE"', text)
            changed = [row, *lines[1:]] if place == 0 else [*lines[:-1], row]
            (run.path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in changed))
            output = str(tmp_path / f"{name}{place}.csv")
            all_succeed(("export", run.id, "--format", "csv", "--output", output))
    all_succeed(("export", run.id, "--format", "svg", "--output", str(tmp_path / "x.svg")), ("show", run.id, "--json"))


@pytest.mark.parametrize("odd", [None, 10**30, [1], "../../x"], ids=lambda odd: repr(odd)[:20])
@pytest.mark.parametrize("file", ["trials.json", "winner.json", "status.json"])
def test_odd_sweeps_are_listed_and_shown(runs_root: Path, file: str, odd: Any) -> None:
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(runs_root)
    path = runs_root / "sweeps" / SWEEP / file
    content = json.loads(path.read_text())
    for name in content:
        path.write_text(json.dumps({**content, name: odd}))
        all_succeed(("sweep", "show"), ("sweep", "show", SWEEP), ("sweep", "show", SWEEP, "--json"))
    if file == "trials.json":
        for name in content["trials"][0]:
            path.write_text(json.dumps({"trials": [{**content["trials"][0], name: odd}]}))
            all_succeed(("sweep", "show", SWEEP), ("sweep", "show", SWEEP, "--json"))
