"""control.json: valid requests are kept, everything else is ignored."""

from __future__ import annotations

import json

from mnist_core.runs.control import Control
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run


def test_valid_requests_are_kept() -> None:
    content = {"stop": True, "paused": True, "learning_rate": 0.1, "epochs": 7, "batches": 2, "whole_epochs": 1}
    content["extended_epoch"] = 3
    assert Control.from_json(content) == Control(True, True, 0.1, 7, 3, 2, 1)
    assert Control.from_json({}) == Control(False, False, None, None, 0, 0, 0)


def test_invalid_values_are_ignored_one_by_one() -> None:
    invalid = {
        "stop": ["yes", 1, None, {}],
        "paused": ["yes", 1, None, []],
        "learning_rate": [-1, 0, "0.1", None, True, float("nan"), float("inf"), [0.1]],
        "epochs": [2.5, 0, -1, "3", None, True, float("nan")],
        "extended_epoch": [-1, 1.5, "1", None, True, [1]],
        "batches": [-3, 1.5, "1", None, True, [1]],
        "whole_epochs": [-3, 1.5, "1", None, True, {}],
        "more": [{"x": [1]}],
    }
    valid = {"learning_rate": 0.1, "batches": 2}
    for name, values in invalid.items():
        for value in values:
            assert Control.from_json({name: value}) == Control(), (name, value)
            others = {key: kept for key, kept in valid.items() if key != name}
            assert Control.from_json({**others, name: value}) == Control(**others), (name, value)


def test_files_that_are_not_control_files_request_nothing() -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    assert Control.from_json(run.control()) == Control(), "no file yet"
    for content in ("{", "[]", '{"learning_rate": NaN}', "\0" * 50, json.dumps("stop")):
        (run.path / "control.json").write_text(content)
        assert Control.from_json(run.control()) == Control(), content
