"""Zips of runs with random damage: imported whole, or refused in a sentence, and never a traceback.

A mutation fuzzer, seeded by its round: real zips and attack zips, of which bytes are flipped, parts are cut, moved or
doubled, numbers in the headers are replaced by those at the edges of their range, and files are damaged before they
are packed, so that the checksums are right.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mnist_core.errors import RunError
from mnist_core.export.archive import unpack_run
from tests.faults.make_attacks import FOLDER
from tests.faults.report import scale, write_table
from tests.faults.run_zips import files_without_models, healthy_files, run_zip
from tests.support import names_in

pytestmark = pytest.mark.slow

SECONDS = scale(short=3, long=780)
MEMORY_MB = 200
HEADERS = re.compile(rb"PK(\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07|\x07\x08)")
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
TOKENS = (b"0", b"-1", b"1e999", b"NaN", b"null", b"[]", b"{}", b'""', b'"\\ud800"', b"9" * 400, b"[" * 2000, b"true")
"""What takes the place of a number in a text file."""

Change = Callable[[random.Random, bytearray], None]


def flip_bits(dice: random.Random, content: bytearray) -> None:
    for _ in range(dice.randint(1, 8)):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)


def set_header_number(dice: random.Random, content: bytearray) -> None:
    """Replaces two or four bytes in the first 46 of a header."""
    headers = [match.start() for match in HEADERS.finditer(content)]
    for _ in range(dice.randint(1, 3)):
        place, size = dice.choice(headers or [0]) + 4 + dice.randrange(42), dice.choice((2, 4))
        content[place : place + size] = (dice.choice(EDGES) & (256**size - 1)).to_bytes(size, "little")


def cut(dice: random.Random, content: bytearray) -> None:
    start = dice.randrange(len(content))
    del content[start : start + dice.randint(1, 2000)]


def double(dice: random.Random, content: bytearray) -> None:
    start = dice.randrange(len(content))
    part = content[start : start + dice.randint(1, 2000)]
    place = dice.randrange(len(content))
    content[place:place] = part


def append_end(dice: random.Random, content: bytearray) -> None:
    """A second end record, which says something else."""
    end = content.rfind(b"PK\x05\x06")
    content += content[end:]
    set_header_number(dice, content)


CHANGES: tuple[Change, ...] = (flip_bits, set_header_number, set_header_number, cut, double, append_end)


def damage_file(dice: random.Random, name: str, content: bytes) -> bytes:
    """A file with other numbers, if it is a text, or with random bytes."""
    changed = bytearray(content)
    if name.endswith((".json", ".jsonl")):
        values = list(re.finditer(rb"-?\d[\d.e+-]*|true|false|null", content))
        chosen = dice.sample(values, min(len(values), dice.randint(1, 3)))
        for match in sorted(chosen, key=lambda each: -each.start()):
            changed[match.start() : match.end()] = dice.choice(TOKENS)
    else:
        dice.choice((flip_bits, cut, double))(dice, changed)
    return bytes(changed)


class Seeds:
    """The zips that are damaged."""

    def __init__(self) -> None:
        self._small, self._whole = files_without_models(), healthy_files()
        self._attacks = [path.read_bytes() for path in sorted(FOLDER.glob("*.zip"))]
        self._ready = [run_zip(self._small), run_zip(self._whole)]

    def damaged(self, dice: random.Random) -> bytes:
        """A damaged zip. Few have models: trying those takes half a second."""
        if dice.random() < 0.4:
            files = dict(self._whole if dice.random() < 0.1 else self._small)
            for name in dice.sample(sorted(files), dice.randint(1, 2)):
                files[name] = damage_file(dice, name, files[name])
            return run_zip(files)
        source = self._ready[dice.random() < 0.1] if dice.random() < 0.6 else dice.choice(self._attacks)
        content = bytearray(source)
        for _ in range(dice.randint(1, 3)):
            dice.choice(CHANGES)(dice, content)
        return bytes(content)


def test_damaged_zips_are_imported_whole_or_refused(runs_root: Path) -> None:
    seeds, outcomes, process = Seeds(), Counter[str](), psutil.Process()
    before, began, round_number = process.memory_info().rss, time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        content = seeds.damaged(random.Random(round_number))
        try:
            run = unpack_run(io.BytesIO(content))
        except RunError as error:
            assert len(str(error)) < 1000, round_number
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"round {round_number}: {type(error).__name__}: {error}") from error
        else:
            assert run.path.parent == runs_root and run.status().final and run.spec(), round_number
            outcomes["imported"] += 1
            shutil.rmtree(run.path)
        assert names_in(runs_root) == set(), round_number
        round_number += 1
    grown = (process.memory_info().rss - before) // 1_000_000
    assert grown < MEMORY_MB
    rows = [
        [round_number, outcomes["refused"], outcomes["imported"], 0, f"{grown} MB", f"{SECONDS / 60:.0f}"],
    ]
    columns = ["damaged zips", "refused", "imported", "tracebacks, files left behind", "more memory", "minutes"]
    write_table("fuzzing-zips", columns, rows, "make test-faults ARGS='-k damaged_zips_are'")


def test_the_fuzzer_makes_the_same_zips_again() -> None:
    assert Seeds().damaged(random.Random(7)) == Seeds().damaged(random.Random(7))
    assert zipfile.is_zipfile(io.BytesIO(run_zip(files_without_models())))
