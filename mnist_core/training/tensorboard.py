"""TensorBoard event files of a run: `tensorboard --logdir runs/` shows the curves.

They are in RUN_DIR/events/{train,validation,estimate} and use the same tags, so TensorBoard draws training, validation
and the estimates of validation into one chart. TensorFlow writes them; the tensorboard package is not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from mnist_core.fields import COUNT, is_number
from mnist_core.files.folders import delete_folder
from mnist_core.runs.run import Run

TAGS = {
    "train": {
        "loss": "loss",
        "accuracy": "accuracy",
        "learning_rate": "learning rate",
        "images_per_second": "images per second",
    },
    "validation": {"val_loss": "loss", "val_accuracy": "accuracy"},
    "estimate": {"estimated_val_loss": "loss", "estimated_val_accuracy": "accuracy"},
}
"""Folder -> key of a report -> tag."""


class EventWriter:
    """Writes the reports of a run to event files. A full disk does not end the training.

    It first rewrites the files from metrics.jsonl: a resumed run trains part of an epoch again, and would otherwise
    write the same steps twice.

    Args:
        run: whose metrics.jsonl has the reports so far.
    """

    def __init__(self, run: Run) -> None:
        import tensorflow as tf

        delete_folder(run.path / "events")
        self._folder = run.path / "events"
        self._writers = dict[str, Any]()  # made when there is something to write: a run may have no estimates
        # tf.summary.scalar would make this metadata, but it imports the tensorboard package.
        self._scalar = tf.compat.v1.SummaryMetadata(data_class=1)
        self._scalar.plugin_data.plugin_name = "scalars"
        for row in run.metrics().rows:
            self._write(row)
        self._flush()

    def write_report(self, row: Mapping[str, Any]) -> None:
        """Adds one report, as it is in metrics.jsonl."""
        self._write(row)
        self._flush()

    def _write(self, row: Mapping[str, Any]) -> None:
        import tensorflow as tf

        step = row.get("step")
        if not COUNT.accepts(step):  # somebody edited the file
            return
        for folder, tags in TAGS.items():
            values = {tag: row[name] for name, tag in tags.items() if is_number(row.get(name))}
            if not values:
                continue
            with contextlib.suppress(tf.errors.OpError):
                if folder not in self._writers:
                    self._writers[folder] = tf.summary.create_file_writer(str(self._folder / folder))
                with self._writers[folder].as_default(step=step):
                    for tag, value in values.items():
                        tf.summary.write(tag, tf.constant(value, tf.float32), metadata=self._scalar)

    def _flush(self) -> None:
        import tensorflow as tf

        for writer in self._writers.values():
            with contextlib.suppress(tf.errors.OpError):
                writer.flush()
