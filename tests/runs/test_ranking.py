"""Rows found, divided and ranked, against orders worked out by hand; reports made ready for a chart."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mnist_core import owners
from mnist_core.charts import runs as run_charts
from mnist_core.runs import history, ranking
from mnist_core.runs.reports import chart_rows


def row(run: str, **values: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(history.COLUMNS),
        "run": run,
        "name": run,
        "starred": False,
        "state": "finished",
        "recipe": "fast",
        "data": "full",
        "owner": "",
        "taught": False,
        **values,
    }


ROWS = [
    row("a", val_accuracy=0.98, parameters=900, owner="x" * 64),
    row("b", val_accuracy=0.99, parameters=500, starred=True, state="stopped"),
    row("c", val_accuracy=0.99, parameters=400, taught=True, note="For the class"),
    row("d", val_accuracy=1.0, parameters=100, data="sample", recipe="best"),
    row("e", state="failed", recipe=None, data=None),
    row("f", val_accuracy=0.99, recipe="best", owner="x" * 64),
]


def names(rows: list[dict[str, Any]]) -> str:
    return "".join(row["run"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "bacdef"),
        ({"words": "CLASS for"}, "c"),
        ({"words": "nothing"}, ""),
        ({"words": "none"}, ""),
        ({"states": ["stopped", "failed"]}, "be"),
        ({"recipes": ["best"]}, "df"),
        ({"recipes": ["best"], "states": ["finished"], "words": "sample"}, "d"),
    ],
)
def test_search_matches_words_states_and_recipes(arguments: dict[str, Any], expected: str) -> None:
    assert names(ranking.search_rows(ROWS, **arguments)) == expected


def test_own_runs_are_divided_from_the_others() -> None:
    mine, others = ranking.split_by_owner(ROWS, "x" * 64)
    assert (names(mine), names(others)) == ("af", "bcde")
    assert names(ranking.split_by_owner(ROWS, owners.NOBODY)[1]) == "abcdef", (
        "nobody's are not the runs of who has no token"
    )


def test_leaderboard_never_mixes_data_sets_and_prefers_the_smaller_network() -> None:
    boards = ranking.leaderboards(ROWS)
    assert list(boards) == ["full", "sample"]
    assert names(boards["full"]) == "cbfa", "f's parameters are not known"
    assert names(boards["sample"]) == "d"
    assert [row["place"] for row in boards["full"]] == [1, 2, 3, 4]


def test_imported_runs_are_not_ranked() -> None:
    imported = [row("g", val_accuracy=1.0, imported=whose) for whose in (history.CLAIMED, history.MEASURED)]
    assert ranking.leaderboards([*imported, *ROWS]) == ranking.leaderboards(ROWS)


def test_leaderboard_has_ten() -> None:
    rows = [row(str(index), val_accuracy=index / 100) for index in range(30)]
    (board,) = ranking.leaderboards(rows).values()
    assert [row["val_accuracy"] for row in board] == [index / 100 for index in range(29, 19, -1)]


def test_no_measured_run_makes_no_leaderboard() -> None:
    assert ranking.leaderboards([row("a")]) == {}


def test_reports_keep_what_can_be_drawn() -> None:
    huge = json.loads("1" + "0" * 400)
    rows = [
        {"step": 5, "loss": 0.5, "accuracy": "high", "probes": [[1]]},
        {"step": 6, "estimated_val_loss": 0.7, "estimated_val_accuracy": 0.8, "estimate_seconds": 0.1},
        {"step": 10, "loss": math.nan, "val_loss": math.inf, "elapsed": 2.5, "val_accuracy": True},
        {"step": "x", "loss": 1.0},
        {"loss": 1.0},
        {"step": 20, "loss": huge, "accuracy": 1},
    ]
    assert chart_rows(rows, 10) == [
        {"step": 5, "epoch": 0.5, "loss": 0.5},
        {"step": 6, "epoch": 0.6, "estimated_val_loss": 0.7, "estimated_val_accuracy": 0.8},
        {"step": 10, "epoch": 1.0, "elapsed": 2.5},
        {"step": 20, "epoch": 2.0, "accuracy": 1},
    ]
    assert chart_rows(rows[:1], 0)[0]["epoch"] == 5


@pytest.mark.parametrize("logarithmic", [False, True])
def test_overlay_of_ten_long_runs_keeps_their_extremes_in_500_points_each(logarithmic: bool) -> None:
    curves = {
        str(run): [{"step": step, "loss": 1 + math.sin(step * (run + 1)) / 2} for step in range(5000)]
        for run in range(10)
    }
    curves["3"][1234]["loss"] = 99.0
    curves["7"][4321]["loss"] = 1e-4
    curves["8"][77]["loss"] = 0.0
    chart = run_charts.run_curves(curves, "loss", "step", logarithmic=logarithmic).to_dict()
    (points,) = chart["datasets"].values()
    counts = {name: sum(point["run"] == name for point in points) for name in curves}
    assert all(200 < count <= 500 for count in counts.values())
    values = [(point["run"], point["x"], point["y"]) for point in points]
    assert ("3", 1234, 99.0) in values and ("7", 4321, 1e-4) in values
    assert (("8", 77, 0.0) in values) is not logarithmic, "nothing has a logarithm of 0"
