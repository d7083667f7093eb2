"""Our own recipes."""

from __future__ import annotations

from mnist_core.networks.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU
from mnist_core.recipes.recipe import SCALE_TO_ONE, TEN_PROBABILITIES, Recipe, dense_relu, normalized_conv
from mnist_core.recipes.settings import Settings

OWN: tuple[Recipe, ...] = (
    Recipe(
        "fast",
        "99% in one epoch",
        "Digit Lab",
        Settings(
            (
                SCALE_TO_ONE,
                Conv2D(16, 5),
                MaxPooling2D(3),
                ReLU(),
                Conv2D(48, 3, padding="same"),
                MaxPooling2D(),
                ReLU(),
                Flatten(),
                Dense(128, use_bias=False),
                BatchNormalization(momentum=0.8),  # an epoch of the offline sample is only 16 steps
                ReLU(),
                TEN_PROBABILITIES,
            ),
            batch_size=256,
            epochs=1,
            learning_rate=0.01,
            schedule="one-cycle",
            beta_1=0.7,
            beta_2=0.9,
            split="test-as-validation",
        ),
        None,
        "For live demos: reaches 99% in the fewest seconds. It trains on all 60,000 images.",
        test_accuracy=0.9916,
        epoch_seconds=4,
    ),
    Recipe(
        "canvas",
        "Made for drawings",
        "Digit Lab",
        Settings(
            (
                SCALE_TO_ONE,
                *normalized_conv(24, 3),
                *normalized_conv(24, 3),
                MaxPooling2D(),
                *normalized_conv(48, 3),
                *normalized_conv(48, 3),
                MaxPooling2D(),
                Flatten(),
                Dropout(0.3),
                *dense_relu(128),
                Dense(11, "softmax"),
            ),
            batch_size=128,
            epochs=8,
            learning_rate=0.003,
            schedule="one-cycle",
            augmentation="hand",
            drawings="some",
        ),
        None,
        "For the canvas: it also trains on pen strokes, on digit forms that MNIST lacks, and on non-digits.",
        test_accuracy=0.9937,
        epoch_seconds=31,
    ),
    Recipe(
        "best",
        "The best without a GPU",
        "Digit Lab",
        Settings(
            (
                SCALE_TO_ONE,
                *normalized_conv(32, 3),
                *normalized_conv(32, 3),
                *normalized_conv(48, 5, 2, "same"),
                Dropout(0.4),
                *normalized_conv(96, 3),
                *normalized_conv(96, 3),
                *normalized_conv(128, 5, 2, "same"),
                Dropout(0.4),
                *normalized_conv(192, 4),
                Flatten(),
                Dropout(0.4),
                Dense(11, "softmax"),
            ),
            batch_size=128,
            epochs=30,
            learning_rate=0.003,
            schedule="one-cycle",
            augmentation="hand",
            drawings="many",
            split="test-as-validation",
        ),
        None,
        "After C. Deotte (Kaggle, 2018): convolutions with batch normalization, strided convolutions instead of "
        "pooling, strong dropout. It trains on all 60,000 images and on drawings.",
        test_accuracy=0.9959,
        epoch_seconds=200,
    ),
)
