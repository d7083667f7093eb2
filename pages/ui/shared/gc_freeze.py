"""Keeps imported modules out of garbage collection.

Streamlit collects garbage after every run of a script or fragment. Searching the 110,000 objects of all modules takes
40 ms on one core, during which the process answers nobody. Modules are never garbage, so they are frozen. Objects that
are created later are searched as before.
"""

from __future__ import annotations

import gc
import sys
from functools import cache


def freeze_modules() -> None:
    """Freezes what was imported since the last call. Call it after a page has run: pages import modules lazily."""
    freeze_once(len(sys.modules))


@cache
def freeze_once(modules: int) -> None:
    """Runs once for each number of loaded modules, because it also freezes what sessions hold at that moment."""
    gc.collect()  # otherwise present garbage would never be freed
    gc.freeze()
