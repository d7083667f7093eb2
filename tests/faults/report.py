"""The tables in docs/reliability.md, which the long form of each harness writes.

tests, seed = scale(short=40, long=10_000), 7
write_table("queue", ["steps", "runs trained twice"], [[tests, 0]], command="make test-faults ARGS='-k queue'")
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.support import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def is_long() -> bool:
    """True in `make test-faults`."""
    return os.environ.get("DIGITLAB_FAULTS") == "long"


def scale(short: int, long: int) -> int:
    """How many cases to try: few in `make test`, many in `make test-faults`."""
    return long if is_long() else short


def first_case() -> int:
    """How many cases an earlier session has tried: `make test-faults FIRST=398` continues after them."""
    return int(os.environ.get("FIRST") or 0) if is_long() else 0


def longest_seconds(short: int, long: int) -> int:
    """After how many seconds no more cases are tried: `make test-faults MINUTES=30` ends sooner."""
    minutes = int(os.environ.get("MINUTES") or 0)
    return (60 * minutes or long) if is_long() else short


def session_row(tried: int, figures: Mapping[str, object]) -> dict[str, object]:
    """The row of a table to which every session adds one: which cases it tried, its figures, and the day."""
    first, today = first_case(), datetime.now(UTC).date().isoformat()
    return {"cases": f"{first + 1:,}–{first + tried:,}", **figures, "day": today}


def write_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[object]], command: str) -> None:
    """Replaces a table in docs/reliability.md, or adds a `session_row` to it; does nothing in the short form.

    Args:
        name: of the harness. Its table is between the comments `<!-- NAME -->` and `<!-- /NAME -->`.
        columns: headers.
        rows: one cell for each column.
        command: what a reader types to get the same table.
    """
    if is_long():
        page, more = PAGE.read_text(encoding="utf-8"), first_case() > 0 and columns[0] == "cases"
        PAGE.write_text(replace_table(page, name, columns, rows, command, more=more), encoding="utf-8")


def replace_table(
    page: str,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    command: str,
    day: str = "",
    more: bool = False,
) -> str:
    """Returns the page with another table. Raises ValueError if the page has no place for it.

    Args:
        day: in ISO format; today if empty.
        more: whether the table keeps its rows, and these follow.
    """
    place = re.compile(rf"<!-- {re.escape(name)} -->\n(.*?)<!-- /{re.escape(name)} -->", re.DOTALL)
    if not (found := place.search(page)):
        raise ValueError(f"docs/reliability.md has no <!-- {name} --> … <!-- /{name} -->")
    kept = [line for line in found[1].splitlines() if line.startswith("|")][2:] if more else []
    lines = [list(map(str, columns)), ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    table = [f"| {' | '.join(line)} |" for line in lines]
    made = f"Made by `{command}`, {day or datetime.now(UTC).date().isoformat()}."
    content = "\n".join([*table[:2], *kept, *table[2:], "", made])
    return place.sub(lambda _: f"<!-- {name} -->\n{content}\n<!-- /{name} -->", page)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
