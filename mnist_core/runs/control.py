"""control.json: what the user requests of a running training.

    stop, paused            true or false
    learning_rate           the new peak of the schedule
    epochs                  how many in total
    extended_epoch          finished epochs when the user asked for more epochs of a run that had ended
    batches, whole_epochs   while paused: how many single batches, or epochs, have been requested since the run began

The worker applies each change within a second. Unknown keys and invalid values are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_core.fields import COUNT
from mnist_core.recipes.overrides import setting_rules

_COUNTS = ("extended_epoch", "batches", "whole_epochs")


@dataclass(frozen=True)
class Control:
    """The valid values of one control.json.

    Attributes:
        stop: end the training and keep its model.
        paused: wait before the next batch.
        learning_rate: the new peak; None keeps the current one.
        epochs: how many in total; None keeps the current number.
        extended_epoch: finished epochs when more were requested of a run that had ended; 0 if none were.
        batches: single batches requested so far, 0 or more. One more than were trained means: train one now.
        whole_epochs: epochs requested so far, likewise.
    """

    stop: bool = False
    paused: bool = False
    learning_rate: float | None = None
    epochs: int | None = None
    extended_epoch: int = 0
    batches: int = 0
    whole_epochs: int = 0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Control:
        """Keeps the valid values of a file's content and ignores everything else."""
        rules = setting_rules()
        numbers = {
            name: content[name] for name in ("learning_rate", "epochs") if rules[name].accepts(content.get(name))
        }
        counts = {name: content[name] for name in _COUNTS if COUNT.accepts(content.get(name))}
        return cls(content.get("stop") is True, content.get("paused") is True, **numbers, **counts)
