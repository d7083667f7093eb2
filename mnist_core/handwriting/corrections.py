"""Stores corrections: drawings kept with their true label ("It was a 7"), one file each in RUNS_DIR/drawings.

save_correction(image, 7, predicted, strokes, width)  # once the person has agreed
list_corrections()                                    # newest first
archive_corrections(list_corrections())               # a zip to download
delete_correction(name)
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
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core import owners
from mnist_core.config import max_drawings_each, runs_dir
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.drawing.strokes import Strokes, fit_strokes
from mnist_core.errors import DrawingError
from mnist_core.files.folders import delete_file, make_folder
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.locks import locked
from mnist_core.wording import plural

MAX_CORRECTIONS = 2000
"""The maximum number of stored corrections. The Data page still opens without delay."""

MAX_COORDINATE = 1e6
"""Farthest point of a stroke, in pixels of the canvas, whose side is a few hundred."""
ARCHIVE_IMAGES, ARCHIVE_STROKES = "drawings.npz", "drawings.jsonl"
"""The files in an archive."""
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True, eq=False)
class Correction:
    """A drawing and the label that the person who drew it gave.

    Attributes:
        name: of its file, without suffix: the time and a random part.
        label: 0..9, or NOT_A_DIGIT.
        image: (28, 28) uint8, ink bright: what the model classified.
        strokes: the pen's path in pixels of the canvas; empty for an uploaded picture.
        width: brush width in pixels of the canvas; 0 if unknown.
        predicted: what the model predicted, 0..9 or NOT_A_DIGIT.
        owner: the browser that drew it; see `owners`.
    """

    name: str
    label: int
    image: NDArray[np.uint8]
    strokes: Strokes
    width: float
    predicted: int
    owner: str = owners.NOBODY

    def to_json(self) -> dict[str, Any]:
        """Returns the content of its file."""
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
        """Parses what `to_json` returned. Raises KeyError, TypeError or ValueError if this is something else."""
        image = np.array(value["image"])
        if image.shape != (28, 28) or image.min() < 0 or image.max() > 255:
            raise ValueError(f"an image of shape {image.shape}")
        label, predicted = int(value["label"]), int(value["read_as"])
        if not 0 <= label <= NOT_A_DIGIT:
            raise ValueError(f"the label {label}")
        points = [np.array(stroke, np.float64).reshape(-1, 2) for stroke in value["strokes"]]
        if not all(len(stroke) and (np.abs(stroke) <= MAX_COORDINATE).all() for stroke in points):
            raise ValueError("strokes without points, or with points that are nowhere")
        strokes = tuple(stroke.astype(np.float32) for stroke in points)
        owner = owners.parse_owner(value.get("owner"))
        return cls(name, label, image.astype(np.uint8), strokes, float(value["width"]), predicted, owner)


def corrections_dir() -> Path:
    """Returns the folder of all corrections."""
    return runs_dir() / "drawings"


def save_correction(
    image: NDArray[np.uint8],
    label: int,
    predicted: int,
    strokes: Strokes = (),
    width: float = 0.0,
    owner: str = owners.NOBODY,
    replaces: str | None = None,
) -> Correction:
    """Stores a drawing with its true label. Call it only after the person has agreed.

    Args:
        image: (28, 28) uint8, ink bright.
        label: 0..9, or NOT_A_DIGIT.
        predicted: what a model predicted, 0..9 or NOT_A_DIGIT.
        strokes: the pen's path in pixels of the canvas, if known.
        width: brush width in pixels of the canvas; 0 if unknown.
        owner: the browser that drew it.
        replaces: name of a correction to delete once this one is stored; it does not count toward the limits.

    Raises:
        DrawingError: the image, label or name is invalid, there are MAX_CORRECTIONS already, the owner has kept as many
            as one may, or the folder is not writable.
    """
    if image.shape != (28, 28) or image.dtype != np.uint8:
        raise DrawingError(f"Expected a (28, 28) uint8 image; got {image.shape} {image.dtype}.")
    if not 0 <= label <= NOT_A_DIGIT:
        raise DrawingError(f"Expected a digit from 0 to 9, or {NOT_A_DIGIT} for not a digit; got {label}.")
    replaced = _file(replaces) if replaces is not None else None
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    drawing = Correction(name, label, image, strokes, width, predicted, owner)
    try:
        make_folder(corrections_dir())
        with locked(runs_dir()):  # two browser tabs at once do not both fit
            _check_room(owner, replaces)
            write_json(_file(name), drawing.to_json())
            if replaced:
                delete_file(replaced)
    except OSError as error:
        raise DrawingError(f"The correction cannot be saved. {explain_write_error(error, corrections_dir())}") from None
    return drawing


def _check_room(owner: str, replaces: str | None) -> None:
    """Checks that the owner may keep another drawing, without the replaced one. NOBODY has no limit of its own."""
    files = [path for path in _files() if path.stem != replaces]
    if len(files) >= MAX_CORRECTIONS:
        raise DrawingError(
            f"This server keeps {MAX_CORRECTIONS:,} drawings, which is the limit. Delete some on the Data page."
        )
    most = max_drawings_each()
    if (
        owner != owners.NOBODY
        and len(files) >= most
        and sum(each.owner == owner for each in list_corrections() if each.name != replaces) >= most
    ):
        raise DrawingError(
            f"You have kept {plural(most, 'drawing')}, which is the limit for one person. Delete some on the Data "
            "page, under Kept drawings; Download all saves them first."
        )


def list_corrections() -> list[Correction]:
    """Returns all corrections, newest first. Files that cannot be parsed are skipped. Do not change the images."""
    return [correction for path in _files() if (correction := _read_correction(path)) is not None]


def _read_correction(path: Path) -> Correction | None:
    try:
        return _read_version(path, path.stat().st_mtime_ns)
    except OSError:  # it was deleted a moment ago
        return None


@lru_cache(maxsize=2 * MAX_CORRECTIONS)
def _read_version(path: Path, modified: int) -> Correction | None:
    """The correction in a file as of this time; None if it cannot be parsed. A thousand take a second."""
    try:
        return Correction.from_json(path.stem, read_json(path))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def delete_correction(name: str) -> None:
    """Deletes a correction for good. It is no error if it is gone already.

    Raises:
        DrawingError: no correction can have this name (so it is not used as a path), or the file cannot be deleted.
    """
    path = _file(name)
    try:
        delete_file(path)
    except OSError as error:
        raise DrawingError(f"{name} cannot be deleted. {explain_write_error(error, corrections_dir())}") from None


def _file(name: str) -> Path:
    """The file of a correction. Raises DrawingError if none can have this name."""
    if not _NAME.fullmatch(name):
        raise DrawingError(f"{name[:80]!r} is not the name of a correction.")
    return corrections_dir() / f"{name}.json"


def archive_corrections(drawings: Iterable[Correction]) -> bytes:
    """Packs corrections into a zip file.

    Returns:
        `drawings.npz` with the keys `images` (N, 28, 28) and `labels` (N,), both uint8, and `drawings.jsonl`, the
        strokes of the digits that have any, in the format of `pen_formats`.
    """
    drawings = list(drawings)
    images = np.stack([drawing.image for drawing in drawings]) if drawings else np.empty((0, 28, 28), np.uint8)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, images=images, labels=np.array([drawing.label for drawing in drawings], np.uint8))
    lines = [_json_line(drawing) for drawing in drawings if drawing.strokes and drawing.label != NOT_A_DIGIT]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(ARCHIVE_IMAGES, arrays.getvalue())
        packed.writestr(ARCHIVE_STROKES, "".join(lines))
    return content.getvalue()


def _json_line(drawing: Correction) -> str:
    strokes = [np.round(stroke).astype(int).tolist() for stroke in fit_strokes(drawing.strokes)]
    return json.dumps({"label": drawing.label, "writer": "kept", "strokes": strokes}) + "\n"


def _files() -> list[Path]:
    paths = (
        [path for path in corrections_dir().glob("*.json") if _NAME.fullmatch(path.stem)]
        if corrections_dir().is_dir()
        else []
    )
    return sorted(paths, reverse=True)
