"""Trains runs in a process of its own.

    python -m mnist_core.worker RUN_DIR   train one run
    python -m mnist_core.worker --wait    load TensorFlow, then train the run whose directory comes on standard input
    python -m mnist_core.worker --stay    train every run whose directory comes on standard input
    python -m mnist_core.worker --cluster NAME    be the driver of a Ray cluster, see `jobs.ray.driver`

A learning-rate range test has a run directory too and starts in the same way (`training/rate_finder.py`). The worker
reads spec.json and control.json and writes all other files. It ends when the run is finished, stopped (by control.json,
SIGTERM or SIGINT; the model is kept) or failed, with a status message that says why and what to try.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mnist_core.config import runs_dir, worker_hours
from mnist_core.errors import DigitLabError
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.files.read import is_folder
from mnist_core.files.write import open_log, open_nowhere
from mnist_core.files.write_errors import DISK_FULL
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.persistent_worker import STAY
from mnist_core.jobs.ray.driver import Driver, begin_attempt
from mnist_core.jobs.ray.holds import Holds
from mnist_core.jobs.worker_process import WAIT
from mnist_core.limits import limited
from mnist_core.processes import lower_priority, redirect_output, thread_limit
from mnist_core.runs import claims
from mnist_core.runs.control import Control
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.training import fine_tune, inbox, live_snapshot, rate_finder
from mnist_core.training.batches import check_batch_size
from mnist_core.training.dataset import load_dataset
from mnist_core.training.finish import finish_run
from mnist_core.training.model import make_model
from mnist_core.training.trainer import Trainer

OUT_OF_MEMORY = "The machine ran out of memory. Try a smaller batch size or a smaller network."


log = logging.getLogger("digitlab.worker")

CLUSTER = "--cluster"
"""The argument before the name of a driver."""


class StopRequest:
    """True once a signal or control.json has requested a stop, or the time is up.

    Args:
        run: whose control.json is read.
        hours: that the training may take.
    """

    def __init__(self, run: Run, hours: float = math.inf) -> None:
        self._run, self._hours, self._signalled = run, hours, threading.Event()
        self._deadline = time.monotonic() + 3600 * hours
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._signalled.set())

    def __call__(self) -> bool:
        """True if a stop has been requested, or the time is up."""
        return self._signalled.is_set() or bool(self.reason) or Control.from_json(self._run.control()).stop

    @property
    def reason(self) -> str:
        """For people, once the time is up; empty before."""
        up = time.monotonic() > self._deadline
        return (
            f" after {self._hours:g} hours, the longest that this server trains (DIGITLAB_WORKER_HOURS)" if up else ""
        )


def main(arguments: list[str]) -> int:
    """Trains one or more runs.

    Args:
        arguments: a run directory, WAIT or STAY; or CLUSTER and the name of a driver.

    Returns:
        The exit status, of the last run if there were several: 0 finished or stopped, 1 failed, 2 wrong usage, 75
        (claims.EXIT_STATUS) the run was given to another process, 76 (limits.EXIT_STATUS) too much memory or time.
    """
    if len(arguments) == 2 and arguments[0] == CLUSTER:
        serve_cluster(arguments[1])
        return 0
    if len(arguments) != 1 or not (arguments[0] in (WAIT, STAY) or is_folder(Path(arguments[0]))):
        print(f"Usage: python -m mnist_core.worker RUN_DIR | {WAIT} | {STAY} | {CLUSTER} NAME", file=sys.stderr)
        return 2
    exit_status = 0
    for folder in assigned_runs(arguments[0]):
        exit_status = train_run(Run(folder.resolve()))
    return exit_status


def assigned_runs(argument: str) -> Iterator[Path]:
    """Yields the directory of each run to train, and prepares the process for the next one in between."""
    next_run: Callable[[], Path | None] = inbox.next_from_pipe
    if argument == WAIT:
        inbox.warm_up()
        folder = next_run()
        if folder is not None:
            redirect_output(open_log(Run(folder).log))
            yield folder
        return
    if argument != STAY:
        yield Path(argument)
        return
    while (folder := next_run()) is not None:
        redirect_output(open_log(Run(folder).log))
        yield folder
        if not Run(folder).status().final:
            return
        inbox.reset_keras()


def serve_cluster(driver: str) -> None:
    """Has Ray train the runs of a driver until there are none."""
    from mnist_core import worker  # this module by its name: a worker cannot import __main__
    from mnist_core.jobs.ray.client import RayPool

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    Driver(Holds(runs_dir(), driver), RayPool(worker.train_on_cluster)).serve()


def train_on_cluster(folder: str, job: str) -> str:
    """Trains one run in a process of Ray's, which is then ready for the next one.

    Args:
        folder: the run directory.
        job: under which the run was submitted.

    Returns:
        Why it was not trained; empty if it was, and its status says how that ended.
    """
    run = Run(Path(folder))
    if not begin_attempt(run, job):
        return "It was withdrawn."
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    redirect_output(open_log(run.log))
    lower_priority()
    try:
        train_run(run)
    finally:
        redirect_output(open_nowhere())
        for number, handler in handlers.items():
            signal.signal(number, handler)
    inbox.reset_keras()
    return ""


def train_run(run: Run) -> int:
    """Trains one run and writes every failure to its status. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    delete_leftovers(run.path, subfolders=True)  # of a worker that was killed
    heartbeat = Heartbeat(run)
    task = rate_finder.run_in_worker if rate_finder.is_range_test(run) else train_model
    try:
        hours = worker_hours()
        end_at_limit = limited(partial(_give_up, heartbeat), 3600 * hours + 2 * GRACE_SECONDS)
        with claims.claiming(run):
            if claims.given_to_another(run):
                log.warning("The run was given to another process")
                return claims.EXIT_STATUS
            heartbeat.update(state="running", message="Starting.")
        with heartbeat.beating(), end_at_limit, live_snapshot.cleaning_up(run):
            task(run, heartbeat, StopRequest(run, hours))
    except DigitLabError as error:
        return _fail(heartbeat, str(error))
    except MemoryError:
        return _fail(heartbeat, OUT_OF_MEMORY)
    except OSError as error:
        log.exception("A file could not be read or written")
        problem = "The disk is full" if error.errno in DISK_FULL else "A file could not be read or written"
        message = f"{problem}: {error}. Fix this, then resume the run from its last checkpoint."
        return _fail(heartbeat, message, "interrupted")
    except Exception as error:  # whatever it is, the page must show it
        log.exception("The training failed")
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's MemoryError
            return _fail(heartbeat, OUT_OF_MEMORY)
        return _fail(heartbeat, f"{type(error).__name__}: {str(error)[:500]}. See {run.log.name} for details.")
    return 0


def _fail(heartbeat: Heartbeat, message: str, state: str = "failed") -> int:
    log.error(message)
    with contextlib.suppress(OSError):  # if the status cannot be written either, the run will count as interrupted
        heartbeat.update(state=state, message=message, seconds_left=None)
    return 1


def _give_up(heartbeat: Heartbeat, message: str) -> None:
    """Fails the run of a process that is about to end itself."""
    with contextlib.suppress(OSError):
        os.close(0)  # first: when the parent learns of the end, it can give this process no other run
    _fail(heartbeat, message)


class _StoppedError(Exception):
    """A stop was requested while the images were downloaded or drawn."""


def train_model(run: Run, heartbeat: Heartbeat, stop_requested: StopRequest) -> None:
    """Loads the data of a run, trains its model, tests it and saves it.

    Args:
        run: whose spec.json says what to train.
        heartbeat: of its status.
        stop_requested: True once the training should end.

    Raises:
        DigitLabError: the spec, the data or the settings cannot be used, or the training diverged.
        OSError: a file cannot be read or written.
    """
    heartbeat.update(state="running", message="Reading the images.")
    spec = run.spec()
    heartbeat.update(epochs=spec.settings.epochs)

    def show_message(message: str, share: float = 0.0) -> None:
        heartbeat.update(message=message, prepared=share)
        if stop_requested():
            raise _StoppedError

    try:
        dataset = load_dataset(spec, show_message, thread_limit())
    except _StoppedError:
        heartbeat.update(state="stopped", message="Stopped while the images were loaded.")
        return
    check_batch_size(spec.settings, len(dataset.split.x_train))
    heartbeat.update(data=dataset.notice, message="Starting TensorFlow.", prepared=0.0)
    model = make_model(spec.settings, spec.seed)
    if spec.base:
        fine_tune.load_base_weights(model, spec.settings.architecture, spec.base, dataset.non_digit_share)
    heartbeat.update(message="Preparing the first batch.")
    share = dataset.non_digit_share
    ending = Trainer(run, heartbeat, stop_requested, spec, model, dataset.split, share).train()
    if heartbeat.status.step == 0:
        heartbeat.update(state="stopped", message="Stopped before the first batch: there is no model.")
        return
    state = "stopping" if ending.state == "stopped" else "running"
    heartbeat.update(state=state, message="Scoring and saving the model.", seconds_left=None)
    evaluation = finish_run(run, heartbeat.status, spec, model, dataset, thread_limit())
    images = "validation" if sweep_mark(run) else "test"
    reason = ending.reason + (stop_requested.reason if ending.state == "stopped" else "")
    message = f"{reason}: {evaluation.accuracy:.2%} of the {images} images are right."
    heartbeat.update(state=ending.state, message=message)


if __name__ == "__main__":
    lower_priority()
    sys.exit(main(sys.argv[1:]))
