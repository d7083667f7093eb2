"""The process of a Keras script, with scripts that print what Keras would: scores, progress, failure, an end by force.

tests/export/test_keras_script.py parses what the real scripts print.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_core.data.mnist import Mnist
from mnist_core.errors import TrainingError
from mnist_core.export.keras_script import SCRIPT_FILE
from mnist_core.reproduction import plain_keras
from mnist_core.reproduction.plain_keras import parse_scores, running_script
from mnist_core.runs.spec import make_spec
from tests.support import wait_until

SPEC = make_spec("singh-mlp", {"epochs": 2})
FIRST_EPOCH = """\
Epoch 1/2
48/48 - 1s - 21ms/step - accuracy: 0.7 - loss: 4.1 - val_accuracy: 9.5000e-01 - val_loss: 1.0
Epoch 2/2
"""
ALL = f"{FIRST_EPOCH}48/48 - 1s - accuracy: 0.8 - val_accuracy: 0.9613 - val_loss: 0.9\ntest accuracy 0.9640\n"


def write_script(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(plain_keras, "script_files", lambda _: {SCRIPT_FILE: source.encode()})


def test_a_script_reads_the_images_and_its_scores_are_found(
    monkeypatch: pytest.MonkeyPatch, sample: Mnist, runs_root: Path
) -> None:
    write_script(
        monkeypatch, f"import sys, zipfile\nassert len(zipfile.ZipFile(sys.argv[1]).namelist()) == 4\nprint({ALL!r})"
    )
    with running_script(SPEC, sample) as script:
        wait_until(lambda: not script.is_running(), "the script", 30)
        assert script.scores() == ((0.95, 0.9613), 0.964)
    assert list(runs_root.iterdir()) == []


def test_progress_and_an_end_by_force(monkeypatch: pytest.MonkeyPatch, sample: Mnist, runs_root: Path) -> None:
    write_script(monkeypatch, f"import time\nprint({FIRST_EPOCH!r})\ntime.sleep(100)")
    with running_script(SPEC, sample) as script:
        assert script.status().progress == 0
        wait_until(lambda: script.status().progress == 0.5, "the first epoch", 30)
        assert (script.status().epoch, script.is_running()) == (1, True)
        script.stop()
        assert not script.is_running()
    assert list(runs_root.iterdir()) == []


def test_a_script_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, sample: Mnist) -> None:
    write_script(monkeypatch, f"print({FIRST_EPOCH!r})\nraise MemoryError('no more')")
    with running_script(SPEC, sample) as script:
        wait_until(lambda: not script.is_running(), "the script", 30)
        with pytest.raises(TrainingError, match="after 1 of 2 epochs: MemoryError: no more"):
            script.scores()


def test_a_script_that_was_killed_before_it_printed() -> None:
    with pytest.raises(TrainingError, match="it printed nothing"):
        parse_scores("", 2)
