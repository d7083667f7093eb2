"""Text that the pages format themselves."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mnist_core.wording import plural as plural

DATE_FORMAT = "%d %b %Y, %H:%M"
"""Of every date in the app."""


def distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """Returns titles by id that all differ: with the end of the id where several are the same.

    A menu needs that: Streamlit's browser side sends the title of what is chosen, not its id.
    """
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else f"{title} · {name[-4:]}" for name, title in titles.items()}


MAX_LENGTH = 1000
"""Longest text that `escape_markdown` returns, in characters of the text that it is given."""
WORD_JOINER = "\u2060"
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that reverse the text after them, and halves of characters, which cannot be sent."""
REPLACED = re.compile(r"(?i)(https?(?=:)|www(?=\.)|@|:(?=[\w+/-]+:))")
"""Where Streamlit finds addresses, emoji and icons in a text, however its punctuation is escaped."""
MARKDOWN = re.compile(r"([\\`*_\[\]<$~&|]|:(?=\S)|^>|^[#+-](?=[#+-]*(?:\s|$))|(?:(?<=^\d)|(?<=^\d\d))[.)](?=\s|$))")
"""Punctuation that means something in one line of Markdown: some only at its start, a colon before a directive."""


def escape_markdown(text: str) -> str:
    """Returns a text as Markdown that shows it as it is: one line without links, images, colors, formulas and icons.

    Every text that is not ours goes through here where Streamlit renders Markdown: names, notes and messages of runs,
    settings, parts of an address. `tests/pages/test_markdown.py` finds a place that forgets it.
    """
    line = " ".join(INVISIBLE.sub(" ", text[:MAX_LENGTH]).split()) + (" …" if len(text) > MAX_LENGTH else "")
    return MARKDOWN.sub(r"\\\1", REPLACED.sub(rf"\1{WORD_JOINER}", line))


def escape_table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Escapes the headers and cells of a table for st.table, which renders Markdown. st.dataframe does not."""
    return [{escape_markdown(name): escape_markdown(str(cell)) for name, cell in row.items()} for row in rows]


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
