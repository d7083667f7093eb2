"""Files that are never half-written: exceptions, threads, a reader during a write, and half lines."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.files import append_line, parse_lines, read_json, replacing, write_json
from tests.support import ROOT, wait_until

DEEP = "[" * 100_000


def test_replacing_swaps_the_file_in_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_text("old")
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".keras", "Keras looks at the suffix"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_replacing_leaves_everything_as_it_was_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_write_json_leaves_no_trace_where_the_value_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1} and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"3",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"a": 1',
        DEEP.encode(),
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_read_json_of_nonsense_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert read_json(path) == {}


def test_read_json_of_nothing_is_empty(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") == {} and read_json(tmp_path) == {}


def test_many_threads_may_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"

    def write(number: int) -> None:
        for _ in range(50):
            write_json(path, {"number": number, "text": "x" * 5_000})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_json(path)["number"] in range(4) and list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from mnist_core.files import write_json
number = 0
while not Path(sys.argv[2]).exists():
    number += 1
    write_json(Path(sys.argv[1]), {"number": number, "text": str(number % 10) * (1 + number % 7 * 20_000)})
"""


def test_a_reader_never_sees_half_of_what_another_process_writes(tmp_path: Path) -> None:
    path, enough = tmp_path / "status.json", tmp_path / "enough"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(enough)], cwd=ROOT)
    seen: set[int] = set()

    def read() -> bool:
        for _ in range(100):
            value = json.loads(path.read_bytes())
            assert value["text"] == str(value["number"] % 10) * (1 + value["number"] % 7 * 20_000)
            seen.add(value["number"])
        return len(seen) >= 30

    try:
        wait_until(path.exists, "the first version of the file")
        wait_until(read, "thirty versions of the file")
    finally:
        enough.touch()
        assert writer.wait(30) == 0


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3)), st.data())
def test_lines_read_in_two_goes_are_the_lines_written(rows: list[dict[str, object]], data: st.DataObject) -> None:
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    cut = data.draw(st.integers(0, len(content)))
    first, size, broken = parse_lines(content[:cut])
    rest, rest_size, rest_broken = parse_lines(content[size:])
    assert first + rest == rows
    assert size <= cut and size + rest_size == len(content) and broken == rest_broken == 0


@pytest.mark.parametrize("garbage", [b"oops", b"[1]", b"\xff\xfe", b'{"a": 1', DEEP.encode(), b"9" * 5000, b"NaNN"])
def test_garbage_lines_are_counted_and_passed_over(garbage: bytes) -> None:
    content = b'{"step": 1}\n' + garbage + b'\n\n{"step": 2}\n{"step'
    assert parse_lines(content) == ([{"step": 1}, {"step": 2}], len(content) - len(b'{"step'), 1)


def test_line_is_appended_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_line(path, '{"step": 1}')
    append_line(path, '{"step": 2}')
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files by prlimit")
@pytest.mark.parametrize("limit", [12, 20])
def test_line_is_not_appended_by_half_on_a_full_disk(tmp_path: Path, limit: int) -> None:
    """A limit on the size of files cuts a write just as a full disk does: some bytes are written, or none."""
    path = tmp_path / "metrics.jsonl"
    append_line(path, '{"step": 1}')
    script = (
        "import resource, sys; from pathlib import Path; from mnist_core.files import append_line\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try: append_line(Path(sys.argv[1]), '{\"step\": 2}')\n"
        "except OSError as error: sys.exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, timeout=60).returncode == 9
    assert path.read_bytes() == b'{"step": 1}\n'
