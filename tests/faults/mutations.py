"""Damaged and hostile versions of files, from small changes of healthy ones.

for mutation in mutations(run.path):        # 6,000 for a finished run
    damaged = shutil.copytree(run.path, target)
    mutation.lay(damaged)                   # in place; `mutation.content` for a zip, None for a special file

`sample(all, 200, seed=7)` picks evenly from all files and kinds.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.array_mutations import mutated_arrays
from tests.faults.json_mutations import mutated_json

SPECIAL_FILES = ("missing", "folder", "fifo", "loop", "device", "dangling", "link", "nonempty folder")
"""What can be in a file's place: nothing, a folder, a pipe that nobody writes to, a symbolic link to itself, to
/dev/zero, to nothing, or to the file itself, which is no damage."""

WHOLE_FILES = {
    "empty": b"",
    "a blank line": b"\n",
    "null": b"null",
    "a number": b"12",
    "a list": b"[]",
    "an empty object": b"{}",
    "zeros": bytes(4096),
    "0xff": b"\xff" * 4096,
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "20,000 objects in one another": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "3 MB of spaces": b" " * 3_000_000,
}
"""Bytes that take the place of a whole file."""

METRICS: dict[str, Callable[[], bytes]] = {
    "30 MB of steps": lambda: b'{"step": 1}\n' * 2_500_000,
    "30 MB of validations": lambda: b'{"step": 1, "epoch": 1, "val_loss": 0.5, "val_accuracy": 0.5}\n' * 480_000,
    "a line of 30 MB": lambda: b'{"step": 1, "text": "' + b"x" * 30_000_000 + b'"}\n',
    "30 MB of blank lines": lambda: b"\n" * 30_000_000,
    "30 MB of broken lines": lambda: b"{\n" * 15_000_000,
    "a line of 5 MB of lists": lambda: b'{"step": 1, "probes": [' + b"[]," * 1_700_000 + b"[]]}\n",
}
"""Large metrics.jsonl files."""

_FIRST_LINES = 2


@dataclass(frozen=True)
class Mutation:
    """One damaged file of a folder.

    Attributes:
        file: path in the folder, with slashes.
        what: what was done to it.
        make: returns its bytes; None if it is one of SPECIAL_FILES.
        special: one of SPECIAL_FILES; empty for a regular file.
    """

    file: str
    what: str
    make: Callable[[], bytes] | None = None
    special: str = ""

    @property
    def content(self) -> bytes | None:
        """The bytes of the damaged file, made when they are asked for; None for a special file."""
        return self.make() if self.make else None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"

    def lay(self, folder: Path) -> None:
        """Damages the file in a copy of the folder."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.make is not None:
            path.unlink(missing_ok=True)
            path.write_bytes(self.make())
            return
        kept = path.with_name(f"{path.name}-kept")
        if self.special == "link":
            path.rename(kept)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if self.special == "folder":
            path.mkdir()
        elif self.special == "nonempty folder":
            path.mkdir()
            (path / "0000.npz").write_bytes(b"x")
        elif self.special == "fifo":
            os.mkfifo(path)
        elif self.special != "missing":
            targets = {"loop": path.name, "device": "/dev/zero", "dangling": "/nowhere/at/all", "link": kept.name}
            path.symlink_to(targets[self.special])


def mutations(folder: Path) -> list[Mutation]:
    """Returns every mutation of every file in a folder, in the order of the files' names."""
    found: list[Mutation] = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        found += mutations_of_file(path.relative_to(folder).as_posix(), path.read_bytes())
    return found


def mutations_of_file(file: str, content: bytes) -> Iterator[Mutation]:
    """Every mutation of one file. `file`: its name decides what its content is taken for."""
    yield from (Mutation(file, f"is {special}", special=special) for special in SPECIAL_FILES)
    yield from (Mutation(file, f"is {name}", partial(bytes, whole)) for name, whole in WHOLE_FILES.items())
    yield from _cut_or_flipped(file, content)
    if file.endswith(".json"):
        yield from (Mutation(file, what, make) for what, make in mutated_json(json.loads(content)))
    elif file.endswith(".jsonl"):
        yield from _mutated_lines(file, content)
    elif file.endswith(".npz"):
        yield from (Mutation(file, what, make) for what, make in mutated_arrays(content))


def _cut_or_flipped(file: str, content: bytes) -> Iterator[Mutation]:
    for share in (1, 10, 50, 90, 99):
        yield Mutation(file, f"cut at {share}%", partial(bytes, content[: len(content) * share // 100]))
    yield Mutation(file, "twice", partial(bytes, content + content))
    dice = random.Random(file)
    for number in range(8):
        flipped = bytearray(content)
        for _ in range(1 + number):
            flipped[dice.randrange(max(1, len(content) - 1))] ^= 1 << dice.randrange(8)
        yield Mutation(file, f"{1 + number} bits flipped", partial(bytes, bytes(flipped)))


def _mutated_lines(file: str, content: bytes) -> Iterator[Mutation]:
    """The first lines, and one with validation results, mutated as JSON; and files that are too large."""
    lines = content.splitlines(keepends=True)
    chosen = [*range(min(_FIRST_LINES, len(lines))), *(i for i, line in enumerate(lines) if b'"val_loss"' in line)][:4]
    for index in dict.fromkeys(chosen):
        for what, make in mutated_json(json.loads(lines[index])):
            yield Mutation(file, f"line {index + 1}: {what}", partial(_with_line, lines, index, make))
    yield Mutation(file, "in reverse order", partial(b"".join, lines[::-1]))
    yield from (Mutation(file, name, make) for name, make in METRICS.items())


def _with_line(lines: list[bytes], index: int, make: Callable[[], bytes]) -> bytes:
    return b"".join([*lines[:index], make() + b"\n", *lines[index + 1 :]])


def sample(all_mutations: Iterable[Mutation], count: int, seed: int = 0) -> list[Mutation]:
    """Picks `count` mutations at random, as many of each file as there are."""
    by_file: dict[str, list[Mutation]] = {}
    for mutation in all_mutations:
        by_file.setdefault(mutation.file, []).append(mutation)
    dice = random.Random(seed)
    for of_file in by_file.values():
        dice.shuffle(of_file)
    rounds = itertools.zip_longest(*by_file.values())
    return list(itertools.islice((mutation for each in rounds for mutation in each if mutation), count))
