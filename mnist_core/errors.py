"""Every error that the library raises on purpose.

Each message says what was given, what was expected and how to fix it.

    DigitLabError
    ├── DataError             a data set that cannot be used
    │   └── DownloadError     a data set that could not be fetched
    ├── ArchitectureError     a list of layers that is not a valid network; has the layer's position
    ├── SettingError          a recipe or a training setting that is unknown or out of range
    ├── RunError              a run directory that cannot be read
    │   └── RunNotFoundError  no such run
    ├── TrainingError         a training that cannot continue
    ├── QueueFullError        the queue is full
    ├── ClusterError          a cluster that cannot be reached or used
    ├── SweepError            a sweep that cannot be read or continued
    │   └── SweepNotFoundError  no such sweep
    ├── NotOwnerError         a change to what belongs to somebody else
    ├── ModelError            a model file that is missing or cannot be used
    └── DrawingError          an image that cannot be read as a drawing
"""

from __future__ import annotations


class DigitLabError(Exception):
    """Base of all errors whose message is meant for the user."""


class DataError(DigitLabError):
    """A data set that cannot be used."""


class DownloadError(DataError):
    """A data set that could not be fetched."""


class ArchitectureError(DigitLabError):
    """A list of layers that is not a valid network.

    Attributes:
        position: of the invalid layer, counted from 1; 0 if the list as a whole is invalid.
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
    """A training that cannot continue."""


class QueueFullError(DigitLabError):
    """The queue is full."""


class ClusterError(DigitLabError):
    """A cluster that cannot be reached or used."""


class SweepError(DigitLabError):
    """A sweep that cannot be read or continued."""


class SweepNotFoundError(SweepError):
    """No sweep has this id."""


class NotOwnerError(DigitLabError):
    """A change that only the owner or the administrator may make."""


class ModelError(DigitLabError):
    """A model file that is missing or cannot be used."""


class DrawingError(DigitLabError):
    """An image that cannot be read as a drawing."""
