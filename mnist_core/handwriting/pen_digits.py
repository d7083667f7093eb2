"""Digits written with a pen, as strokes: what people draw, where MNIST holds what they wrote on paper long ago.

They are the training part of *Pen-Based Recognition of Handwritten Digits* (Alpaydin and Alimoglu 1998, UCI data set
81, CC BY 4.0): 7,494 digits of 30 people on a tablet. `load()` tries the path in DIGITLAB_PEN, then a file beside
Keras's cache, then a download into it from UCI.
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
from mnist_core.files import replacing
from mnist_core.handwriting import lzw, pen_formats

PEN_URL = "https://archive.ics.uci.edu/static/public/81/pen+based+recognition+of+handwritten+digits.zip"
MEMBER = "pendigits-orig.tra"  # in the archive as .Z
PEN_SHA256 = "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"  # of MEMBER, unpacked

MAX_BYTES = 64_000_000  # of an archive and of what is in it: some ten times what they have
HELD_OUT_WRITERS = 6  # of 30: nobody trains on these


def load_pen_digits(progress: Progress | None = None) -> tuple[PenDigit, ...]:
    """Loads the pen digits.

    Args:
        progress: told how a download goes on, should there be one.

    Raises:
        DataError: the path in DIGITLAB_PEN cannot be used; no other source is tried then.
        DownloadError: there is no local copy, and none could be fetched.
    """
    if path := pen_path():
        return _read_configured(path)
    cache = pen_cache_path()
    if not _is_genuine(cache):
        download_pen_digits(progress)
    return read_pen_digits(cache)


def locate_pen_digits() -> Path | None:
    """The file that `load()` would read without a download, else None. Its digits are not read: milliseconds."""
    if path := pen_path():
        return path if path.is_file() else None
    return pen_cache_path() if _is_genuine(pen_cache_path()) else None


def pen_digits_available() -> bool:
    """Whether `load()` needs no download."""
    return locate_pen_digits() is not None


def pen_cache_path() -> Path:
    """Where a download is kept, beside Keras's MNIST: $KERAS_HOME/datasets/pendigits-orig.tra."""
    return mnist_cache_path().with_name(MEMBER)


def _read_configured(path: Path) -> tuple[PenDigit, ...]:
    try:
        return read_pen_digits(path)
    except DataError as error:
        raise DataError(f"{error} The path comes from DIGITLAB_PEN: correct it, or unset it.") from error


def _is_genuine(file: Path) -> bool:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == PEN_SHA256
    except OSError:
        return False


def read_pen_digits(path: str | os.PathLike[str]) -> tuple[PenDigit, ...]:
    """Reads pen digits, whichever way they are stored: JSON lines, UNIPEN, `.Z`, or UCI's archive. See `pen_files`.

    Raises:
        DataError: it is missing, broken or something else. Names the file and the line.
    """
    path = Path(os.path.expanduser(path))
    try:
        if path.stat().st_size > MAX_BYTES:
            raise pen_formats.format_error(path, f"{path.stat().st_size:,} bytes", f"at most {MAX_BYTES:,}")
        content = path.read_bytes()
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise pen_formats.format_error(path, found, "a file that can be read") from error
    return pen_formats.parse_pen_digits(_unpacked(content, path), path)


def _unpacked(content: bytes, where: object) -> bytes:
    """What is in an archive or a `.Z` file; anything else as it is."""
    try:
        if content[:4] == b"PK\3\4":
            return _unpacked(_member(content), where)
        return lzw.uncompress(content, MAX_BYTES) if content[:2] == lzw.MAGIC else content
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and its kin each raise their own kinds
        raise pen_formats.format_error(where, str(error), f"{MEMBER}, packed as UCI packs it") from error


def _member(archive: bytes) -> bytes:
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
    """Fetches the pen digits from UCI into the cache, whole or not at all; call it again to try again.

    What counts is the SHA-256 of the unpacked file: UCI has packed its archives anew before.

    Returns:
        `cache_path()`, where the file now is.

    Raises:
        DownloadError: it could not be fetched; the cache is as it was.
    """
    try:
        content = _fetch(progress)
        _keep(content)
    except DataError as error:
        host = urllib.parse.urlsplit(PEN_URL).hostname
        mend = f"Connect to the network and try again, or set DIGITLAB_PEN to a copy of {MEMBER}."
        raise DownloadError(f"The pen digits could not be downloaded from {host}: {error}. {mend}") from error
    return pen_cache_path()


def _fetch(progress: Progress | None) -> bytes:
    def watch(done: int, total: int) -> None:
        if max(done, total) > MAX_BYTES:
            raise DownloadError(f"more than {MAX_BYTES:,} bytes, so it is something else")
        if progress:
            progress(done, total)

    # An abandoned download may still be writing there.
    with tempfile.TemporaryDirectory(prefix="digitlab-", ignore_cleanup_errors=True) as folder:
        archive = fetch(PEN_URL, None, Path(folder, "archive.zip"), watch).read_bytes()
    try:
        content = _unpacked(archive, "it")
    except DataError as error:
        raise DownloadError("what came cannot be unpacked: it is damaged or a sign-in page of the network") from error
    if hashlib.sha256(content).hexdigest() != PEN_SHA256:
        raise DownloadError("what came has the wrong SHA-256, so it is damaged or a sign-in page of the network")
    return content


def _keep(content: bytes) -> None:
    try:
        pen_cache_path().parent.mkdir(parents=True, exist_ok=True)
        with replacing(pen_cache_path()) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise DownloadError(f"the cache cannot be written ({error}); KERAS_HOME moves it") from error


def split_writers(
    digits: Sequence[PenDigit], kept: int = HELD_OUT_WRITERS, seed: int = 0
) -> tuple[tuple[PenDigit, ...], tuple[PenDigit, ...]]:
    """Splits by person: only a hand that was never seen in training tells how a stranger's digits are read.

    Args:
        digits: of at least `kept` + 1 writers, in any order.
        kept: writers to measure with.
        seed: draws them.

    Returns:
        Digits to train on and digits to measure with, each in the order in which they came.
    """
    writers = sorted({digit.writer for digit in digits})
    if not 0 < kept < len(writers):
        raise DataError(f"{kept} of {len(writers)} writers cannot be kept apart: expected from 1 to one less than all.")
    chosen = np.random.RandomState(seed).choice(writers, kept, replace=False)
    train, measure = set(writers) - set(chosen), set(chosen)
    return _of(digits, train), _of(digits, measure)


def _of(digits: Iterable[PenDigit], writers: set[str]) -> tuple[PenDigit, ...]:
    return tuple(digit for digit in digits if digit.writer in writers)


@dataclass(frozen=True)
class Condition:
    """How a digit is drawn on the page's canvas.

    Attributes:
        share: the longer side of the pen's path, of the canvas's side.
        width: of the brush, in pixels of a canvas of 280.
        corner: the ink lies in a corner, each digit's in the next one, instead of in the middle.
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

_MARGIN = 4  # pixels between the ink and the canvas's edge, in a corner


def draw_pen_digits(digits: Iterable[PenDigit], condition: str) -> Iterator[Canvas]:
    """Draws digits one after the other: all of them at once would take 600 MB.

    Args:
        digits: whose strokes to draw.
        condition: one of CONDITIONS.

    Raises:
        SettingError: there is no such condition.

    Yields:
        (280, 280) uint8: 0 paper, 255 ink.
    """
    if condition not in DRAWING_CONDITIONS:
        raise SettingError(f"Unknown condition {condition!r}. Expected one of: {', '.join(DRAWING_CONDITIONS)}.")
    how = DRAWING_CONDITIONS[condition]
    size = how.share * CANVAS_SIDE
    for index, digit in enumerate(digits):
        centre = _corner(digit, size, how.width, index) if how.corner else None
        yield render_strokes(digit.strokes, how.width, size, centre)


def _corner(digit: PenDigit, size: float, width: float, index: int) -> tuple[float, float]:
    together = np.concatenate(digit.strokes)
    sides = np.ptp(together, axis=0)
    reach = sides * size / max(float(sides.max()), 1e-6) / 2 + width / 2 + _MARGIN
    x, y = (CANVAS_SIDE - reach[axis] if index >> axis & 1 else reach[axis] for axis in (0, 1))
    return float(x), float(y)
