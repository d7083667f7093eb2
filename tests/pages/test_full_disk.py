"""Pages on a full disk: they open, show what is there, and say in words what could not be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.runs.examples import copy_examples
from mnist_core.runs.run import Run
from tests.faults.disk import FaultyDisk
from tests.pages.support import error_text, open_page

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/fd")


@pytest.fixture
def full_disk(runs_root: Path) -> Iterator[Run]:
    """A run in a RUNS_DIR where nothing can be written."""
    run = copy_examples()[0]
    with FaultyDisk(runs_root, "full", at=1):
        yield run


@pytest.mark.parametrize("page", ["home", "train", "runs", "sweep", "data"])
def test_page_opens_on_a_full_disk(app: AppTest, full_disk: Run, page: str) -> None:
    open_page(app, f"pages/{page}.py", run=full_disk.id)
    assert not app.exception
    assert "Something went wrong" not in error_text(app)


def test_train_says_that_the_disk_is_full(app: AppTest, full_disk: Run) -> None:
    open_page(app, "pages/train.py")
    next(button for button in app.button if button.label == "Train").click().run()
    assert "is full" in error_text(app) and "DIGITLAB_RUNS" in error_text(app)
