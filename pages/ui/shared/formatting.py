"""Text that the pages format themselves."""

from __future__ import annotations

import re
import time

from mnist_core.wording import plural as plural

DATE_FORMAT = "%d %b %Y, %H:%M"
"""Of every date in the app."""


def escape_markdown(text: str) -> str:
    """Escapes a text for widgets that read Markdown, so that it cannot add a link, an image or a color."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def run_time(run_id: str) -> str:
    """When a run or a sweep was created, from its id: `21 Nov 2026, 06:15`."""
    try:
        return time.strftime(DATE_FORMAT, time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:
        return run_id


def change(value: float, number_format: str, unit: str = "") -> str | None:
    """A change with its sign, for st.metric: `+0.25 points`. None, which st.metric leaves out, if it rounds to zero.

    Args:
        value: new minus old.
        number_format: without a sign, `.2f` for example.
        unit: after the number.
    """
    text = f"{value:+{number_format}}"
    return f"{text} {unit}".rstrip() if float(text.replace(",", "")) else None
