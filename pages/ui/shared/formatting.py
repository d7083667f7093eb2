"""Text that the pages format themselves."""

from __future__ import annotations

import re
import time


def escape_markdown(text: str) -> str:
    """Escapes a text for widgets that read Markdown, so that it cannot add a link, an image or a color."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def run_time(run_id: str) -> str:
    """When a run was created, from its id: `21 Nov 06:15:00`."""
    try:
        return time.strftime("%d %b %H:%M:%S", time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:
        return run_id
