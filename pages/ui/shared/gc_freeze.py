"""What was imported is set aside from the search for garbage.

Streamlit searches for it after every run of a script or a part of it, among all objects of all modules: 40 ms for
110,000 of them on one core, in which the process answers nobody. Modules are never garbage. What is made later is
searched as before.
"""

from __future__ import annotations

import gc
import sys
from functools import cache


def freeze_modules() -> None:
    """To be called at the end of a run: pages import some of their modules when they are first opened."""
    _freeze_once(len(sys.modules))


@cache
def _freeze_once(modules: int) -> None:
    """Once for each number of modules, so that what sessions hold at these few moments is all that is set aside too."""
    gc.collect()  # garbage would be kept for good
    gc.freeze()
