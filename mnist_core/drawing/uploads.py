"""Decodes pictures from a browser, uploads and canvases, and refuses anything that could harm the server."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from mnist_core.errors import DrawingError

Pixels = NDArray[np.uint8]

MAX_PIXELS = 40_000_000
"""A phone's picture has 12 to 24 million pixels; anything far beyond is a mistake or an attack."""
MAX_SIDE = 2048
"""Longest side that is kept, in pixels: a visitor's picture then takes 17 MB at most, not 160."""
_DECODING = threading.Semaphore(2)
"""A large picture takes up to 400 MB while it is decoded, so that many at once could exhaust the memory."""
MAX_PIXEL_RATIO = 4
"""How many pixels of a screen a canvas may have for each of its own, along one axis."""
MIN_UPLOAD_SIDE = 8
"""Smallest side in pixels that has room for a digit and some paper around it."""
_FILE_TYPES = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"PK": "a ZIP file",
    b"RIFF": "a WebP or another RIFF file",
    b"<": "an SVG, HTML or XML text",
    b"\x93NUMPY": "a NumPy array",
}


def decode_upload(content: bytes) -> Pixels:
    """Decodes an uploaded picture and turns it upright as its EXIF data says.

    Args:
        content: a PNG or JPEG file of at most MAX_PIXELS, with sides of at least MIN_UPLOAD_SIDE.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4) uint8, 0..255, RGB order; a picture with a longer side than MAX_SIDE is reduced.

    Raises:
        DrawingError: this is not such a file; the message says what it looks like. The size is checked before any
            pixel is decoded.
    """
    picture = _open(content)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} million"
        raise DrawingError(f"The picture has {width} x {height} pixels, more than {limit}. Make it smaller first.")
    if min(width, height) < MIN_UPLOAD_SIDE:
        least = f"{MIN_UPLOAD_SIDE} x {MIN_UPLOAD_SIDE}"
        raise DrawingError(f"The picture has {width} x {height} pixels: a digit with paper around it needs {least}.")
    with _explaining_damage(), _DECODING:
        return _reduced(_pixels(ImageOps.exif_transpose(picture)))


def decode_canvas(content: bytes, width: int, height: int) -> Pixels:
    """Decodes the picture that a canvas sends.

    Args:
        content: a PNG file.
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4) uint8, 0..255, RGB order.

    Raises:
        DrawingError: this is not such a file, or the picture is more than MAX_PIXEL_RATIO times as wide or high as the
            canvas. The size is checked before any pixel is decoded.
    """
    picture = _open(content)
    if picture.width > MAX_PIXEL_RATIO * width or picture.height > MAX_PIXEL_RATIO * height:
        raise DrawingError(
            f"The canvas sent a picture of {picture.width} x {picture.height} pixels, expected {width} x {height}. "
            "Clear the canvas and draw again."
        )
    with _explaining_damage("Clear the canvas and draw again."):
        return _pixels(picture)


@contextmanager
def _explaining_damage(fix: str = "Save it again as PNG.") -> Iterator[None]:
    """Turns what a broken file raises into a DrawingError. `fix`: what to do about it."""
    try:
        yield
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise DrawingError(f"The picture is damaged and cannot be read ({error}). {fix}") from error


def _open(content: bytes) -> Image:
    """Reads only the header. `PIL.Image.open` is not used: its size limit is a warning and global to the process."""
    reader = PngImageFile if content.startswith(b"\x89PNG") else JpegImageFile
    try:
        return reader(io.BytesIO(content))
    except Exception as error:  # a broken header makes Pillow raise nearly anything
        raise DrawingError(f"Expected a PNG or JPEG picture. Received: {_looks_like(content)}.") from error


def _looks_like(content: bytes) -> str:
    """Says what type of file this is, by its first bytes."""
    if not content:
        return "an empty file"
    if content.startswith((b"\x89PNG", b"\xff\xd8")):
        return "a PNG or JPEG with a damaged header"
    if content[4:8] == b"ftyp":
        return "a HEIC, AVIF or MP4 file"
    found = [name for start, name in _FILE_TYPES.items() if content.lstrip().startswith(start)]
    if found:
        return found[0]
    return "a text file" if _is_text(content) else "a file of another type"


def _is_text(content: bytes) -> bool:
    """True if the file begins with printable characters."""
    return " ".join(content[:64].decode("utf-8", errors="ignore").split()).isprintable()


def _pixels(picture: Image) -> Pixels:
    """Returns (H, W), (H, W, 3) or (H, W, 4) uint8."""
    if picture.mode.startswith("I"):  # 16-bit gray, which Pillow would clip instead of scaling
        return (np.asarray(picture) >> 8).astype(np.uint8)
    mode = "RGBA" if picture.has_transparency_data else "L" if picture.mode in ("1", "L") else "RGB"
    return np.array(picture.convert(mode))


def _reduced(pixels: Pixels) -> Pixels:
    """The picture with its longer side at most MAX_SIDE."""
    height, width = pixels.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
