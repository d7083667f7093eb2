"""Words that depend on a number."""

from __future__ import annotations


def plural(count: int, noun: str, plural_noun: str = "") -> str:
    """Counts things: `1 run`, `1,200 runs`.

    Args:
        count: how many.
        noun: what, in the singular.
        plural_noun: its plural, if that is not made with an s.
    """
    return f"{count:,} {noun if count == 1 else plural_noun or f'{noun}s'}"
