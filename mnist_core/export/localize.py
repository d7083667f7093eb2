"""Removes from an imported run what is not valid on this machine: paths, processes, times in the future.

A run that was trained on a file is exported with its path. On another machine that path is another file or none, so it
is recorded as ELSEWHERE.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from mnist_core.data.mnist import DATA_SETS, ELSEWHERE
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.runs.imports import MAX_TEXT, ImportMark, write_import
from mnist_core.runs.labels import read_label
from mnist_core.runs.names import memorable_name
from mnist_core.runs.run import TEST_MESSAGE, Run
from mnist_core.runs.status import Status


def localize(run: Run, run_id: str) -> None:
    """Rewrites the files of a run that has been checked by `validate`, and marks it as imported.

    Args:
        run: unpacked, with any name.
        run_id: its id in the zip.

    Raises:
        OSError: a file cannot be written.
    """
    spec, now = run.spec(), time.time()
    data = spec.data if spec.data in DATA_SETS else ELSEWHERE
    local = replace(spec, data=data, created=min(spec.created, now))
    write_json(run.path / "spec.json", local.to_json())
    if (run.path / "card.json").exists():
        _rewrite_card(run, data)
    write_json(run.path / "status.json", asdict(_ended_status(run)))
    label = read_label(run)
    write_json(run.path / "label.json", asdict(replace(label, name=label.name or memorable_name(run_id))))
    write_import(run.path, ImportMark(run_id, now, spec.data[:MAX_TEXT] if data == ELSEWHERE else ""))


def _rewrite_card(run: Run, data: str) -> None:
    """Removes the checksums of the images: with them, fine-tuning would trust the test accuracy in the zip."""
    card = read_json(run.path / "card.json")
    card["data"] = {"asked": data, "name": card["data"]["name"], "source": card["data"]["source"]}
    run.write_card(card)


def _ended_status(run: Run) -> Status:
    """A run that was in training when it was packed is not in training here."""
    status = (
        run.status()
        if (run.path / "status.json").exists()
        else Status("interrupted", "It was imported without a status.")
    )
    if not status.final:
        status = replace(status, state="interrupted", message=f"It was {status.state} when it was exported.")
    if TEST_MESSAGE in status.message:  # the test images of another machine
        status = replace(status, message=f"{status.message.partition(':')[0]}.")
    return replace(status, pid=0, host="", seconds_left=None)
