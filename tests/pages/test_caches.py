"""What all sessions share, looked up while others change or replace it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.caching import cache_utils

from pages.ui.shared import caches


@pytest.mark.parametrize("seconds", [1.5, 7.0])
@pytest.mark.parametrize(
    "shared", [caches.model_cards, caches.run_history, caches.model_rows, caches.sweep_heads, caches.disk_usage]
)
def test_what_expires_while_it_is_looked_up_is_computed_again(
    shared: Callable[[Path], Any], seconds: float, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit looks at the clock twice. Other sessions computed in between: "Something went wrong (KeyError)"."""
    clock = itertools.count(0.0, seconds)
    st.cache_resource.clear()  # it makes caches, with their clock, when they are used
    monkeypatch.setattr(cache_utils, "TTLCACHE_TIMER", lambda: next(clock))
    first = shared(runs_root)
    try:
        assert [shared(runs_root) for _ in range(5)] == [first] * 5
    finally:
        st.cache_resource.clear()
