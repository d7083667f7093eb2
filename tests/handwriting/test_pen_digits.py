"""Pen digits: both file forms against each other, what is refused and how, the download from a real loopback server,
the split by writers, and what lands on the canvas."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data import download
from mnist_core.drawing.strokes import fit_strokes
from mnist_core.errors import DataError, DownloadError, SettingError
from mnist_core.handwriting import pen_digits, pen_formats
from mnist_core.handwriting.pen_digits import (
    DRAWING_CONDITIONS,
    PEN_SHA256,
    PEN_URL,
    PenDigit,
    draw_pen_digits,
    load_pen_digits,
    locate_pen_digits,
    pen_cache_path,
    pen_digits_available,
    read_pen_digits,
    split_writers,
)
from tests.packing import compress
from tests.serving import Answer, sending, serving
from tests.support import ROOT

ORIGINAL_URL, ORIGINAL_SHA256 = PEN_URL, PEN_SHA256  # before the fixtures below point them elsewhere
FULL_PEN = os.environ.get("DIGITLAB_PEN")  # read before any test hides it


def refused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees a proxy or the network; the folder that holds what they leave behind for a moment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pen_digits, "PEN_URL", f"http://127.0.0.1:{refused_port()}/digits.zip")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def rows(writers: int = 8, each: int = 10) -> list[dict[str, Any]]:
    """Made-up digits on whole numbers, fitted, as the JSON lines hold them; some with two strokes, some with a dot."""
    generator = np.random.default_rng(0)
    made = []
    for number in range(writers * each):
        count = 1 + number % 3
        strokes = [generator.integers(0, 1001, (1 if index == 2 else 9, 2)).tolist() for index in range(count)]
        strokes[0][:2] = [[0, 300], [500, 0]]  # the box's left and upper side
        strokes[0][-1] = [400, 1000]
        made.append({"label": number % 10, "writer": str(1 + number // each), "strokes": strokes})
    return made


def json_lines(digits: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in digits)


PREAMBLE = '.INCLUDE dene.doc\n.LEXICON "0" "1" "2"\n.HIERARCHY DIGIT\n'


def unipen(digits: list[dict[str, Any]], newline: str = "\n") -> bytes:
    """The form of pendigits-orig.tra, as its public readers describe it: y up, shifted."""
    lines, first = [PREAMBLE], 0
    for number, row in enumerate(digits):
        last = first + len(row["strokes"]) - 1
        lines.append(f'.SEGMENT DIGIT {first}{f"-{last}" if last > first else ""} ? "{row["label"]}"\n')
        lines.append(f".COMMENT {row['label']:3d} {row['writer']:>3} {number:5d}\n")
        for stroke in row["strokes"]:
            points = "".join(f" {x + 37:4d} {1200 - y:4d}\n" for x, y in stroke)
            lines.append(f".PEN_DOWN\n{points}.PEN_UP\n.DT 100\n")
        first = last + 1
    return "".join(lines).replace("\n", newline).encode()


def archive(content: bytes, name: str = "pendigits-orig.tra.Z") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("pendigits.names", "what it is")
        packed.writestr(name, content)
    return file.getvalue()


def equal(digits: tuple[PenDigit, ...], expected: list[dict[str, Any]]) -> bool:
    found = [
        {"label": digit.label, "writer": digit.writer, "strokes": [stroke.tolist() for stroke in digit.strokes]}
        for digit in digits
    ]
    return found == expected


def written(folder: Path, content: bytes, name: str = "digits") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_reads_json_lines(tmp_path: Path) -> None:
    digits = read_pen_digits(written(tmp_path, json_lines(rows())))
    assert equal(digits, rows())
    assert all(stroke.dtype == np.float32 and not stroke.flags.writeable for d in digits for stroke in d.strokes)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_reads_unipen_as_the_same_digits(tmp_path: Path, newline: str) -> None:
    assert equal(read_pen_digits(written(tmp_path, unipen(rows(), newline))), rows())


def test_reads_what_uci_packed(tmp_path: Path) -> None:
    packed = compress(unipen(rows()))
    for content in (
        packed,
        archive(packed),
        archive(packed, "folder/pendigits-orig.tra.Z"),
        archive(unipen(rows()), "pendigits-orig.tra"),
    ):
        assert equal(read_pen_digits(written(tmp_path, content)), rows())


def test_y_goes_up_in_unipen_and_down_here() -> None:
    text = b'.SEGMENT DIGIT 0 ? "7"\n.PEN_DOWN\n 10 500\n 60 500\n 30 400\n.PEN_UP\n'
    (digit,) = pen_formats.parse_pen_digits(text, "it")
    assert digit.strokes[0].tolist() == [[0, 0], [500, 0], [200, 1000]]


def test_unipen_is_read_with_tolerance() -> None:
    text = b"""

.VERSION 1.0
.COORD X Y T
 7 7
  .SEGMENT DIGIT 0-1 OK "4"
.COMMENT written in haste
.STYLE MIXED

.PEN_DOWN
100\t200 17
1e2 0.5 18
.DT 100
.PEN_UP
55 55
.COMMENT 4 12 224
.PEN_DOWN
.PEN_UP
.PEN_DOWN
50 100
.SEGMENT DIGIT 2 ? "0"
.PEN_DOWN
3 4
"""
    four, zero = pen_formats.parse_pen_digits(text, "it")
    assert (four.label, four.writer, zero.label, zero.writer) == (4, "12", 0, "unknown")
    assert [len(stroke) for stroke in four.strokes] == [2, 1] and zero.strokes[0].tolist() == [[0, 0]]
    assert np.allclose(four.strokes[1], [[0, 100 / 199.5 * 1000]])


SEGMENT = '.SEGMENT DIGIT 0 ? "4"\n'

REFUSED: dict[str, tuple[str, int, str, str]] = {
    "no label": (".SEGMENT DIGIT 0 ?\n", 1, ".SEGMENT DIGIT 0 ?", "a label in quotes"),
    "a letter": (f'{SEGMENT}.PEN_DOWN\n1 2\n.SEGMENT DIGIT 1 ? "x"\n', 4, '? "x"', "a label in quotes"),
    "two digits": ('.SEGMENT DIGIT 1 ? "10"\n', 1, '? "10"', "a label in quotes"),
    "another label": (f"{SEGMENT}.COMMENT 5 12\n", 2, ".COMMENT 5 12", "the label 4"),
    "a word": (f"{SEGMENT}.PEN_DOWN\n1 two\n", 3, "1 two", "two numbers, x and y"),
    "one number": (f"{SEGMENT}.PEN_DOWN\n1 2\n3\n", 4, "'3'", "two numbers, x and y"),
    "not finite": (f"{SEGMENT}.PEN_DOWN\n1 nan\n", 3, "1 nan", "two numbers, x and y"),
    "too far": (f"{SEGMENT}.PEN_DOWN\n1 1e300\n", 3, "1 1e300", "two numbers, x and y"),
    "no stroke": (f"{PREAMBLE}{SEGMENT}.COMMENT 4 1\n", 4, "the digit 4 without a point", "points after .PEN_DOWN"),
    "no point": (f"{SEGMENT}.PEN_DOWN\n.PEN_UP\n{SEGMENT}", 1, "the digit 4 without a point", "points"),
    "no object": ('{"label": 1, "writer": "1", "strokes": [[[0, 0]]]}\n[1]\n', 2, "[1]", "an object like"),
    "no JSON": ("{\n", 1, "Expecting property name", "an object like"),
    "deep": ('{"label": ' + "[" * 100_000, 1, "levels deep", "an object like"),
    "no writer": ('\n{"label": 1, "strokes": [[[0, 0]]]}', 2, "'label': 1", "an object like"),
    "label 10": ('{"label": 10, "writer": "1", "strokes": [[[0, 0]]]}', 1, "the label 10", "an object like"),
    "label true": ('{"label": true, "writer": "1", "strokes": [[[0, 0]]]}', 1, "the label True", "an object like"),
    "label text": ('{"label": "1", "writer": "1", "strokes": [[[0, 0]]]}', 1, "the label 1", "an object like"),
    "writer list": ('{"label": 1, "writer": [], "strokes": [[[0, 0]]]}', 1, "the writer []", "an object like"),
    "no strokes": ('{"label": 1, "writer": "1", "strokes": []}', 1, "the strokes []", "an object like"),
    "empty stroke": ('{"label": 1, "writer": "1", "strokes": [[]]}', 1, "the strokes [[]]", "an object like"),
    "text stroke": ('{"label": 1, "writer": "1", "strokes": ["ab"]}', 1, "the strokes ['ab']", "an object like"),
    "three numbers": ('{"label": 1, "writer": "1", "strokes": [[[0, 0, 0]]]}', 1, "the point [0, 0, 0]", "an object"),
    "text point": ('{"label": 1, "writer": "1", "strokes": [[["0", 0]]]}', 1, "the point ['0', 0]", "an object"),
    "true": ('{"label": 1, "writer": "1", "strokes": [[[0, true]]]}', 1, "the point [0, True]", "an object"),
    "NaN": ('{"label": 1, "writer": "1", "strokes": [[[0, NaN]]]}', 1, "the point [0, nan]", "an object"),
    "huge": ('{"label": 1, "writer": "1", "strokes": [[[0, 1' + "0" * 400 + "]]]}", 1, "the point [0, 100", "an obj"),
}


def test_refuses_a_wrong_line_by_its_number(tmp_path: Path) -> None:
    for case, (content, line, found, expected) in REFUSED.items():
        path = written(tmp_path, content.encode())
        with pytest.raises(DataError) as caught:
            read_pen_digits(path)
        message = str(caught.value)
        assert message.startswith(f"{path}, line {line}, "), case
        assert found in message and expected in message and "pendigits-orig.tra" in message, case
        assert len(message) < 600, case


def test_refuses_another_file(tmp_path: Path) -> None:
    for content, found in (
        (b"", "an empty file"),
        (b" \n", "b' \\n'"),
        (b"88,92,2,99,16,66,94,37,70,0,0,24,42,65,100,100,8\n", "88,92"),  # pendigits.tra, which has features only
        (b"\x93NUMPY", "NUMPY"),
        (b".COMMENT only\n", "no digit"),
        (b"PK\3\4 nonsense", "not a zip file"),
        (b"\x1f\x9d\x90\xff\xff", "never defined"),
        (archive(b"", "pendigits.tra"), "without pendigits-orig.tra.Z"),
        (archive(b"\x1f\x9d\x90\xff\xff"), "never defined"),
    ):
        path = written(tmp_path, content)
        with pytest.raises(DataError) as caught:
            read_pen_digits(path)
        assert str(caught.value).startswith(str(path)) and found in str(caught.value), content[:20]


def test_refuses_what_does_not_exist_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere .*no such file"):
        read_pen_digits(tmp_path / "nowhere")
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        read_pen_digits(tmp_path)


def test_an_archive_within_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_pen_digits(written(tmp_path, archive(archive(compress(GENUINE)), "pendigits-orig.tra")))


def test_refuses_files_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pen_digits, "MAX_BYTES", 50_000)
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("pendigits-orig.tra", bytes(20_000_000))
    bomb = compress(bytes(500_000))
    tracemalloc.start()
    for content in (zeros.getvalue(), bomb, archive(bomb)):
        with pytest.raises(DataError, match="50,000"):
            read_pen_digits(written(tmp_path, content))
    with pytest.raises(DataError, match="60,000.*50,000"):
        read_pen_digits(written(tmp_path, bytes(60_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_any_damage_is_a_data_error_or_leaves_digits(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    for whole in (json_lines(rows(2)), unipen(rows(2)), compress(unipen(rows(2))), archive(compress(unipen(rows(2))))):
        for position in draws.integers(0, len(whole), 60).tolist():
            flipped = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
            for content in (flipped, whole[:position]):
                with contextlib.suppress(DataError):
                    assert all(0 <= digit.label <= 9 for digit in read_pen_digits(written(tmp_path, content)))


@pytest.fixture(scope="module")
def full_pen_digits() -> tuple[PenDigit, ...]:
    if not FULL_PEN:
        pytest.skip("DIGITLAB_PEN is not set: no pen digits to test with")
    return read_pen_digits(FULL_PEN)


def test_the_pen_digits_are_those_of_1998(full_pen_digits: tuple[PenDigit, ...]) -> None:
    """Numbers of writers and digits from the data set's own description."""
    digits = full_pen_digits
    assert len(digits) == 7494 and len({digit.writer for digit in digits}) == 30
    counts = np.bincount([digit.label for digit in digits]).tolist()
    assert counts == [780, 779, 780, 719, 780, 720, 720, 778, 719, 719]  # pendigits.names
    train, measure = split_writers(digits)
    assert (len({d.writer for d in train}), len({d.writer for d in measure})) == (24, 6)
    assert min(np.bincount([digit.label for digit in measure])) > 100


def test_the_pen_digits_survive_unipen(full_pen_digits: tuple[PenDigit, ...]) -> None:
    digits = full_pen_digits[::20]
    plain = [
        {"label": d.label, "writer": d.writer, "strokes": [s.round().astype(int).tolist() for s in d.strokes]}
        for d in digits
    ]
    assert equal(pen_formats.parse_pen_digits(unipen(plain), "it"), plain)


def test_configured_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate_pen_digits() is None and not pen_digits_available()
    path = written(tmp_path, unipen(rows()))
    monkeypatch.setenv("DIGITLAB_PEN", "~/digits")
    assert locate_pen_digits() == path and pen_digits_available() and equal(load_pen_digits(), rows())


def test_configured_path_that_is_wrong_never_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_PEN", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere .*DIGITLAB_PEN") as caught:
        load_pen_digits()
    assert not isinstance(caught.value, DownloadError) and locate_pen_digits() is None


GENUINE = unipen(rows())
ARCHIVE = archive(compress(GENUINE))


@pytest.fixture
def fetch_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def point(url: str) -> None:
        monkeypatch.setattr(pen_digits, "PEN_URL", url)
        monkeypatch.setattr(pen_digits, "PEN_SHA256", hashlib.sha256(GENUINE).hexdigest())

    return point


def left_behind(temporary: Path) -> list[Path]:
    return [*temporary.rglob("*"), *pen_cache_path().parent.rglob("*")]


def test_downloads_unpacks_and_keeps(temporary: Path, fetch_from: Callable[[str], None]) -> None:
    reports: list[tuple[int, int]] = []
    with serving(sending(ARCHIVE), "81/pen+based+digits.zip") as (url, asked):
        fetch_from(url)
        first = load_pen_digits(lambda done, total: reports.append((done, total)))
        second = load_pen_digits()
    assert asked == ["/81/pen+based+digits.zip"]
    assert equal(first, rows()) and equal(second, rows())
    assert pen_cache_path().read_bytes() == GENUINE and left_behind(temporary) == [pen_cache_path()]
    assert locate_pen_digits() == pen_cache_path() and pen_digits_available()
    assert reports == sorted(reports) and reports[-1] == (len(ARCHIVE), len(ARCHIVE))


def test_repacked_archive_is_as_good(fetch_from: Callable[[str], None]) -> None:
    with serving(sending(archive(GENUINE, "data/pendigits-orig.tra")), "81/pen+based+digits.zip") as (url, _):
        fetch_from(url)
        assert equal(load_pen_digits(), rows())


def test_cache_lies_beside_keras_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pen_cache_path() == tmp_path / "keras" / "datasets" / "pendigits-orig.tra"
    monkeypatch.delenv("KERAS_HOME")
    assert pen_cache_path() == tmp_path / ".keras" / "datasets" / "pendigits-orig.tra"


FAILURES: dict[str, tuple[Answer, str]] = {
    "wrong hash": (sending(archive(compress(GENUINE + b"\n"))), "wrong SHA-256"),
    "wrong member": (sending(archive(compress(GENUINE), "pendigits-orig.tes.Z")), "cannot be unpacked"),
    "sign-in page": (sending(b"<html>Welcome to our network</html>"), "wrong SHA-256"),
    "half a zip": (sending(ARCHIVE[: len(ARCHIVE) // 2]), "cannot be unpacked"),
    "cut": (sending(ARCHIVE[:-100], len(ARCHIVE)), "cut before the file was complete"),
    "404": (sending(b"gone", status=404), "404"),
    "500": (sending(b"broken", status=500), "500"),
    "too large": (sending(b"", 65_000_000), "more than 64,000,000 bytes"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failed_download_leaves_nothing(failure: str, temporary: Path, fetch_from: Callable[[str], None]) -> None:
    answer, reason = FAILURES[failure]
    with serving(answer, "81/pen+based+digits.zip") as (url, asked):
        fetch_from(url)
        with pytest.raises(DownloadError, match=reason) as caught:
            load_pen_digits()
    message = str(caught.value)
    assert all(word in message for word in ("127.0.0.1", "DIGITLAB_PEN", "pendigits-orig.tra"))
    assert len(asked) == 1 and not pen_digits_available()
    wait_until(lambda: left_behind(temporary) == [])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_trying_again_may_succeed(fetch_from: Callable[[str], None]) -> None:
    answers = [sending(b"", status=503), sending(ARCHIVE)]
    with serving(lambda request: answers.pop(0)(request), "81/pen+based+digits.zip") as (url, _):
        fetch_from(url)
        with pytest.raises(DownloadError, match="503"):
            load_pen_digits()
        assert equal(load_pen_digits(), rows())


def test_no_network_is_quick_and_plain() -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError, match="no network"):
        load_pen_digits()
    assert time.monotonic() - started < 3


def test_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(pen_digits, "PEN_URL", f"http://127.0.0.1:{listener.getsockname()[1]}/digits.zip")
        with pytest.raises(DownloadError, match=r"0\.3 seconds"):
            load_pen_digits()


def test_progress_that_raises_ends_the_download(temporary: Path, fetch_from: Callable[[str], None]) -> None:
    """Streamlit stops a script by raising inside whatever it calls."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with serving(sending(ARCHIVE), "81/pen+based+digits.zip") as (url, _):
        fetch_from(url)
        with pytest.raises(KeyboardInterrupt):
            load_pen_digits(stop)
    wait_until(lambda: left_behind(temporary) == [])


def test_broken_cache_is_downloaded_again_or_left(fetch_from: Callable[[str], None]) -> None:
    pen_cache_path().parent.mkdir(parents=True)
    pen_cache_path().write_bytes(GENUINE[:-9])
    with pytest.raises(DownloadError):
        load_pen_digits()
    assert pen_cache_path().read_bytes() == GENUINE[:-9] and not pen_digits_available()
    with serving(sending(ARCHIVE), "81/pen+based+digits.zip") as (url, _):
        fetch_from(url)
        assert equal(load_pen_digits(), rows())


def test_cache_folder_that_cannot_be_made(
    tmp_path: Path, fetch_from: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(written(tmp_path, b"")))
    with serving(sending(ARCHIVE), "81/pen+based+digits.zip") as (url, _):
        fetch_from(url)
        with pytest.raises(DownloadError, match="KERAS_HOME"):
            load_pen_digits()


def test_source_is_data_set_81_and_the_file_the_json_lines_were_made_from() -> None:
    assert ORIGINAL_URL.startswith("https://archive.ics.uci.edu/static/public/81/")
    assert ORIGINAL_SHA256 == "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"


def test_import_is_light() -> None:
    heavy = "streamlit tensorflow keras pooch requests mlxtend sklearn scipy matplotlib"
    code = "import sys, mnist_core.handwriting.pen_digits, mnist_core.handwriting.non_digits; "
    code += f"print(*set('{heavy}'.split()) & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.strip() == ""


def digits_of(writers: int, each: int = 3) -> list[PenDigit]:
    strokes = fit_strokes([[(0, 0), (1, 2)]])
    return [PenDigit(number % 10, f"w{number % writers}", strokes) for number in range(writers * each)]


def test_split_keeps_whole_writers_apart() -> None:
    digits = digits_of(30)
    train, measure = split_writers(digits)
    writers = [{digit.writer for digit in part} for part in (train, measure)]
    assert (len(writers[0]), len(writers[1])) == (24, 6) and not writers[0] & writers[1]
    assert sorted(map(id, train + measure)) == sorted(map(id, digits))
    assert [digit for digit in digits if digit in train] == list(train)  # by identity, in the order of the file


def test_split_depends_on_the_seed_and_not_on_the_order() -> None:
    digits = digits_of(30)
    kept = {digit.writer for digit in split_writers(digits)[1]}
    shuffled = [digits[index] for index in np.random.default_rng(0).permutation(len(digits))]
    assert {digit.writer for digit in split_writers(shuffled)[1]} == kept
    drawn = [{digit.writer for digit in split_writers(digits, seed=seed)[1]} for seed in range(60)]
    assert kept == drawn[0] and set.union(*drawn) == {digit.writer for digit in digits}


def test_split_is_the_same_for_ever() -> None:
    """A card says which writers a model has not seen: these must never move."""
    digits = [PenDigit(0, str(number), ()) for number in range(1, 31)]
    assert sorted(int(digit.writer) for digit in split_writers(digits)[1]) == [4, 6, 8, 11, 19, 21]


@pytest.mark.parametrize(("writers", "kept"), [(1, 1), (6, 6), (30, 0), (30, -1), (30, 31)])
def test_split_refuses_to_leave_a_part_empty(writers: int, kept: int) -> None:
    with pytest.raises(DataError, match=f"{writers} p.*and {kept} of them.*at least {kept + 1} people"):
        split_writers(digits_of(writers), kept)


TALL = PenDigit(1, "w", fit_strokes([[(0, 0), (0, 1000)], [(300, 500), (0, 500)]]))


@pytest.mark.parametrize("condition", DRAWING_CONDITIONS)
def test_each_condition_draws_its_size_and_brush(condition: str) -> None:
    share, width = {
        "usual": (0.6, 20),
        "thin": (0.6, 8),
        "small thin corner": (0.35, 8),
        "small fat": (0.35, 20),
        "big fat": (0.85, 30),
    }[condition]
    (canvas,) = draw_pen_digits([TALL], condition)
    assert canvas.shape == (280, 280) and canvas.dtype == np.uint8
    ink = np.argwhere(canvas > 127)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    assert bottom - top + 1 == pytest.approx(share * 280 + width, abs=2)
    upper_stem = (canvas[top + width : (top + bottom) // 2 - width] > 127).sum(axis=1)
    assert np.all(np.abs(upper_stem - width) <= 1)
    if "corner" not in condition:
        assert abs(left + right - 279) <= 2 and abs(top + bottom - 279) <= 2


def test_corners_take_turns() -> None:
    wide = PenDigit(0, "w", fit_strokes([[(0, 0), (1000, 200)]]))
    corners = []
    for canvas in draw_pen_digits([TALL, wide] * 4, "small thin corner"):
        ink = np.argwhere(canvas)
        gaps = np.concatenate([ink.min(axis=0), 279 - ink.max(axis=0)])  # top, left, bottom, right
        assert np.sort(gaps)[:2] == pytest.approx([4, 4], abs=2)
        corners.append(tuple(sorted(np.argsort(gaps)[:2].tolist())))
    assert len(set(corners[:4])) == 4 and corners[:4] == corners[4:]


def test_draw_takes_no_more_than_it_needs() -> None:
    endless = itertools.repeat(TALL)
    assert len(list(itertools.islice(draw_pen_digits(endless, "thin"), 3))) == 3


def test_draw_refuses_an_unknown_condition() -> None:
    with pytest.raises(SettingError, match="'fat'.*usual, thin, small thin corner,"):
        list(draw_pen_digits([TALL], "fat"))
