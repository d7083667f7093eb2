"""Every error that the library raises on purpose.

Each message says what was given, what was expected and how to mend it.

    DigitLabError
    ├── DataError             a data set that cannot be used
    │   └── DownloadError     a data set that could not be fetched
    ├── ArchitectureError     a layer list that cannot work; carries the layer's position
    ├── SettingError          a recipe or a training setting that is unknown or out of range
    ├── RunError              a run directory that cannot be read
    │   └── RunNotFoundError  no such run
    ├── TrainingError         a training that cannot go on
    ├── QueueFullError        the queue of runs takes no more
    ├── ClusterError          a cluster that cannot be reached or used
    ├── SweepError            a sweep that cannot be read, or cannot go on
    │   └── SweepNotFoundError  no such sweep
    ├── NotOwnerError         a run or a drawing of somebody else
    ├── ModelError            a model file that is missing or cannot be used
    └── DrawingError          an image that cannot be read as a drawing
"""

from __future__ import annotations


class DigitLabError(Exception):
    """Base of all errors with a message that is meant for a person."""


class DataError(DigitLabError):
    """A data set that cannot be used."""


class DownloadError(DataError):
    """A data set that could not be fetched."""


class ArchitectureError(DigitLabError):
    """A layer list that cannot work.

    Attributes:
        position: index of the offending layer in the list, counted from 1; 0 where the list as a whole is at fault.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class SettingError(DigitLabError):
    """A recipe or a training setting that is unknown or out of range."""


class RunError(DigitLabError):
    """A run directory that cannot be read."""


class RunNotFoundError(RunError):
    """No run has this id."""


class TrainingError(DigitLabError):
    """A training that cannot go on."""


class QueueFullError(DigitLabError):
    """The queue of runs takes no more."""


class ClusterError(DigitLabError):
    """A cluster that cannot be reached or used."""


class SweepError(DigitLabError):
    """A sweep that cannot be read, or cannot go on."""


class SweepNotFoundError(SweepError):
    """No sweep has this id."""


class NotOwnerError(DigitLabError):
    """What is somebody else's, and may not be changed by who asks."""


class ModelError(DigitLabError):
    """A model file that is missing or cannot be used."""


class DrawingError(DigitLabError):
    """An image that cannot be read as a drawing."""
