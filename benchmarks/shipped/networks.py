"""The networks that are trained on the way to the shipped model."""

from __future__ import annotations

from mnist_core.networks.layers import Dense, Dropout, Flatten, Layer, MaxPooling2D
from mnist_core.recipes.own import OWN
from mnist_core.recipes.recipe import SCALE_TO_ONE, normalized_conv

HEAD = Dense(11, "softmax")


def strided(widths: tuple[int, ...], rate: float) -> tuple[Layer, ...]:
    """The network of the recipe `best` with other numbers of channels."""
    a, b, c, d, e, f, g = widths
    return (
        SCALE_TO_ONE,
        *normalized_conv(a, 3),
        *normalized_conv(b, 3),
        *normalized_conv(c, 5, 2, "same"),
        Dropout(rate),
        *normalized_conv(d, 3),
        *normalized_conv(e, 3),
        *normalized_conv(f, 5, 2, "same"),
        Dropout(rate),
        *normalized_conv(g, 4),
        Flatten(),
        Dropout(rate),
        HEAD,
    )


def homogeneous(kernel: int, widths: tuple[int, ...], rate: float = 0.0) -> tuple[Layer, ...]:
    """Convolutions of one size without pooling (An et al., 2020)."""
    stack = [layer for width in widths for layer in normalized_conv(width, kernel)]
    return (SCALE_TO_ONE, *stack, Flatten(), *((Dropout(rate),) if rate else ()), HEAD)


def pooled(rate: float, widths: tuple[tuple[int, ...], ...]) -> tuple[Layer, ...]:
    """3×3 convolutions in three stages, after each of which but the last the maximum of 2×2 is taken."""
    first, second, third = widths
    return (
        SCALE_TO_ONE,
        *(layer for width in first for layer in normalized_conv(width, 3)),
        MaxPooling2D(),
        Dropout(rate),
        *(layer for width in second for layer in normalized_conv(width, 3, 1, "same")),
        MaxPooling2D(),
        Dropout(rate),
        *(layer for width in third for layer in normalized_conv(width, 3)),
        Flatten(),
        Dropout(rate),
        HEAD,
    )


NETWORKS: dict[str, tuple[Layer, ...]] = {
    "best": next(recipe for recipe in OWN if recipe.name == "best").settings.layers,
    "strided": strided((40, 40, 64, 120, 120, 160, 224), 0.4),
    "strided-light": strided((40, 40, 64, 120, 120, 160, 224), 0.2),
    "homogeneous": homogeneous(3, (20, 28, 36, 48, 56, 64, 76, 84, 92, 104), 0.2),
    "pooled": pooled(0.25, ((40, 56), (96, 112, 112), (160, 192))),
    "pooled-light": pooled(0.1, ((40, 56), (96, 112, 112), (160, 192))),
    "teacher-strided": strided((48, 64, 96, 160, 160, 224, 256), 0.4),
    "teacher-5x5": homogeneous(5, (32, 64, 96, 128, 160), 0.3),
    "teacher-3x3": homogeneous(3, (32, 48, 56, 64, 80, 96, 112, 128, 144, 160), 0.3),
}
