"""The tables in docs/reliability.md, which the long form of each harness writes.

tests, seed = scale(short=40, long=10_000), 7
write_table("queue", ["steps", "runs trained twice"], [[tests, 0]], command="make test-faults ARGS='-k queue'")
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.support import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def is_long() -> bool:
    """True in `make test-faults`."""
    return os.environ.get("DIGITLAB_FAULTS") == "long"


def scale(short: int, long: int) -> int:
    """How many cases to try: few in `make test`, many in `make test-faults`."""
    return long if is_long() else short


def write_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[object]], command: str) -> None:
    """Replaces a table in docs/reliability.md; does nothing in the short form.

    Args:
        name: of the harness. Its table is between the comments `<!-- NAME -->` and `<!-- /NAME -->`.
        columns: headers.
        rows: one cell for each column.
        command: what a reader types to get the same table.
    """
    if is_long():
        PAGE.write_text(replace_table(PAGE.read_text(encoding="utf-8"), name, columns, rows, command), encoding="utf-8")


def replace_table(
    page: str, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]], command: str, day: str = ""
) -> str:
    """Returns the page with another table. Raises ValueError if the page has no place for it."""
    place = re.compile(rf"<!-- {re.escape(name)} -->\n.*?<!-- /{re.escape(name)} -->", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"docs/reliability.md has no <!-- {name} --> … <!-- /{name} -->")
    lines = [list(map(str, columns)), ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    made = f"Made by `{command}`, {day or datetime.now(UTC).date().isoformat()}."
    return place.sub(lambda _: f"<!-- {name} -->\n{table}\n\n{made}\n<!-- /{name} -->", page)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
