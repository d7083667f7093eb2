"""TensorBoard's event files of a run, RUN_DIR/events/{train,validation}: `tensorboard --logdir runs/` shows the curves.

Both folders use the same tags, so that TensorBoard lays training and validation over one another. Written with the
TensorFlow that the worker has loaded; the tensorboard package is not needed for that.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from typing import Any

from mnist_core.runs.run import Run

TAGS = {
    "train": {
        "loss": "loss",
        "accuracy": "accuracy",
        "learning_rate": "learning rate",
        "images_per_second": "images per second",
    },
    "validation": {"val_loss": "loss", "val_accuracy": "accuracy"},
}
"""Folder -> what a report says -> its tag."""


class EventWriter:
    """Tells TensorBoard what a run reports.

    Its files are written anew from metrics.jsonl when it is made: a resumed run trains the part of an epoch once more,
    and would tell the same steps twice.

    Args:
        run: whose metrics.jsonl holds what was reported before, and is to be kept.
    """

    def __init__(self, run: Run) -> None:
        import tensorflow as tf

        shutil.rmtree(run.path / "events", ignore_errors=True)
        self._writers = {folder: tf.summary.create_file_writer(str(run.path / "events" / folder)) for folder in TAGS}
        # tf.summary.scalar does this, too, but imports the tensorboard package.
        self._scalar = tf.compat.v1.SummaryMetadata(data_class=1)
        self._scalar.plugin_data.plugin_name = "scalars"
        for row in run.metrics().rows:
            self._write(row)
        self._flush()

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a report as it stands in metrics.jsonl. What cannot be written is left out: no training ends for it."""
        self._write(row)
        self._flush()

    def _write(self, row: Mapping[str, Any]) -> None:
        import tensorflow as tf

        step = row.get("step")
        if not isinstance(step, int):  # changed by hand
            return
        for folder, tags in TAGS.items():
            told = {tag: row[name] for name, tag in tags.items() if isinstance(row.get(name), int | float)}
            with self._writers[folder].as_default(step=step), contextlib.suppress(tf.errors.OpError):  # a full disk
                for tag, value in told.items():
                    tf.summary.write(tag, tf.constant(value, tf.float32), metadata=self._scalar)

    def _flush(self) -> None:
        import tensorflow as tf

        for writer in self._writers.values():
            with contextlib.suppress(tf.errors.OpError):
                writer.flush()
