"""Commands on existing runs: runs, show, compare, export, import, delete, restore."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnist_core import __main__ as cli
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.runs.trash import trashed_runs
from tests.cli.calling import call, call_error, call_json
from tests.support import Trained


def test_runs_newest_first(trained: Trained, runs_root: Path) -> None:
    assert call_json("runs", "--json") == [] and call("runs").exit_code == 0
    older = create_run(replace(make_spec("fast"), created=1.6e9), runs_root)
    newer = create_run(make_spec("best"), runs_root)
    newer.write_status(replace(newer.status(), state="failed", message="why"))
    rows = call_json("runs", "--json")
    assert [(row["run"], row["state"]) for row in rows] == [(newer.id, "failed"), (older.id, "queued")]
    lines = call("runs").stdout.splitlines()
    assert lines[0].split() == ["run", "state", "test_accuracy", "test_loss", "train_seconds"]
    assert [line.split()[:3] for line in lines[1:]] == [[newer.id, "failed", "-"], [older.id, "queued", "-"]]
    (row,) = call_json("runs", "--json", runs=trained.run.path.parent)
    assert row["test_accuracy"] == trained.run.card()["test_accuracy"]


def test_damaged_runs_are_listed_too(runs_root: Path) -> None:
    for content in ("", "[]", "{", '{"state": 3}'):
        (create_run(make_spec("fast")).path / "status.json").write_text(content)
    (create_run(make_spec("fast")).path / "spec.json").write_text("{")
    assert len(call_json("runs", "--json")) == 5


def test_show_prints_spec_status_and_card(trained: Trained) -> None:
    root = trained.run.path.parent
    value = call_json("show", trained.run.id, "--json", runs=root)
    assert value["run"] == trained.run.id and value["reports"] == len(trained.run.metrics().rows)
    assert value["spec"]["recipe"] == "fast" and value["card"] == trained.run.card()
    assert Status(**value["status"]) == trained.run.status()
    text = call("show", trained.run.id, runs=root).stdout
    assert f"{trained.run.id}: finished" in text and "'epochs': 2" in text and "seed 1" in text
    assert f"test accuracy {trained.run.card()['test_accuracy']:.4f}" in text and "24 × 24 × 16" in text


@pytest.mark.parametrize("command", [("show",), ("evaluate", "--data", "sample", "--model")])
@pytest.mark.parametrize("run_id", ["../secret", "no-such-run", "UPPER", "x" * 200])
def test_unknown_runs_are_refused(command: tuple[str, ...], run_id: str) -> None:
    assert "run" in call_error(*command, run_id)


def test_show_names_a_damaged_file() -> None:
    run = create_run(make_spec("fast"))
    (run.path / "spec.json").write_text("{")
    assert "spec.json" in call_error("show", run.id)


@pytest.fixture
def own_run(trained: Trained, runs_root: Path) -> Run:
    """The finished run, in a folder that may be changed."""
    return Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("keras", "keras"), ("html", "html"), ("csv", "csv"), ("script", "py"), ("svg", "svg"), ("zip", "zip")],
)
def test_export_names_the_file_after_the_run(
    own_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = call("export", own_run.id, "--format", name).stdout.splitlines()
    assert printed == [f"{own_run.id}.{suffix}", *["mnist.npz"] * (name == "script")]
    assert all((tmp_path / each).stat().st_size > 200 for each in printed)
    content = (tmp_path / printed[0]).read_bytes()
    assert printed[0] in call_error("export", own_run.id, "--format", name)
    assert (tmp_path / printed[0]).read_bytes() == content, "an existing file is not replaced"
    assert call_json("export", own_run.id, "--format", name, "--force", "--json") == {
        "run": own_run.id,
        "format": name,
        "files": printed,
    }


def test_export_of_the_shipped_model_as_a_web_page(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = call_json("export", "default", "--format", "html", "--precision", "int8", "--output", target, "--json")
    assert done == {"run": "default", "format": "html", "files": [str(target)]}
    assert target.stat().st_size < 1_400_000
    assert "--precision" in call_error("export", "default", "--format", "keras", "--precision", "int8")
    assert "html" in call_error("export", "default", "--format", "csv")


def test_export_to_a_path_and_import_elsewhere(own_run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    assert call("export", own_run.id, "--format", "zip", "--output", target).stdout == f"{target}\n"
    imported = call_json("import", target, "--json", runs=tmp_path / "elsewhere")
    assert imported["state"] == "finished" and imported["run"] != own_run.id
    found = call_json("show", imported["run"], "--json", runs=tmp_path / "elsewhere")
    assert found["card"]["test"] == own_run.card()["test"] and found["reports"] == len(own_run.metrics().rows)
    assert found["imported"]["run"] == own_run.id and "sha256" not in found["card"]["data"]
    other = call("import", target).stdout.strip()
    assert other != own_run.id and {run.id for run in list_runs()} == {own_run.id, other}


def test_a_file_that_is_no_export_is_refused_in_one_line(tmp_path: Path, runs_root: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    assert call_error("import", tmp_path / "x.zip").count("\n") == 1
    assert not any(runs_root.iterdir())


@pytest.mark.parametrize("arguments", [("--format", "h5"), (), ("--format", "csv", "--output", "/nowhere/at/all.csv")])
def test_export_refuses_unknown_formats_and_bad_paths(own_run: Run, arguments: tuple[str, ...]) -> None:
    call_error("export", own_run.id, *arguments)


def test_compare_prints_only_settings_that_differ(own_run: Run, runs_root: Path) -> None:
    other = create_run(make_spec("fast", {"epochs": 3, "dropout": 0.25}, "sample", 1))
    rows = call_json("compare", own_run.id, other.id, "--json")
    assert [row["run"] for row in rows] == [own_run.id, other.id]
    assert rows[0]["settings"].keys() == rows[1]["settings"].keys() == {"epochs", "dropout", "network"}
    assert [row["settings"]["epochs"] for row in rows] == ["2", "3"]
    assert rows[0]["test_accuracy"] == own_run.card()["test_accuracy"] and rows[1]["test_accuracy"] is None
    assert {"name", "state", "test_loss", "parameters", "train_seconds", "images_per_second"} < rows[0].keys()
    lines = {line.split()[0]: line.split()[1:] for line in call("compare", own_run.id, other.id).stdout.splitlines()}
    assert lines["run"] == [own_run.id, other.id] and lines["dropout"] == ["0", "0.25"] and "seed" not in lines


def test_compare_refuses_a_single_run_and_unknown_runs(own_run: Run) -> None:
    assert "1 run" in call_error("compare", own_run.id, own_run.id)
    assert "20260101-000000-fast-0000" in call_error("compare", own_run.id, "20260101-000000-fast-0000")


def test_delete_and_restore(own_run: Run) -> None:
    assert call_json("delete", own_run.id, "--yes", "--json") == [{"run": own_run.id}]
    assert list_runs() == [] and list(trashed_runs()) == [own_run.id]
    assert call("restore", own_run.id).stdout == f"{own_run.id}\n"
    assert [run.id for run in list_runs()] == [own_run.id] and own_run.has_model
    assert own_run.id in call_error("restore", own_run.id)


def test_delete_asks_first_and_deletes_all_or_none(own_run: Run) -> None:
    answered = CliRunner().invoke(cli.main, ["delete", own_run.id], input="n\n")
    assert answered.exit_code == 1 and own_run.path.exists()
    waiting = create_run(make_spec("fast"))
    assert waiting.id in call_error("delete", own_run.id, waiting.id, "--yes")
    assert own_run.path.exists()
