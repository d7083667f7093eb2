"""Sampled reports: the same as all reports of a small file, and the shape of the curve of a large one."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mnist_core.errors import RunError
from mnist_core.runs import sampling
from mnist_core.runs.reports import check_report
from mnist_core.runs.run import Metrics, Run

CHANGED_EVERY = 5_003
"""Steps between two changes by the user, which never fall on the end of an epoch."""


def write_reports(folder: Path, count: int, per_epoch: int) -> list[dict[str, object]]:
    """Reports whose loss falls as 1/step; each epoch ends with validation results."""
    rows: list[dict[str, object]] = []
    for step in range(1, count + 1):
        row: dict[str, object] = {
            "step": step,
            "epoch": step // per_epoch,
            "loss": 1 / step,
            "padding": "x" * (step % 70),
        }
        if step % per_epoch == 0:
            row |= {"val_loss": 2 / step, "val_accuracy": 1 - 1 / step}
        if step % CHANGED_EVERY == 0:
            row["changed"] = {"learning_rate": 1 / step}
        rows.append(row)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def test_a_small_file_is_read_as_a_whole(tmp_path: Path) -> None:
    rows = write_reports(tmp_path, 900, 100)
    assert Run(tmp_path).sampled_metrics().rows == tuple(check_report(row) for row in rows)


def test_a_sample_has_the_first_the_last_every_validation_and_every_change(tmp_path: Path) -> None:
    rows = write_reports(tmp_path, 60_000, 250)
    assert (tmp_path / "metrics.jsonl").stat().st_size > 3 * sampling.WHOLE_BYTES
    metrics = Run(tmp_path).sampled_metrics()
    steps = [row["step"] for row in metrics.rows]
    assert steps[0] == 1 and steps[-1] == 60_000 and steps == sorted(set(steps))
    assert [row["step"] for row in metrics.rows if "val_loss" in row] == list(range(250, 60_001, 250))
    assert [row["step"] for row in metrics.rows if "changed" in row] == list(range(5_003, 60_001, 5_003))
    assert all(row == check_report(rows[row["step"] - 1]) for row in metrics.rows)
    gaps = np.diff(steps)
    assert gaps.max() < 200, "the sample has no hole"
    assert metrics.offset == (tmp_path / "metrics.jsonl").stat().st_size and metrics.broken == 0


def test_what_is_written_later_is_added_and_the_sample_stays_bounded(tmp_path: Path) -> None:
    write_reports(tmp_path, 12_000, 100)
    run, seen = Run(tmp_path), Metrics()
    seen = run.sampled_metrics(seen)
    for step in range(12_001, 12_101):
        run.append_metrics({"step": step, "loss": 0.5})
        seen = run.sampled_metrics(seen)
    assert [row["step"] for row in seen.rows[-3:]] == [12_098, 12_099, 12_100]
    assert len(seen.rows) <= sampling.MAX_REPORTS + sampling.MAX_VALIDATIONS
    assert sum("val_loss" in row for row in seen.rows) == 120
    assert seen.offset == (tmp_path / "metrics.jsonl").stat().st_size


STEP = b'{"step": 1}\n'
VALIDATION = b'{"step": 1, "epoch": 1, "val_loss": 0.5, "val_accuracy": 0.5}\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        STEP * (30_000_000 // len(STEP)),
        VALIDATION * (8_000_000 // len(VALIDATION)),
        b'{"step": 1, "text": "' + b'"val_loss"' * 3_000_000 + b'"}\n',
        b"\n" * 30_000_000,
        b"{\n" * 15_000_000,
        STEP + b'{"step": 2, "probes": [' + b"[]," * 10_000_000,
        (b'{"step": 1, "probes": [' + b"[]," * 6_000 + b"[]]}\n") * 500,
        b"{" * 30_000_000,
    ],
    ids=["steps", "validations", "one line", "blank lines", "broken lines", "no last line", "lists", "no line"],
)
def test_a_large_file_is_sampled_in_seconds_and_30_mb(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(content)
    seconds = []
    for _ in range(2):
        began = time.process_time()
        metrics = Run(tmp_path).sampled_metrics()
        seconds.append(time.process_time() - began)
    assert min(seconds) < 5
    tracemalloc.start()
    Run(tmp_path).sampled_metrics()
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    assert len(metrics.rows) <= sampling.MAX_REPORTS + sampling.MAX_VALIDATIONS


def test_a_folder_in_place_of_the_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    for read in (Run(tmp_path).metrics, Run(tmp_path).sampled_metrics):
        with pytest.raises(RunError, match=r"metrics\.jsonl is a folder"):
            read()
