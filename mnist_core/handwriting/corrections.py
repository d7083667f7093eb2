"""Drawings that people kept because a model had misread them ("it was a 7"): files in RUNS_DIR/drawings, one each.

kept.keep(image, 7, strokes, width)      # after the person has agreed
kept.everything()                        # newest first
kept.archive(kept.everything())          # a zip to take home
kept.delete(name)
"""

from __future__ import annotations

import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.drawing.strokes import Strokes, fit_strokes
from mnist_core.errors import DrawingError
from mnist_core.files import read_json, write_json

MAX_CORRECTIONS = 2000
"""Drawings kept at most: a page of them still opens at once."""

ARCHIVE_IMAGES, ARCHIVE_STROKES = "drawings.npz", "drawings.jsonl"
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True, eq=False)
class Correction:
    """A drawing and what its maker says it is.

    Attributes:
        name: of its file: when it was kept, and a random part.
        label: 0..9, or NOT_A_DIGIT.
        image: (28, 28) uint8, ink bright: what the model saw.
        strokes: the pen's path in pixels of the canvas; empty where a picture was read.
        width: of the brush in pixels of the canvas, 0 where it is not known.
        predicted: what the model took it for, 0..9, or NOT_A_DIGIT.
        owner: whose it is: see `owners`.
    """

    name: str
    label: int
    image: NDArray[np.uint8]
    strokes: Strokes
    width: float
    predicted: int
    owner: str = owners.NOBODY

    def to_json(self) -> dict[str, Any]:
        """As it stands in its file."""
        paths = [np.round(stroke, 2).tolist() for stroke in self.strokes]
        return {
            "label": self.label,
            "read_as": self.predicted,
            "image": self.image.tolist(),
            "strokes": paths,
            "width": self.width,
            "owner": self.owner,
        }

    @classmethod
    def from_json(cls, name: str, value: Any) -> Correction:
        """What `to_json` wrote. Raises KeyError, TypeError or ValueError where it is not that."""
        image = np.array(value["image"])
        if image.shape != (28, 28) or image.min() < 0 or image.max() > 255:
            raise ValueError(f"an image of shape {image.shape}")
        label, predicted = int(value["label"]), int(value["read_as"])
        if not 0 <= label <= NOT_A_DIGIT:
            raise ValueError(f"the label {label}")
        strokes = tuple(np.array(stroke, np.float32).reshape(-1, 2) for stroke in value["strokes"])
        if not all(len(stroke) and np.isfinite(stroke).all() for stroke in strokes):
            raise ValueError("strokes without points, or with points that are nowhere")
        owner = owners.parse_owner(value.get("owner"))
        return cls(name, label, image.astype(np.uint8), strokes, float(value["width"]), predicted, owner)


def corrections_dir() -> Path:
    """Where they are kept."""
    return runs_dir() / "drawings"


def save_correction(
    image: NDArray[np.uint8],
    label: int,
    predicted: int,
    strokes: Strokes = (),
    width: float = 0.0,
    owner: str = owners.NOBODY,
) -> Correction:
    """Writes a drawing whose maker has agreed to its being kept.

    Args:
        image: (28, 28) uint8, ink bright.
        label: 0..9, or NOT_A_DIGIT.
        predicted: what a model took it for.
        strokes: the pen's path, where it is known.
        width: of the brush in pixels of the canvas, where it is known.
        owner: whose it is: Visitor.owner.

    Raises:
        DrawingError: the image or the label is none, there are MAX_KEPT already, or the folder cannot be written.
    """
    if image.shape != (28, 28) or image.dtype != np.uint8:
        raise DrawingError(f"Expected a (28, 28) uint8 image; got {image.shape} {image.dtype}.")
    if not 0 <= label <= NOT_A_DIGIT:
        raise DrawingError(f"Expected a digit from 0 to 9, or {NOT_A_DIGIT} for no digit; got {label}.")
    if len(_files()) >= MAX_CORRECTIONS:
        raise DrawingError(
            f"{MAX_CORRECTIONS:,} drawings are kept already, and no more may be. Delete some on the Data page."
        )
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    drawing = Correction(name, label, image, strokes, width, predicted, owner)
    try:
        corrections_dir().mkdir(parents=True, exist_ok=True)
        write_json(corrections_dir() / f"{name}.json", drawing.to_json())
    except OSError as error:
        raise DrawingError(
            f"The drawing cannot be kept in {corrections_dir()}: {error}. Mend that, or set DIGITLAB_RUNS."
        ) from None
    return drawing


def list_corrections() -> list[Correction]:
    """All that are kept, newest first. A file that cannot be read is left out."""
    found = []
    for path in _files():
        try:
            found.append(Correction.from_json(path.stem, read_json(path)))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return found


def delete_correction(name: str) -> None:
    """Deletes one, for good. One that is gone already is no error.

    Raises:
        DrawingError: no drawing could have this name (it is never used as a path then), or it cannot be deleted.
    """
    if not _NAME.fullmatch(name):
        raise DrawingError(f"{name[:80]!r} is not the name of a kept drawing.")
    try:
        (corrections_dir() / f"{name}.json").unlink(missing_ok=True)
    except OSError as error:
        raise DrawingError(f"{name} cannot be deleted: {error}.") from None


def archive_corrections(drawings: Iterable[Correction]) -> bytes:
    """A zip to take home.

    Returns:
        `drawings.npz` with the keys `images` (N, 28, 28) and `labels` (N,), both uint8, and `drawings.jsonl`, the
        strokes of those that are digits and have strokes, as `pen` reads them.
    """
    drawings = list(drawings)
    images = np.stack([drawing.image for drawing in drawings]) if drawings else np.empty((0, 28, 28), np.uint8)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, images=images, labels=np.array([drawing.label for drawing in drawings], np.uint8))
    lines = [_line(drawing) for drawing in drawings if drawing.strokes and drawing.label != NOT_A_DIGIT]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(ARCHIVE_IMAGES, arrays.getvalue())
        packed.writestr(ARCHIVE_STROKES, "".join(lines))
    return content.getvalue()


def _line(drawing: Correction) -> str:
    strokes = [np.round(stroke).astype(int).tolist() for stroke in fit_strokes(drawing.strokes)]
    return json.dumps({"label": drawing.label, "writer": "kept", "strokes": strokes}) + "\n"


def _files() -> list[Path]:
    paths = (
        [path for path in corrections_dir().glob("*.json") if _NAME.fullmatch(path.stem)]
        if corrections_dir().is_dir()
        else []
    )
    return sorted(paths, reverse=True)
