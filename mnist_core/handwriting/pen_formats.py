"""Parses the two formats of pen digits: JSON lines and UNIPEN.

JSON lines: one object per line with `label` (0..9), `writer` and `strokes`, a list of strokes, each a list of [x, y]
with y down.

UNIPEN (Guyon et al. 1994), as far as `pendigits-orig.tra` uses it, with y up:

    .SEGMENT DIGIT 0-1 ? "4"        the digit's label, in quotes
    .COMMENT 4 12 224               label, writer and a serial number
    .PEN_DOWN
     267 333                        one point per line
    .PEN_UP

Other keywords, such as `.DT 100`, are ignored, and so are points outside of a stroke and numbers after x and y. A digit
without such a comment has an unknown writer.

This parser was written without the original file, from what several public parsers of it agree on, and is tested with
files in that form. One of those parsers counts 7,494 digits in 9,433 strokes, as in the JSON lines made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mnist_core.drawing.strokes import PenDigit, fit_strokes
from mnist_core.errors import DataError
from mnist_core.fields import is_number
from mnist_core.files.json_reader import parse_json

UNKNOWN_WRITER = "unknown"
"""The `writer` of a UNIPEN digit whose comment does not name one."""

Point = tuple[float, float]


def format_error(where: object, found: str, expected: str) -> DataError:
    """Returns the error for a file that does not hold pen digits."""
    fix = "Give pendigits-orig.tra of UCI's data set 81, or JSON lines with label, writer and strokes."
    return DataError(f"{where} cannot be used as pen digits. Found {found}; expected {expected}. {fix}")


def parse_pen_digits(content: bytes, name: object) -> tuple[PenDigit, ...]:
    """Parses either format, which the first character that is not a space decides.

    Args:
        content: of the file, decompressed.
        name: of the file, for error messages.

    Raises:
        DataError: it is neither, or something in it is wrong. Names the file and the line.
    """
    parse = _PARSERS.get(content.lstrip()[:1])
    if parse is None:
        raise format_error(name, repr(content[:20]) if content else "an empty file", "{ or . at the start")
    digits = tuple(parse(content.decode("utf-8", "replace").split("\n"), name))
    if not digits:
        raise format_error(name, "no digit", "at least one")
    return digits


def _parse_json_lines(lines: Iterable[str], name: object) -> Iterator[PenDigit]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _parse_json_digit(parse_json(line.encode()))
            except ValueError as error:
                expected = 'an object like {"label": 4, "writer": "12", "strokes": [[[0, 0], [10, 1000]]]}'
                raise format_error(f"{name}, line {number},", str(error), expected) from error


def _parse_json_digit(row: Any) -> PenDigit:
    if not isinstance(row, dict) or not {"label", "writer", "strokes"} <= row.keys():
        raise ValueError(f"{str(row)[:60]}")
    label, writer, strokes = row["label"], row["writer"], row["strokes"]
    if type(label) is not int or not 0 <= label <= 9:  # True is an int, too
        raise ValueError(f"the label {str(label)[:60]}")
    if not isinstance(writer, str | int):
        raise ValueError(f"the writer {str(writer)[:60]}")
    if not _is_filled(strokes) or not all(_is_filled(stroke) for stroke in strokes):
        raise ValueError(f"the strokes {str(strokes)[:60]}")
    return PenDigit(
        label, str(writer), fit_strokes([[_parse_json_point(point) for point in stroke] for stroke in strokes])
    )


def _is_filled(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0


def _parse_json_point(point: Any) -> Point:
    if not isinstance(point, list) or len(point) != 2 or not all(_is_coordinate(value) for value in point):
        raise ValueError(f"the point {str(point)[:60]}")
    return float(point[0]), float(point[1])


def _is_coordinate(value: Any) -> bool:
    """Returns True for a number that a tablet could send."""
    return is_number(value) and abs(value) <= 1e9


def _parse_unipen(lines: Iterable[str], name: object) -> Iterator[PenDigit]:
    record: list[tuple[int, str]] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith(".SEGMENT"):
            if record:
                yield _parse_unipen_digit(record, name)
            record = []
        if record or line.startswith(".SEGMENT"):  # lines before the first segment are a preamble
            record.append((number, line))
    if record:
        yield _parse_unipen_digit(record, name)


def _parse_unipen_digit(record: list[tuple[int, str]], name: object) -> PenDigit:
    """Parses the numbered lines of one digit, `.SEGMENT` first."""
    label, writer, pen_down = _parse_label(*record[0], name), UNKNOWN_WRITER, False
    strokes: list[list[Point]] = []
    for number, line in record[1:]:
        if line.startswith(".PEN_"):
            pen_down = line.startswith(".PEN_DOWN")
            strokes += [[]] if pen_down else []
        elif line.startswith(".COMMENT") and writer == UNKNOWN_WRITER:
            writer = _parse_writer(number, line, label, name)
        elif pen_down and line and not line.startswith("."):
            strokes[-1].append(_parse_unipen_point(number, line, name))
    strokes = [stroke for stroke in strokes if stroke]
    if not strokes:
        raise format_error(
            f"{name}, line {record[0][0]},", f"the digit {label} without a point", "points after .PEN_DOWN"
        )
    return PenDigit(label, writer, fit_strokes(strokes))


def _parse_label(number: int, line: str, name: object) -> int:
    if not (match := re.search(r'"\s*([0-9])\s*"', line)):
        raise format_error(f"{name}, line {number},", repr(line[:60]), 'a label in quotes, like .SEGMENT DIGIT 0 ? "4"')
    return int(match[1])


def _parse_writer(number: int, line: str, label: int, name: object) -> str:
    match = re.match(r"\.COMMENT\s+(\d+)\s+(\d+)\b", line)
    if match and int(match[1]) != label:
        raise format_error(f"{name}, line {number},", repr(line[:60]), f"the label {label} of the .SEGMENT above")
    return match[2] if match else UNKNOWN_WRITER


def _parse_unipen_point(number: int, line: str, name: object) -> Point:
    try:
        x, y = (float(word) for word in line.split()[:2])
    except ValueError:
        x = y = float("nan")
    if not (_is_coordinate(x) and _is_coordinate(y)):
        raise format_error(f"{name}, line {number},", repr(line[:60]), "two numbers, x and y")
    return x, -y


_PARSERS: dict[bytes, Callable[[Iterable[str], object], Iterator[PenDigit]]] = {
    b"{": _parse_json_lines,
    b".": _parse_unipen,
}
