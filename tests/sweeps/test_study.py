"""The study's database: what goes wrong with it is explained."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from mnist_core.errors import SweepError
from mnist_core.sweeps import study
from mnist_core.sweeps.store import create_sweep
from mnist_core.sweeps.study import STUDY_FILE, Study, explain_database_error
from tests.sweeps.fakes import RATES, make_plan_of_tiny


def test_a_damaged_database_is_named() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES))
    (sweep.path / STUDY_FILE).write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(SweepError) as caught:
        Study(sweep, sweep.plan())
    assert str(sweep.path / STUDY_FILE) in str(caught.value) and "damaged" in str(caught.value)


def test_a_locked_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "LOCK_SECONDS", 0.2)
    sweep = create_sweep(make_plan_of_tiny(RATES))
    opened = Study(sweep, sweep.plan())
    with contextlib.closing(sqlite3.connect(sweep.path / STUDY_FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SweepError) as caught:
            opened.ask()
    assert str(sweep.path / STUDY_FILE) in str(caught.value) and "locked" in str(caught.value)


def test_a_database_of_another_version_of_optuna_is_named() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES))
    Study(sweep, sweep.plan())
    with contextlib.closing(sqlite3.connect(sweep.path / STUDY_FILE)) as other:
        other.execute("UPDATE version_info SET schema_version = 99")
        other.execute("UPDATE alembic_version SET version_num = 'v9.9.9.a'")
        other.commit()
    with pytest.raises(SweepError) as caught:
        Study(sweep, sweep.plan())
    assert str(sweep.path / STUDY_FILE) in str(caught.value) and "optuna storage upgrade" in str(caught.value)


def test_every_explanation_names_the_database_and_ends_with_what_to_do() -> None:
    database = Path("here/study.db")
    errors = {
        "attempt to write a readonly database": "permissions",
        "database or disk is full": "space",
        "strange": "OSError: strange",
    }
    for error, mentioned in errors.items():
        text = explain_database_error(OSError(error), database)
        assert str(database) in text and mentioned in text and "resume" in text


def test_the_cause_of_an_error_is_considered() -> None:
    error = RuntimeError("outer")
    error.__cause__ = sqlite3.OperationalError("database is locked")
    assert "locked" in explain_database_error(error, Path("study.db"))
