"""Imported runs are marked, their scores are measured again on request, and their space is limited."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from mnist_core.__main__ import main
from mnist_core.errors import RunError
from mnist_core.export import import_budget
from mnist_core.export.archive import pack_run, unpack_run
from mnist_core.models.classifier import Classifier
from mnist_core.owners import Visitor, new_token, write_owner
from mnist_core.runs import history
from mnist_core.runs.imports import read_import
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import move_to_trash, trashed_runs
from pages.ui.shared import state
from tests.pages.support import button, open_page, page_text
from tests.support import Trained

ANN, BEN = Visitor(new_token()), Visitor(new_token())


def copied(trained: Trained, root: Path, change: Callable[[dict[str, Any]], object]) -> Run:
    """A copy of the trained run, somewhere else, whose card and spec say something else."""
    run = Run(shutil.copytree(trained.run.path, root / "elsewhere" / "20260101-000000-fast-aaaa"))
    for name in ("spec.json", "card.json"):
        value = json.loads((run.path / name).read_text())
        change(value)
        (run.path / name).write_text(json.dumps(value))
    return run


def boast(value: dict[str, Any]) -> None:
    if "test_accuracy" in value:
        value["test_accuracy"] = 1.0


def name_a_path(value: dict[str, Any]) -> None:
    if isinstance(value["data"], dict):
        value["data"]["asked"] = "/dev/zero"
    else:
        value["data"] = "/dev/zero"


def test_a_path_of_data_is_not_taken_over(trained: Trained, tmp_path: Path) -> None:
    """D1: the page of an imported run read /dev/zero."""
    run = unpack_run(io.BytesIO(pack_run(copied(trained, tmp_path, name_a_path))))
    assert run.spec().data == run.card()["data"]["asked"] == "elsewhere"
    assert "/dev/zero" not in (run.path / "spec.json").read_text() + (run.path / "card.json").read_text()
    mark = read_import(run.path)
    assert mark is not None and mark.data == "/dev/zero", "for display only"


def test_the_page_of_a_run_that_was_trained_elsewhere_opens(trained: Trained, tmp_path: Path, app: AppTest) -> None:
    run = unpack_run(io.BytesIO(pack_run(copied(trained, tmp_path, name_a_path))))
    open_page(app, "pages/train.py", run=run.id)
    assert not app.exception and "Something went wrong" not in page_text(app)
    (heading,) = (each.value for each in app.markdown if each.value.startswith("#### fast"))
    assert "badge[imported, not evaluated here]" in heading, "by the name, in view on a phone"


def test_the_scores_of_an_imported_run_are_measured_on_request(trained: Trained, tmp_path: Path, sample: Any) -> None:
    run = unpack_run(io.BytesIO(pack_run(copied(trained, tmp_path, boast))))
    row = history.history_row(run)
    assert row["imported"] == history.CLAIMED and row["test_accuracy"] == 1.0
    done = CliRunner().invoke(main, ["evaluate", "--model", run.id, "--record", "--json"])
    found = (Classifier(run.model).probabilities(sample.x_test).argmax(1) == sample.y_test).mean()
    assert json.loads(done.stdout)["test_accuracy"] == pytest.approx(found) and found < 1
    row = history.history_row(run)
    assert row["imported"] == history.MEASURED and row["test_accuracy"] == pytest.approx(found)
    assert row["val_accuracy"] == pytest.approx(history.history_row(trained.run)["val_accuracy"], abs=1e-3)
    shown = json.loads(CliRunner().invoke(main, ["show", run.id, "--json"]).stdout)
    assert shown["imported"]["measured"]["test_accuracy"] == pytest.approx(found)
    assert json.loads(CliRunner().invoke(main, ["runs", "--json"]).stdout)[0]["imported"] is True


def test_only_imported_runs_are_measured_again(trained: Trained, runs_root: Path) -> None:
    run = Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))
    done = CliRunner().invoke(main, ["evaluate", "--model", run.id, "--record", "--data", "sample"])
    assert done.exit_code != 0 and "leave out --data" in done.output
    done = CliRunner().invoke(main, ["evaluate", "--model", run.id, "--record"])
    assert done.exit_code == 2 and "trained here" in done.stderr


def test_pages_say_that_a_run_is_imported(trained: Trained, runs_root: Path, app: AppTest) -> None:
    for number in range(2):
        shutil.copytree(trained.run.path, runs_root / f"20260101-000000-fast-000{number}")
    run = unpack_run(io.BytesIO(pack_run(trained.run)), owner=ANN.owner)
    app.session_state[state.VISITOR] = (ANN.token, "")
    open_page(app, "pages/runs.py")
    (board,) = (frame.value for frame in app.dataframe if "place" in frame.value)
    assert len(board) == 2 and "1 imported run" in page_text(app)
    app.multiselect(key=state.COMPARED).select(run.id).run()
    assert "come from the zip" in page_text(app) and trained.run.id in page_text(app).replace("\\", "")
    button(app, "Evaluate here").click().run(timeout=60)
    assert not app.exception and not app.error
    assert "Evaluated on this machine" in page_text(app)
    mark = read_import(run.path)
    assert mark is not None and mark.measured["data"] == "sample"


def test_the_space_of_an_owners_imports_is_limited(
    trained: Trained, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: 0.77 MB became 790 MB on disk, as often as somebody wanted."""
    packed = pack_run(trained.run)
    first = unpack_run(io.BytesIO(packed), owner=ANN.owner)
    megabytes = import_budget.disk_bytes(first.path) / 1e6
    monkeypatch.setenv("DIGITLAB_IMPORT_MB", str(math.ceil(megabytes)))
    before = sorted(runs_root.iterdir())
    with pytest.raises(RunError, match="Delete some"):
        unpack_run(io.BytesIO(packed), owner=ANN.owner)
    assert sorted(runs_root.iterdir()) == before, "nothing is left behind"
    unpack_run(io.BytesIO(packed), owner=BEN.owner)
    unpack_run(io.BytesIO(packed))
    trained_here = Run(shutil.copytree(trained.run.path, runs_root / "20260101-000000-fast-aaaa"))
    write_owner(trained_here.path, ANN.owner)
    move_to_trash(first)
    second = unpack_run(io.BytesIO(packed), owner=ANN.owner)
    assert first.id not in trashed_runs(), "its space is needed"
    assert {second, trained_here} <= set(list_runs())
