"""Applies control.json to a running training."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mnist_core.runs.checkpoints import TrainingProgress
from mnist_core.runs.control import Control
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.training.loop import LiveControls

POLL_SECONDS = 0.05
"""How often control.json is read while the training is paused."""


class ControlHandler:
    """Reads control.json between two reports, waits while it requests a pause, and updates `values`.

    Args:
        run: whose control.json is read.
        heartbeat: of its status, which says when it is paused.
        stop_requested: True once the training should end.
        checkpoint: where the training begins.

    Attributes:
        values: what the training loop reads.
        done: single batches and whole epochs trained on request so far, as counted in control.json.
    """

    def __init__(
        self, run: Run, heartbeat: Heartbeat, stop_requested: Callable[[], bool], checkpoint: TrainingProgress
    ) -> None:
        self._run, self._heartbeat, self._stop_requested = run, heartbeat, stop_requested
        self.values = LiveControls(checkpoint.learning_rate, checkpoint.epochs)
        self.done = dict(checkpoint.asked)
        self._pause_again_at = 0
        """While paused: finished epochs at which a requested whole epoch ends."""
        self._changes: dict[str, float] = {}

    def apply(self, while_paused: Callable[[], None] = lambda: None) -> bool:
        """Applies what control.json requests, and waits while it requests a pause.

        Args:
            while_paused: called about twenty times a second during the pause.

        Returns:
            False if the training should end.
        """
        while not self._stop_requested():
            control = Control.from_json(self._run.control())
            self._update_values(control)
            if not control.paused:  # what was requested in a pause ends with it
                self._pause_again_at = 0
                self.done = {"batches": control.batches, "whole_epochs": control.whole_epochs}
            if not control.paused or self._take_requested_step(control):
                if self._heartbeat.status.state == "paused":
                    self._heartbeat.update(state="running")
                return True
            if self._heartbeat.status.state != "paused":
                self._heartbeat.update(state="paused", message="Paused.", seconds_left=None)
            while_paused()
            time.sleep(POLL_SECONDS)
        return False

    def take_changes(self) -> dict[str, Any]:
        """Returns changes by the user since the last call, as a report records them: `{"changed": {...}}` or {}."""
        changes, self._changes = self._changes, {}
        return {"changed": changes} if changes else {}

    def _update_values(self, control: Control) -> None:
        rate, epochs = control.learning_rate, control.epochs
        if rate is not None and rate != self.values.learning_rate:
            self.values.learning_rate = rate
            self._changes["learning_rate"] = rate
        if epochs is not None and self._heartbeat.status.epoch < epochs != self.values.epochs:
            self.values.epochs = epochs
            self._changes["epochs"] = epochs
        self.values.batches = None

    def _take_requested_step(self, control: Control) -> bool:
        """While paused: True if one more batch, or the rest of an epoch, was requested and is still to be trained."""
        epoch = self._heartbeat.status.epoch
        if epoch < self._pause_again_at:
            return True
        self._pause_again_at = 0
        if control.batches > self.done.get("batches", 0):
            self.done["batches"] = self.done.get("batches", 0) + 1
            self.values.batches = 1
            return True
        if control.whole_epochs > self.done.get("whole_epochs", 0):
            self.done["whole_epochs"] = self.done.get("whole_epochs", 0) + 1
            self._pause_again_at = epoch + 1
            return True
        return False
