"""Trains one run in a process of its own: `python -m mnist_core.worker RUN_DIR`, or `--wait` for one: see `workers`.
`--stay` trains one after another: see `steady`; on a cluster that is asked of it otherwise: see `passing`.
A test of learning rates is made likewise: see `rate_finder`.

It reads spec.json and control.json, and writes everything else. It ends by itself: finished, stopped (by control.json,
SIGTERM or SIGINT; the model is kept) or failed, with a message that says why and what to try.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from mnist_core.errors import DigitLabError
from mnist_core.jobs.persistent_worker import STAY
from mnist_core.jobs.worker_process import WAIT
from mnist_core.processes import lower_priority, redirect_output, set_tensorflow_defaults, thread_limit
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.training import fine_tune, inbox, rate_finder
from mnist_core.training.batches import check_batch_size
from mnist_core.training.dataset import load_dataset
from mnist_core.training.finish import finish_run
from mnist_core.training.model import make_model
from mnist_core.training.trainer import Trainer

log = logging.getLogger("digitlab.worker")


class Stop:
    """Whether somebody wants the training to stop: a signal, or control.json."""

    def __init__(self, run: Run) -> None:
        self._run, self._signalled = run, threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._signalled.set())

    def asked(self) -> bool:
        return self._signalled.is_set() or self._run.control().get("stop") is True


def main(arguments: list[str]) -> int:
    """Trains the run in the directory given. Returns the exit status: 0 finished or stopped, 1 failed, 2 misused."""
    if len(arguments) != 1:
        print(f"Usage: python -m mnist_core.worker RUN_DIR, or {WAIT}, or {STAY}", file=sys.stderr)
        return 2
    set_tensorflow_defaults()
    if arguments[0] == STAY:
        return _train_each(inbox.next_from_pipe)
    if arguments[0] == WAIT:
        inbox.warm_up()
        folder = inbox.next_from_pipe()
        if folder is None:
            return 0
        redirect_output(Run(folder).log)
        return _train(folder)
    exit_status = _train(Path(arguments[0]))
    if inbox.has_mailbox() and Run(Path(arguments[0])).status().final:
        inbox.reset_keras()
        return _train_each(inbox.next_from_mailbox, exit_status)
    return exit_status


def _train_each(next_run: Callable[[], Path | None], exit_status: int = 0) -> int:
    """Trains one run after another until there is no next one. Returns the exit status of the last one."""
    while (folder := next_run()) is not None:
        redirect_output(Run(folder).log)
        exit_status = _train(folder)
        if not Run(folder).status().final:  # the next run would not get a clean process
            return 1
        inbox.reset_keras()
    return exit_status


def _train(folder: Path) -> int:
    """Trains the run in the directory. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    run = Run(folder.resolve())
    heart = Heartbeat(run)
    try:
        with heart.beating():
            (rate_finder.run_in_worker if rate_finder.is_range_test(run) else _work)(run, heart, Stop(run).asked)
    except DigitLabError as error:
        return _fail(heart, str(error))
    except MemoryError:
        return _fail(heart, "The machine ran out of memory. Try a smaller batch or a smaller network.")
    except OSError as error:
        log.exception("A file could not be read or written")
        why = "The disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "A file failed"
        return _fail(heart, f"{why}: {error}. Mend that, then resume from the last finished epoch.", "interrupted")
    except Exception as error:  # whatever it was, the page must say so
        log.exception("The training failed")
        return _fail(heart, f"{type(error).__name__}: {str(error)[:500]}. More is in {run.log.name}.")
    return 0


def _fail(heart: Heartbeat, message: str, state: str = "failed") -> int:
    log.error(message)
    with contextlib.suppress(OSError):  # nor can this be written: without its worker, the run reads as interrupted
        heart.update(state=state, message=message, seconds_left=None)
    return 1


def _work(run: Run, heart: Heartbeat, stop: Callable[[], bool]) -> None:
    heart.update(state="running", message="Reading the images.")
    spec = run.spec()
    heart.update(epochs=spec.settings.epochs)
    materials = load_dataset(spec, lambda message: heart.update(message=message), thread_limit())
    check_batch_size(spec.settings, len(materials.split.x_train))
    heart.update(data=materials.notice, message="Starting TensorFlow.")
    model = make_model(spec.settings, spec.seed)
    if spec.base:
        fine_tune.load_base_weights(model, spec.settings.architecture, spec.base, materials.non_digits)
    heart.update(message="Preparing the first batch.")
    course = Trainer(run, heart, stop, spec, model, materials.split)
    ending = course.train()
    if heart.status.step == 0:
        heart.update(state="stopped", message="Stopped before the first batch: there is no model.")
        return
    state = "stopping" if ending.state == "stopped" else "running"
    heart.update(state=state, message="Testing and saving the model.", seconds_left=None)
    test = finish_run(run, heart.status, spec, model, materials, thread_limit())
    right = f"{100 * test.accuracy:.2f} % of the test images are right."
    heart.update(state=ending.state, message=f"{ending.why}: {right}")


if __name__ == "__main__":
    lower_priority()
    sys.exit(main(sys.argv[1:]))
