"""The run directory: the files by which a worker, the web pages and the command line share one training.

    RUNS_DIR/<run id>/
      spec.json        what to train: recipe, overrides, data, seed (`RunSpec`). Written once, never changed
      status.json      state, progress, process id, heartbeat (`Status`). The worker rewrites it every second or sooner
      metrics.jsonl    one report a line: step, epoch, loss, accuracy, validation results, probe predictions
      control.json     what the user requests: pause, resume, stop, another learning rate, more epochs
      probes.json      drawings whose predictions are recorded with each report (`probes`)
      wall.npz         the sixty test digits of the probe grid (`probes`)
      watched.json     somebody watches the training: the worker writes live.bin (`training/live_snapshot`)
      live.bin         the network as it is, for browsers. Both only while it trains, and never exported
      checkpoint/      what training resumes from: the end of a recent epoch (`checkpoints`)
      snapshots/       weights at moments of the training, to look back on (`snapshots`). Never exported
      label.json       the user's name, star and note for the run (`labels`)
      owner.json       the browser that made the run (`owners`)
      claim.json       on a cluster: which worker owns the run (`claims`)
      import.json      in an imported run: where it comes from, and its scores here (`imports`)
      sweep.json       in a trial of a sweep: the sweep and the number of the trial (`sweep_mark`)
      model.keras      the trained model. These four are also written for a stopped run
      model.bin        its weights for browsers (`browser/weights_file`). Made again from model.keras if it is missing
                       or of another model. Never exported
      model.tflite     the same model, converted for the web process
      card.json        the model card: validation and test accuracy, loss, confusion matrix. Written last: the model is
                       complete. A sweep's trial has no test scores
      events/          the reports, for TensorBoard
      log.txt          what the worker printed

    RUNS_DIR/.rates/<id>/      a run directory of the learning-rate finder
    RUNS_DIR/.bin/             the trash (`trash`)
    RUNS_DIR/.cluster/         the runs that a cluster is to train (`jobs.ray.holds`)
    RUNS_DIR/.index.json       cached rows of the history (`index`)
    RUNS_DIR/.slots-*.json     which runs train on a machine (`jobs/slots`)
    RUNS_DIR/.lock             held for milliseconds by whoever reads files in order to change them (`locks`)

Who writes what: spec.json, owner.json and sweep.json come from whoever creates the run; control.json, probes.json,
label.json and watched.json from the user; claim.json from the job backend; all other files from the worker, except that
status.json belongs to the server until a worker starts.

Every file is replaced atomically or grows by whole lines, so a reader never sees half of one. Readers tolerate
everything that a crash or a text editor can leave behind; only a missing or broken spec.json is an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from mnist_core.errors import RunError
from mnist_core.fields import COUNT, Rule, Text
from mnist_core.files.json_reader import parse_json, parse_lines, read_json
from mnist_core.files.read import open_file, read_file
from mnist_core.files.write import append_line, write_bytes, write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.locks import locked
from mnist_core.runs import sampling
from mnist_core.runs.card import check_card
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import END_SECONDS, Status, read_status, stamp_status

RENEW_SECONDS = 1.0
"""How often a queued run is renewed."""
METRICS_BYTES = 200_000_000
"""Largest metrics.jsonl. A day of training writes 50 MB."""
SWEEP_MARK = "sweep.json"
"""In a run of a sweep: which sweep and which trial it belongs to."""
SWEEPS_FOLDER = "sweeps"
"""In RUNS_DIR: where sweeps are stored."""
SWEEP_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
"""The id of a sweep. A mark that names anything else is never used as a path."""
_MARK_RULES: dict[str, Rule] = {"sweep": Text(80), "trial": COUNT, "part": Text(20)}
BEST_MODEL = "winner.json"
"""In the folder of a sweep: its best trial, retrained, and which `run` is the best of these models."""
TEST_SCORES = ("test_accuracy", "test_loss", "test")
"""What a card says about the test images."""
TEST_MESSAGE = "of the test images"
"""In the message of the status of a tested run."""


@dataclass(frozen=True)
class Metrics:
    """The reports that were read from a metrics.jsonl.

    Attributes:
        rows: the reports, in order.
        offset: bytes that were read; the next read starts here.
        broken: lines that could not be parsed.
        file: inode of the file. Resuming a run replaces the file, which is then read from its beginning.
    """

    rows: tuple[dict[str, Any], ...] = ()
    offset: int = 0
    broken: int = 0
    file: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Run:
    """A run directory. Its methods read and write the files that the module's docstring lists.

    Attributes:
        path: the directory; its name is the run id.
    """

    path: Path

    @property
    def id(self) -> str:
        """The run id, for example `20261121-093000-fast-1f2e3d4c`."""
        return self.path.name

    @property
    def model(self) -> Path:
        """The converted model, model.tflite. It exists once the run has ended with a model."""
        return self.path / "model.tflite"

    @property
    def log(self) -> Path:
        """What the worker printed, log.txt."""
        return self.path / "log.txt"

    @property
    def has_model(self) -> bool:
        """True once the model and its card are complete."""
        return self.model.is_file() and (self.path / "card.json").is_file()

    @property
    def has_reports(self) -> bool:
        """True if metrics.jsonl is there and not empty."""
        try:
            return (self.path / "metrics.jsonl").stat().st_size > 0
        except OSError:
            return False

    def spec(self) -> RunSpec:
        """What the run trains. Raises RunError, with the file and the reason, if spec.json cannot be read."""
        path = self.path / "spec.json"
        try:
            return RunSpec.from_json(parse_json(read_file(path)))
        except FileNotFoundError:
            raise RunError(f"{path} is missing: the run cannot be read. Delete its folder.") from None
        except (OSError, ValueError, RunError) as error:
            raise RunError(f"{path} cannot be read: {error}. Restore the file, or delete the run's folder.") from None

    def status(self, grace: float = END_SECONDS) -> Status:
        """How far the run has come; `interrupted` if its worker is gone without saying so.

        As in `card`, a test score of a sweep's trial is left out.

        Args:
            grace: seconds after its last heartbeat in which a worker that is gone may still have its end recorded.
        """
        status = read_status(self.path / "status.json", grace)
        if TEST_MESSAGE in status.message and not may_be_tested(self):
            return replace(status, message=f"{status.message.partition(':')[0]}.")
        return status

    @property
    def recorded_state(self) -> str:
        """The state in status.json, whether or not its writer is still alive; empty if there is none."""
        state = read_json(self.path / "status.json").get("state")
        return state if isinstance(state, str) else ""

    def left_in_queue(self) -> bool:
        """True if the run was still queued when the server that would have started it ended."""
        return self.recorded_state == "queued" and self.status(grace=0).state == "interrupted"

    def write_status(self, status: Status) -> None:
        """Replaces status.json."""
        write_json(self.path / "status.json", asdict(status), durable=False)

    def keep_alive(self) -> None:
        """Renews the time of status.json while the run is queued: to other machines, an old file looks abandoned.

        Does nothing if the file is gone, or younger than RENEW_SECONDS.
        """
        path = self.path / "status.json"
        with contextlib.suppress(OSError):
            if abs(time.time() - path.stat().st_mtime) >= RENEW_SECONDS:
                os.utime(path)

    def metrics(self, seen: Metrics | None = None) -> Metrics:
        """Reads all reports. For workers and exports: pages use `sampled_metrics`.

        Args:
            seen: what an earlier call returned; only what was written since is read.

        Returns:
            All reports. An unfinished last line is left for the next call.

        Raises:
            RunError: the file cannot be read, or has more than METRICS_BYTES.
        """

        def read(file: BinaryIO, start: int) -> tuple[list[dict[str, Any]], int, int]:
            size = os.fstat(file.fileno()).st_size
            if size > METRICS_BYTES:
                raise OSError(f"it has {size:,} bytes, expected at most {METRICS_BYTES:,}")
            file.seek(start)
            rows, length, broken = parse_lines(file.read())
            return rows, start + length, broken

        return self._read_metrics(seen or Metrics(), read)

    def sampled_metrics(self, seen: Metrics | None = None) -> Metrics:
        """Reads at most a few thousand reports, evenly spaced, and checks them. See `sampling`.

        Args:
            seen: what an earlier call returned; only what was written since is read.

        Returns:
            The reports as `reports.check_report` returns them, with every validation result.

        Raises:
            RunError: the file cannot be read.
        """
        metrics = self._read_metrics(seen or Metrics(), sampling.sample_reports)
        return replace(metrics, rows=sampling.thin_out(metrics.rows))

    def count_reports(self) -> int:
        """The number of complete lines in metrics.jsonl. Raises RunError if it cannot be read."""

        def count(file: BinaryIO, _start: int) -> tuple[list[dict[str, Any]], int, int]:
            return [], sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")), 0

        return self._read_metrics(Metrics(), count).offset

    def _read_metrics(
        self, seen: Metrics, read: Callable[[BinaryIO, int], tuple[list[dict[str, Any]], int, int]]
    ) -> Metrics:
        path = self.path / "metrics.jsonl"
        try:
            with open_file(path) as file:
                inode = os.fstat(file.fileno()).st_ino
                seen = seen if seen.file == inode else Metrics(file=inode)
                rows, offset, broken = read(file, seen.offset)
        except FileNotFoundError:
            return seen
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error}. Restore the file, or delete it.") from None
        return Metrics((*seen.rows, *rows), offset, seen.broken + broken, inode)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Adds a report: one whole line, or none if an OSError is raised."""
        append_line(self.path / "metrics.jsonl", json.dumps(dict(row), allow_nan=False))

    def trim_metrics(self, step: int) -> None:
        """Removes the reports after a step, because these steps are about to be trained again."""
        rows = [row for row in self.metrics().rows if COUNT.accepts(row.get("step")) and row["step"] <= step]
        write_bytes(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())

    def control(self) -> dict[str, Any]:
        """What the user requests; empty if control.json is missing or broken."""
        return read_json(self.path / "control.json")

    def update_control(self, **changes: Any) -> None:
        """Adds requests to control.json and keeps the others: `update_control(stop=True)`.

        Raises:
            RunError: the file cannot be written.
        """
        try:
            with locked(self.path.parent):
                write_json(self.path / "control.json", {**self.control(), **changes})
        except OSError as error:
            raise RunError(
                f"The request to {self.id} cannot be written. {explain_write_error(error, self.path)}"
            ) from None

    def card(self) -> dict[str, Any]:
        """The model card: validation and test scores, confusion matrix and more; empty while there is no model.

        A sweep looks at the test images once, for its best model. Earlier versions tested every trial: those scores
        are left out.
        """
        card = check_card(read_json(self.path / "card.json"))
        if not may_be_tested(self):
            card = {name: value for name, value in card.items() if name not in TEST_SCORES}
        return card

    def write_card(self, card: Mapping[str, Any]) -> None:
        """Writes card.json. Write it after all other files of the model: `has_model` relies on it."""
        write_json(self.path / "card.json", dict(card))


def write_stamped_status(run: Run, status: Status) -> None:
    """Writes the status in the name of this process. Does nothing if the run's folder was deleted meanwhile."""
    if run.path.is_dir():
        run.write_status(stamp_status(status))


def sweep_mark(run: Run) -> dict[str, Any]:
    """The `sweep`, `trial` and `part` of a run that belongs to a sweep; empty for any other run."""
    mark = read_json(run.path / SWEEP_MARK)
    is_valid = all(rule.accepts(mark.get(name)) for name, rule in _MARK_RULES.items()) and SWEEP_ID.fullmatch(
        mark["sweep"]
    )
    return mark if is_valid else {}


def may_be_tested(run: Run) -> bool:
    """Whether the test images may score the run's model: not if it belongs to a sweep and is not its best model."""
    mark = sweep_mark(run)
    if not mark:
        return True
    best = read_json(run.path.parent / SWEEPS_FOLDER / mark["sweep"] / BEST_MODEL).get("run")
    return bool(mark["part"]) and best == run.id
