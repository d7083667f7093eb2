"""Constants of the whole library."""

from __future__ import annotations

IMAGE_SIZE = 28
"""Width and height of an MNIST image, in pixels."""
NUM_CLASSES = 10
"""The ten digits."""
NOT_A_DIGIT = NUM_CLASSES
"""The label of the eleventh output, in models that can reject a drawing."""
