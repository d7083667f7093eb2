"""Loads the pen digits: 7,494 digits as strokes, written by 30 people on a tablet.

They are the training part of *Pen-Based Recognition of Handwritten Digits* (Alpaydin and Alimoglu 1998, UCI data set
81, CC BY 4.0). `load_pen_digits()` tries the path in DIGITLAB_PEN, then a file next to Keras's MNIST, then a download
from UCI into that file.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.config import pen_path
from mnist_core.data.download import Progress, fetch
from mnist_core.data.mnist import mnist_cache_path
from mnist_core.drawing.strokes import CANVAS_SIDE, Canvas, PenDigit, render_strokes
from mnist_core.errors import DataError, DownloadError, SettingError
from mnist_core.files.folders import make_folder
from mnist_core.files.read import is_file, read_file
from mnist_core.files.write import write_bytes
from mnist_core.handwriting import lzw, pen_formats
from mnist_core.wording import plural

PEN_URL = "https://archive.ics.uci.edu/static/public/81/pen+based+recognition+of+handwritten+digits.zip"
"""UCI's archive of data set 81."""
MEMBER = "pendigits-orig.tra"
"""The file in the archive, where it is compressed as `.Z`."""
PEN_SHA256 = "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"
"""SHA-256 of MEMBER, decompressed."""

MAX_BYTES = 64_000_000
"""Largest archive and largest file in it, in bytes: ten times the real ones."""
HELD_OUT_WRITERS = 6
"""Writers, of 30, whose digits only evaluate. No run trains on them."""


def load_pen_digits(progress: Progress | None = None) -> tuple[PenDigit, ...]:
    """Loads the pen digits.

    Args:
        progress: called while a download is running, if there is one.

    Raises:
        DataError: the path in DIGITLAB_PEN cannot be used. No other source is tried then.
        DownloadError: there is no local copy, and the download failed.
    """
    if path := pen_path():
        return _read_configured(path)
    cache = pen_cache_path()
    if not _is_genuine(cache):
        download_pen_digits(progress)
    return read_pen_digits(cache)


def locate_pen_digits() -> Path | None:
    """Returns the file that `load_pen_digits()` would read without a download, or None. Takes milliseconds."""
    if path := pen_path():
        return path if is_file(path) else None
    return pen_cache_path() if _is_genuine(pen_cache_path()) else None


def pen_digits_available() -> bool:
    """True if `load_pen_digits()` needs no download."""
    return locate_pen_digits() is not None


def pen_cache_path() -> Path:
    """Returns where a download is cached, next to Keras's MNIST: $KERAS_HOME/datasets/pendigits-orig.tra."""
    return mnist_cache_path().with_name(MEMBER)


def _read_configured(path: Path) -> tuple[PenDigit, ...]:
    try:
        return read_pen_digits(path)
    except DataError as error:
        raise DataError(f"{error} The path comes from DIGITLAB_PEN: correct it, or unset it.") from error


def _is_genuine(file: Path) -> bool:
    try:
        return hashlib.sha256(read_file(file, MAX_BYTES)).hexdigest() == PEN_SHA256
    except OSError:
        return False


def read_pen_digits(path: str | os.PathLike[str]) -> tuple[PenDigit, ...]:
    """Reads pen digits from JSON lines, UNIPEN, either of them as `.Z`, or UCI's archive. See `pen_formats`.

    Raises:
        DataError: the file is missing, broken or something else. Names the file and the line.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib raises RuntimeError for an unknown user
    try:
        content = read_file(path, MAX_BYTES)
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise pen_formats.format_error(path, found, "a file that can be read") from error
    return pen_formats.parse_pen_digits(_unpack(content, path), path)


def _unpack(content: bytes, where: object) -> bytes:
    """Returns the content of an archive or a `.Z` file; anything else stays as it is."""
    try:
        if content[:4] == b"PK\3\4":
            content = _read_member(content)
        return lzw.uncompress(content, MAX_BYTES) if content[:2] == lzw.MAGIC else content
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and lzw each raise their own kinds
        raise pen_formats.format_error(where, str(error), f"{MEMBER}, compressed as UCI does it") from error


def _read_member(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = [name for name in opened.namelist() if Path(name).name in (MEMBER, f"{MEMBER}.Z")]
        if not names:
            raise ValueError(f"an archive without {MEMBER}.Z")
        with opened.open(names[0]) as stream:
            content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes when unpacked")
    return content


def download_pen_digits(progress: Progress | None = None) -> Path:
    """Downloads the pen digits from UCI into the cache, whole or not at all. It may be called again after a failure.

    The SHA-256 of the decompressed file is checked, because UCI has repacked its archives before.

    Returns:
        `pen_cache_path()`, where the file now is.

    Raises:
        DownloadError: the download failed; the cache is as it was.
    """
    try:
        _save(_download(progress))
    except DataError as error:
        host = urllib.parse.urlsplit(PEN_URL).hostname
        fix = f"Connect to the network and try again, or set DIGITLAB_PEN to a copy of {MEMBER}."
        raise DownloadError(f"The pen digits could not be downloaded from {host}: {error}. {fix}") from error
    return pen_cache_path()


def _download(progress: Progress | None) -> bytes:
    """Downloads UCI's archive and returns MEMBER, decompressed and checked."""

    def limit_size(done: int, total: int) -> None:
        if max(done, total) > MAX_BYTES:
            raise DownloadError(f"more than {MAX_BYTES:,} bytes, so it is another file")
        if progress:
            progress(done, total)

    # An abandoned download may still be writing into the folder.
    with tempfile.TemporaryDirectory(prefix="digitlab-", ignore_cleanup_errors=True) as folder:
        archive = fetch(PEN_URL, None, Path(folder, "archive.zip"), limit_size).read_bytes()
    try:
        content = _unpack(archive, "it")
    except DataError as error:
        raise DownloadError(
            "the file cannot be unpacked: it is damaged, or the network sent a sign-in page instead"
        ) from error
    if hashlib.sha256(content).hexdigest() != PEN_SHA256:
        raise DownloadError("the file has the wrong SHA-256: it is damaged, or the network sent a sign-in page instead")
    return content


def _save(content: bytes) -> None:
    try:
        make_folder(pen_cache_path().parent)
        write_bytes(pen_cache_path(), content)
    except OSError as error:
        raise DownloadError(f"the cache cannot be written ({error}); KERAS_HOME moves it") from error


def split_writers(
    digits: Sequence[PenDigit], held_out: int = HELD_OUT_WRITERS, seed: int = 0
) -> tuple[tuple[PenDigit, ...], tuple[PenDigit, ...]]:
    """Splits pen digits by writer, because only writers unseen in training show how well strangers are recognized.

    Args:
        digits: of at least `held_out` + 1 writers, in any order.
        held_out: number of writers to evaluate with.
        seed: decides which writers.

    Returns:
        The digits to train on and the digits to evaluate with, each in the given order.

    Raises:
        DataError: one of the two would be empty.
    """
    writers = sorted({digit.writer for digit in digits})
    if not 0 < held_out < len(writers):
        raise DataError(
            f"The pen digits are of {plural(len(writers), 'person', 'people')}, and {held_out} of them are to be "
            f"held out, so at least {held_out + 1} people are needed. Set DIGITLAB_PEN to another file, or unset it."
        )
    chosen = np.random.RandomState(seed).choice(writers, held_out, replace=False)
    evaluation_writers = set(chosen)
    return (
        tuple(digit for digit in digits if digit.writer not in evaluation_writers),
        tuple(digit for digit in digits if digit.writer in evaluation_writers),
    )


@dataclass(frozen=True)
class Condition:
    """How large, how thick and where a digit is drawn on the page's canvas.

    Attributes:
        share: the longer side of the pen's path, relative to the canvas.
        width: brush width in pixels of a canvas of 280.
        corner: True to draw each digit in the next of the four corners instead of in the middle.
    """

    share: float
    width: float
    corner: bool = False


DRAWING_CONDITIONS: dict[str, Condition] = {
    "usual": Condition(0.60, 20),
    "thin": Condition(0.60, 8),
    "small thin corner": Condition(0.35, 8, corner=True),
    "small fat": Condition(0.35, 20),
    "big fat": Condition(0.85, 30),
}
"""How pen digits are drawn to measure a model, by name. Model cards contain these names."""

_MARGIN = 4  # pixels between the ink and the edges of its corner


def draw_pen_digits(digits: Iterable[PenDigit], condition: str) -> Iterator[Canvas]:
    """Draws digits one after the other. All of them at once would take 600 MB.

    Args:
        digits: the pen digits to draw.
        condition: one of DRAWING_CONDITIONS.

    Raises:
        SettingError: there is no such condition.

    Yields:
        (280, 280) uint8: 0 paper, 255 ink.
    """
    if condition not in DRAWING_CONDITIONS:
        raise SettingError(f"Unknown condition {condition!r}. Expected one of: {', '.join(DRAWING_CONDITIONS)}.")
    drawn = DRAWING_CONDITIONS[condition]
    size = drawn.share * CANVAS_SIDE
    for index, digit in enumerate(digits):
        center = _center_in_corner(digit, size, drawn.width, index) if drawn.corner else None
        yield render_strokes(digit.strokes, drawn.width, size, center)


def _center_in_corner(digit: PenDigit, size: float, width: float, index: int) -> tuple[float, float]:
    """Returns the x, y at which a digit has to be centered to touch the margins of the corner `index` modulo 4."""
    together = np.concatenate(digit.strokes)
    sides = np.ptp(together, axis=0)
    reach = sides * size / max(float(sides.max()), 1e-6) / 2 + width / 2 + _MARGIN
    x, y = (CANVAS_SIDE - reach[axis] if index >> axis & 1 else reach[axis] for axis in (0, 1))
    return float(x), float(y)
