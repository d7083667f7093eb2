"""The web process keeps modules out of garbage collection, and still collects garbage."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from types import ModuleType

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.shared import gc_freeze
from tests.support import ROOT


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    """Before, as in a fresh process, and after."""
    gc_freeze.freeze_once.cache_clear()
    gc.unfreeze()
    yield
    gc_freeze.freeze_once.cache_clear()
    gc.unfreeze()


class Ring:
    """Refers to itself, so only the garbage collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_opening_a_page_freezes_its_modules() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert not app.exception
    assert gc.get_freeze_count() > 10_000  # objects: Streamlit's, NumPy's, OpenCV's modules
    assert not any(found is gc_freeze.__dict__ for found in gc.get_objects())


def test_freezing_again_needs_newly_imported_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    gc_freeze.freeze_modules()
    later = [Ring() for _ in range(100)]
    gc_freeze.freeze_modules()
    searched = {id(found) for found in gc.get_objects()}
    assert all(id(ring) in searched for ring in later)
    monkeypatch.setitem(sys.modules, "imported_later", ModuleType("imported_later"))
    gc_freeze.freeze_modules()
    searched = {id(found) for found in gc.get_objects()}
    assert not any(id(ring) in searched for ring in later)


def test_garbage_is_collected_before_and_after() -> None:
    gc.disable()  # so that only this test collects
    try:
        before = weakref.ref(Ring())
        assert before() is not None
        gc_freeze.freeze_modules()
        assert before() is None
        after = weakref.ref(Ring())
        assert after() is not None
        gc.collect()
        assert after() is None
    finally:
        gc.enable()
