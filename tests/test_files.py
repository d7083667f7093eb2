"""Files that are never half-written: exceptions, threads, a reader during a write, and half lines."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.files.folders import copy_files, new_folder, scratch_folder
from mnist_core.files.json_reader import LINE_BYTES, parse_json, parse_lines, read_json
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.files.read import JSON_BYTES, open_file, read_file
from mnist_core.files.write import append_line, replacing, write_arrays, write_json
from mnist_core.files.write_errors import explain_write_error
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


def test_folder_appears_with_all_of_its_files_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a-run"
    with new_folder(folder) as unfinished:
        write_json(unfinished / "spec.json", {"a": 1})
        assert not folder.exists()
    assert read_json(folder / "spec.json") == {"a": 1} and list(folder.parent.iterdir()) == [folder]
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "runs" / "b-run") as unfinished:
        write_json(unfinished / "spec.json", {})
        raise ZeroDivisionError
    with pytest.raises(OSError, match="a-run"), new_folder(folder):
        pass
    assert list(folder.parent.iterdir()) == [folder] and read_json(folder / "spec.json") == {"a": 1}


def test_files_are_copied_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "from" / "deep").mkdir(parents=True)
    (tmp_path / "from" / "deep" / "file").write_bytes(b"content")
    with new_folder(tmp_path / "to") as unfinished:
        copy_files(tmp_path / "from", unfinished)
    assert (tmp_path / "to" / "deep" / "file").read_bytes() == b"content"


LEAVE = """
import os, sys, signal
from pathlib import Path
from mnist_core.files.folders import new_folder
from mnist_core.files.write import replacing
root = Path(sys.argv[1])
with new_folder(root / "a-run") as folder, replacing(root / "checkpoint" / "state.npz") as file:
    (folder / "spec.json").write_text("{")
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it sends SIGKILL")
def test_what_a_killed_process_has_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    assert subprocess.run([sys.executable, "-c", LEAVE, str(tmp_path)], cwd=ROOT, timeout=60).returncode == -9
    assert len(list(tmp_path.rglob(".*"))) == 2
    delete_leftovers(tmp_path, subfolders=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["checkpoint"]


def test_what_a_running_process_is_writing_is_kept(tmp_path: Path) -> None:
    with replacing(tmp_path / "state.npz") as temporary, scratch_folder(tmp_path) as folder:
        temporary.write_text("half")
        (tmp_path / ".notes-1.txt").write_text("of a person")
        delete_leftovers(tmp_path, subfolders=True)
        assert temporary.exists() and folder.exists()
    assert {path.name for path in tmp_path.iterdir()} == {".notes-1.txt", "state.npz"}


def test_temporary_files_of_other_machines_are_deleted_after_a_day(tmp_path: Path) -> None:
    names = (".state-00000000-4242-123456789.npz", ".status-4242-123456789.json")  # the second as earlier versions did
    for name in names:
        (tmp_path / name).write_text("half")
    delete_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    for name in names:
        os.utime(tmp_path / name, (time.time() - 25 * 3600,) * 2)
    delete_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_arrays_are_written_whole(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", np.arange(3), compressed=True, named=np.eye(2))
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["arr_0"].tolist() == [0, 1, 2] and arrays["named"].shape == (2, 2)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ("full", "MB are free", "DIGITLAB_RUNS")),
        (errno.EDQUOT, ("full", "DIGITLAB_RUNS")),
        (errno.EROFS, ("permissions", "DIGITLAB_RUNS")),
        (errno.EIO, (os.strerror(errno.EIO), "DIGITLAB_RUNS")),
    ],
)
def test_write_error_says_what_is_wrong_and_what_to_do(tmp_path: Path, number: int, words: tuple[str, ...]) -> None:
    text = explain_write_error(OSError(number, os.strerror(number), "x.json"), tmp_path / "absent")
    assert str(tmp_path / "absent") in text or number == errno.EIO
    assert all(word in text for word in words)


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
    ],
)
def test_read_json_of_nonsense_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert read_json(path) == {}


def test_read_json_of_nothing_is_empty(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") == {} and read_json(tmp_path) == {}


def lay_pipe(path: Path) -> None:
    os.mkfifo(path)


def lay_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def lay_folder(path: Path) -> None:
    path.mkdir()


def lay_loop(path: Path) -> None:
    path.symlink_to(path.name)


def lay_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize("lay", [lay_pipe, lay_socket, lay_folder, lay_loop, lay_device])
def test_only_regular_files_are_opened_and_nothing_is_waited_for(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    path = tmp_path / "x.json"
    lay(path)
    with pytest.raises(OSError, match=r"x\.json"):
        open_file(path)
    assert read_json(path) == {}


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "y.json", {"a": 1})
    (tmp_path / "x.json").symlink_to("y.json")
    assert read_json(tmp_path / "x.json") == {"a": 1}


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a": 1}' + b" " * 92)
    assert read_file(path, 100) == path.read_bytes() and read_json(path, 100) == {"a": 1}
    with pytest.raises(OSError, match=r"has 100 bytes, expected at most 99"):
        read_file(path, 99)
    assert read_json(path, 99) == {}
    with path.open("ab") as file:
        file.truncate(JSON_BYTES + 1)
    assert read_json(path) == {}


def test_numbers_that_nothing_can_show_are_read_as_none(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    numbers = [
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "1" + 30 * "0",
        "-1" + 30 * "0",
        "1" + 5000 * "0",
        "1.5",
        "-7",
        "1e300",
    ]
    path.write_text(f'{{"a": [{", ".join(numbers)}]}}')
    assert read_json(path) == {"a": [None] * 7 + [1.5, -7, 1e300]}
    assert parse_lines(path.read_bytes() + b"\n")[0] == [read_json(path)]


@pytest.mark.parametrize("content", ['"\\ud800"', '{"\\uDC00": 1}', "[" * 51 + "]" * 51, '{"a":' * 60 + "1" + "}" * 60])
def test_texts_that_cannot_be_written_and_deep_nesting_are_broken(content: str) -> None:
    with pytest.raises(ValueError):
        parse_json(content.encode())


def test_json_of_other_programs_is_parsed() -> None:
    assert parse_json('"\\ud83d\\ude00 é"'.encode()) == "😀 é"
    assert parse_json(b"[" * 49 + b'"' + b"[" * 99 + b'"' + b"]" * 49)


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
from mnist_core.files.write import write_json
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


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 2**63) | st.text(max_size=5), max_size=3)),
    st.data(),
)
def test_lines_read_in_two_goes_are_the_lines_written(rows: list[dict[str, object]], data: st.DataObject) -> None:
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    cut = data.draw(st.integers(0, len(content)))
    first, size, broken = parse_lines(content[:cut])
    rest, rest_size, rest_broken = parse_lines(content[size:])
    assert first + rest == rows
    assert size <= cut and size + rest_size == len(content) and broken == rest_broken == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"oops",
        b"[1]",
        b"\xff\xfe",
        b'{"a": 1',
        DEEP.encode(),
        b"9" * 5000,
        b"NaNN",
        b'{"a": "' + b"x" * LINE_BYTES + b'"}',
    ],
)
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
        "import resource, sys; from pathlib import Path; from mnist_core.files.write import append_line\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try: append_line(Path(sys.argv[1]), '{\"step\": 2}')\n"
        "except OSError as error: sys.exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, timeout=60).returncode == 9
    assert path.read_bytes() == b'{"step": 1}\n'
