"""Reads a bounded part of a metrics.jsonl, for lists and charts: a file of 30 MB costs no more than one of 2 MB.

A file of up to WHOLE_BYTES is read as a whole. Of a larger one are read the first and last reports, reports at even
distances between them, and every report with validation results, since each is a dot on a curve, or with a change by
the user.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from mnist_core.files.json_reader import LINE_BYTES, parse_line, parse_lines
from mnist_core.runs.reports import check_report

WHOLE_BYTES = 1_000_000
"""A file with no more bytes, or no more since it was last read, is read as a whole. An hour of training writes 2 MB."""
MAX_REPORTS = 3_000
"""Reports without validation results that a sample has. A curve is a thousand pixels wide."""
MAX_VALIDATIONS = 2_000
"""Reports with validation results that a sample has: twice as many as a run has epochs."""
SAMPLED_LINES = 1_000
SAMPLED_BYTES = 1_000_000
"""Total length of the lines that are read at even distances."""
_CHUNK = 1 << 20
_VALIDATED, _CHANGED = b'"val_loss"', b'"changed"'

Report = dict[str, Any]


def sample_reports(file: BinaryIO, start: int) -> tuple[list[Report], int, int]:
    """Reads reports from a position on.

    Args:
        file: an open metrics.jsonl.
        start: where a line begins.

    Returns:
        The reports as `check_report` returns them, where the last complete line ends, and how many of the lines that
        were read are no reports.
    """
    size = os.fstat(file.fileno()).st_size
    if size - start <= WHOLE_BYTES:
        file.seek(start)
        rows, length, broken = parse_lines(file.read(size - start))
        reports = [report for row in rows if (report := check_report(row)) is not None]
        return reports, start + length, broken + len(rows) - len(reports)
    validations, end = _scan(file, start, _VALIDATED)
    if end == start:
        return [], start, 0
    places = validations | _scan(file, start, _CHANGED)[0] | _even_places(file, start, end)
    reports, broken = [], 0
    for place in sorted(places):
        row = parse_line(_line_at(file, place))
        report = check_report(row) if row is not None else None
        if report is None:
            broken += 1
        else:
            reports.append(report)
    return reports, end, broken


def thin_out(reports: Sequence[Report]) -> tuple[Report, ...]:
    """Keeps at most MAX_REPORTS and MAX_VALIDATIONS reports, evenly spaced, with the first and the last.

    MAX_REPORTS with changes by the user come on top.
    """
    if len(reports) <= min(MAX_REPORTS, MAX_VALIDATIONS):
        return tuple(reports)
    validated = {index for index, report in enumerate(reports) if _is_validated(report)}
    others = set(range(len(reports))) - validated
    changed = {index for index in others if "changed" in reports[index]}
    kept: set[int] = set()
    for group, limit in ((others, MAX_REPORTS), (validated, MAX_VALIDATIONS), (changed, MAX_REPORTS)):
        indices = sorted(group)
        kept |= {indices[place] for place in _even(len(indices), limit)}
    return tuple(reports[index] for index in sorted(kept))


def _is_validated(report: Mapping[str, Any]) -> bool:
    return "val_loss" in report or "val_accuracy" in report


def _even(count: int, limit: int) -> list[int]:
    """Up to `limit` of the numbers below `count`, with 0 and the last."""
    if count <= limit:
        return list(range(count))
    return [round(place * (count - 1) / (limit - 1)) for place in range(limit)]


def _scan(file: BinaryIO, start: int, key: bytes) -> tuple[set[int], int]:
    """Where lines with a key begin, and where the last complete line ends.

    When there are too many, every second is left out, then every second of the rest.
    """
    places, seen, spacing = list[int](), 0, 1
    position, begin, end = start, start, start  # of the chunk; of the line that is being read; of the first not whole
    file.seek(start)
    overlap = b""
    while chunk := file.read(_CHUNK):
        text = overlap + chunk
        offset = position - len(overlap)
        at, searched = text.find(key), 0
        while at >= 0:
            before = text.rfind(b"\n", searched, at)
            line = offset + before + 1 if before >= 0 else begin
            if seen % spacing == 0 and (not places or places[-1] != line):
                places.append(line)
                if len(places) > 2 * MAX_VALIDATIONS:
                    places, spacing = places[::2], 2 * spacing
            seen += 1
            searched = text.find(b"\n", at)  # the next line: once a line is enough, however long it is
            at = text.find(key, searched) if searched >= 0 else -1
        if (last := chunk.rfind(b"\n")) >= 0:
            begin = end = position + last + 1
        position += len(chunk)
        overlap = text[-len(key) + 1 :]
    return {places[place] for place in _even(len(places), MAX_VALIDATIONS) if places[place] < end}, end


def _even_places(file: BinaryIO, start: int, end: int) -> set[int]:
    """Where lines at even distances begin, the first and the last among them; fewer if they are long."""
    places, length = {start}, 0
    for number in _spread(SAMPLED_LINES):
        target = start + int(number * (end - start))
        file.seek(max(start, target - 1))
        skipped = file.readline(LINE_BYTES)
        place = max(start, target - 1) + len(skipped)
        if not skipped.endswith(b"\n") or place >= end:
            continue
        length += len(file.readline(LINE_BYTES))
        places.add(place)
        if length > SAMPLED_BYTES:
            break
    places.add(_last_line(file, start, end))
    return places


def _spread(count: int) -> list[float]:
    """Shares of a whole, coarse ones first: 0, 1/2, 1/4, 3/4, 1/8, … so that any beginning of the list is even."""
    shares, step = [0.0], 1.0
    while len(shares) < count:
        step /= 2
        shares += [step * odd for odd in range(1, round(1 / step), 2)]
    return shares[:count]


def _last_line(file: BinaryIO, start: int, end: int) -> int:
    """Where the last complete line begins."""
    first = max(start, end - LINE_BYTES)
    file.seek(first)
    return first + file.read(end - 1 - first).rfind(b"\n") + 1


def _line_at(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.readline(LINE_BYTES + 1)
