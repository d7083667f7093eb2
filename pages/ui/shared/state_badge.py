"""The state of a run or a sweep as a colored badge."""

from __future__ import annotations

from pages.ui.shared import formatting

COLORS = {
    "queued": "gray",
    "running": "blue",
    "paused": "orange",
    "stopping": "orange",
    "finished": "green",
    "stopped": "gray",
    "failed": "red",
    "interrupted": "red",
}
"""State -> one of Streamlit's badge colors."""


def state_badge(state: str) -> str:
    """Markdown for the badge: `:green-badge[finished]`."""
    return f":{COLORS[state]}-badge[{formatting.escape_markdown(state)}]"
