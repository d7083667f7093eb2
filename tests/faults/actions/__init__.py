"""What people and processes do that writes to RUNS_DIR, and what must be true afterwards. See test_writes.py.

An action is what one process does until it ends or is killed. It records which calls have returned. The check is the
next process: it must find the results of those calls, and finishes what was interrupted.
"""

from __future__ import annotations

from tests.faults.actions import files, jobs, training
from tests.faults.actions.world import Action

ACTIONS = {
    "keep a drawing": Action(files.keep_drawings, files.check_drawings),
    "save a network": Action(files.save_networks, files.check_networks),
    "label a run": Action(files.label_run, files.check_label),
    "import a run": Action(files.import_run, files.check_import),
    "export a run": Action(files.export_run, files.check_export),
    "copy examples, delete and restore a run": Action(files.copy_and_delete, files.check_copies),
    "queue three runs, stop one": Action(jobs.queue_runs, jobs.check_queue),
    "sweep": Action(jobs.sweep, jobs.check_sweep),
    "train": Action(training.train_new, training.check_training, trains=True),
    "resume": Action(training.train_interrupted, training.check_training, trains=True),
}
