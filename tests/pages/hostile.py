"""Runs, a sweep, a network and names of an attacker who writes Markdown and HTML into every text of every file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from tests.support import ROOT

HOST = "evil.test"
"""The attacker's host. Nobody answers there: `.test` is reserved."""
IMAGE = f"![x](http://{HOST}/x.png)"
HOSTILE = f"{IMAGE} <img src='http://{HOST}/i.png'> [a](http://{HOST}) http://{HOST}/b :red[r] $x^2$"
TEXTS = {"message", "data", "name", "source", "title", "asked", "host", "note", "recipe_title"}
"""Names of free texts in the files of runs, sweeps and networks."""
RUN = "20261126-132817-own-7d0ec966"
SWEEP = "20261126-132913-af56779b"


def lay_hostile_files(root: Path) -> None:
    """Fills a runs folder with the history of `tests/compatibility`, every free text of which is hostile."""
    with zipfile.ZipFile(ROOT / "tests" / "compatibility" / "runs.zip") as archive:
        archive.extractall(root)
    for file in root.rglob("*.json"):
        if file.parent.name != "drawings":
            write_json(file, _with_hostile_texts(read_json(file)))
    for number, (name, change) in enumerate(
        {"failed": {"state": "failed"}, "stopped": {"state": "stopped"}, "unreadable": {}}.items()
    ):
        run = shutil.copytree(root / RUN, root / f"20261126-14000{number}-own-{name:0>8.8}")
        write_json(run / "status.json", {**read_json(run / "status.json"), **change})
        write_json(run / "label.json", {"name": HOSTILE[:80], "note": HOSTILE, "starred": True})
    write_json(run / "spec.json", {**read_json(run / "spec.json"), "recipe": IMAGE})


def _with_hostile_texts(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {each: _with_hostile_texts(part, each) for each, part in value.items()}
    if isinstance(value, list):
        return [_with_hostile_texts(part) for part in value]
    return HOSTILE if isinstance(value, str) and name in TEXTS else value
