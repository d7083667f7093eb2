"""Rendered strokes against exact distances to their path; varied strokes against what handwriting may change."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.drawing.strokes import Strokes, fit_strokes, render_strokes, vary_strokes

CORNERED = fit_strokes([[(0, 0), (700, 100), (200, 900)], [(100, 500), (600, 450)]])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def box(strokes: Strokes) -> tuple[np.ndarray, np.ndarray]:
    together = np.concatenate(strokes)
    return together.min(axis=0), together.max(axis=0)


def distances(points: np.ndarray, path: np.ndarray) -> np.ndarray:
    """(n,) exact distance of points (n, 2) to a polyline (m, 2)."""
    nearest = np.full(len(points), np.inf)
    for begin, end in zip(path[:-1], path[1:], strict=True):
        along = end - begin
        part = np.clip((points - begin) @ along / max(float(along @ along), 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.hypot(*(points - begin - part[:, None] * along).T))
    return nearest


def exactly(paths: list[np.ndarray], width: float, side: int) -> np.ndarray:
    """(side, side) share of ink, 0..1: how far the middle of each pixel lies inside the brush's track."""
    rows, columns = np.indices((side, side))
    middles = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    nearest = np.min([distances(middles, path) for path in paths], axis=0)
    return np.clip(width / 2 + 0.5 - nearest, 0, 1).reshape(side, side)


def test_fit_brings_any_strokes_to_one_box() -> None:
    strokes = fit_strokes([[(-3, 7), (1, 9)], [(0, 17)]])
    assert [stroke.tolist() for stroke in strokes] == [[[0, 0], [400, 200]], [[300, 1000]]]
    assert all(stroke.dtype == np.float32 and not stroke.flags.writeable for stroke in strokes)
    assert all(np.array_equal(a, b) for a, b in zip(fit_strokes(strokes), strokes, strict=True))


def test_fit_of_a_dot_is_a_dot() -> None:
    assert [stroke.tolist() for stroke in fit_strokes([[(5, 8)]])] == [[[0, 0]]]


@pytest.mark.parametrize("width", [2, 8, 8.5, 20, 34])
@pytest.mark.parametrize(("size", "centre"), [(168, None), (98, (60.3, 200.8)), (20, (140, 139.5))])
def test_ink_lies_where_the_brush_went(width: float, size: float, centre: tuple[float, float] | None) -> None:
    canvas = render_strokes(CORNERED, width, size, centre)
    low, high = box(CORNERED)
    scale = size / 1000
    paths = [(stroke - (low + high) / 2) * scale + np.array(centre or (140, 140)) for stroke in CORNERED]
    expected = exactly(paths, width, 280) * 255
    assert canvas.shape == (280, 280) and canvas.dtype == np.uint8
    assert canvas.max() == 255 and canvas.min() == 0
    assert np.abs(canvas - expected).mean() < 0.6
    assert canvas.sum() == pytest.approx(expected.sum(), rel=0.02 + 0.3 / width)


def test_ink_reaches_half_a_brush_beyond_the_size() -> None:
    rows, columns = np.nonzero(render_strokes(CORNERED, 20, 168) > 127)
    assert rows.max() - rows.min() + 1 == pytest.approx(188, abs=1)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(140, abs=1)


@pytest.mark.parametrize("width", [4, 9, 20])
def test_dot_is_a_disc(width: int) -> None:
    canvas = render_strokes(fit_strokes([[(5, 5)]]), width, 100, (50, 90), side=120)
    rows, columns = np.nonzero(canvas)
    assert canvas.sum() / 255 == pytest.approx(np.pi * width**2 / 4, rel=0.12)
    assert [np.average(columns + 0.5), np.average(rows + 0.5)] == pytest.approx([50, 90], abs=0.3)


def test_dot_beside_a_stroke_is_drawn() -> None:
    plain, dotted = (
        fit_strokes([[(0, 0), (0, 1000)], [(400, 0), (400, 1000)]]),
        fit_strokes([[(0, 0), (0, 1000)], [(400, 500)]]),
    )
    canvas = render_strokes(dotted, 10, 200)
    assert canvas[140, 178] == 255 and canvas[140, 170] == 0 and canvas[60, 178] == 0
    assert render_strokes(plain, 10, 200)[60, 178] == 255


@pytest.mark.parametrize("centre", [(-500, 140), (140, 900), (0, 0), (280, 280)])
def test_ink_beyond_the_canvas_is_cut(centre: tuple[float, float]) -> None:
    large = render_strokes(CORNERED, 20, 168, (centre[0] + 1000, centre[1] + 1000), side=2280)
    assert np.abs(render_strokes(CORNERED, 20, 168, centre).astype(int) - large[1000:1280, 1000:1280]).max() <= 1


def test_vary_is_reproducible_and_leaves_the_original() -> None:
    before = [stroke.copy() for stroke in CORNERED]
    first, again, other = (vary_strokes(CORNERED, generator(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], other[0][0]) or len(first[0]) != len(other[0])
    assert all(np.array_equal(a, b) for a, b in zip(before, CORNERED, strict=True))


def test_varied_strokes_are_fitted() -> None:
    draws = generator()
    for _ in range(50):
        strokes = vary_strokes(CORNERED, draws)
        low, high = box(strokes)
        assert len(strokes) == 2 and all(stroke.dtype == np.float32 for stroke in strokes)
        assert np.allclose(low, 0, atol=1e-3) and (high - low).max() == pytest.approx(1000, abs=1e-2)


def test_varied_strokes_stay_near_their_path_but_not_on_it() -> None:
    draws, path = generator(), fit_strokes([[(0, 0), (700, 100), (200, 1000)]])
    strays = []
    for _ in range(100):
        (stroke,) = vary_strokes(path, draws)
        strays.append(distances(stroke.astype(float), path[0].astype(float)).mean())
    assert 15 < np.mean(strays) < 75 and np.max(strays) < 220


def test_stick_leans_to_both_sides_by_some_ten_degrees() -> None:
    draws, stick = generator(), fit_strokes([np.stack([np.zeros(30), np.linspace(0, 1000, 30)], axis=1)])
    leans = []
    for _ in range(400):
        (stroke,) = vary_strokes(stick, draws)
        leans.append(np.rad2deg(np.arctan2(*(stroke[-1] - stroke[0]))))
    assert abs(np.mean(leans)) < 2 and 5 < np.std(leans) < 15 and np.abs(leans).max() < 45


def test_ends_are_trimmed_and_lengthened() -> None:
    """Of two strokes that touch, ends come to lie on both sides of the touch."""
    draws, gaps = generator(), []
    for _ in range(200):
        across, down = vary_strokes(fit_strokes([[(0, 0), (1000, 0)], [(500, 0), (500, 800)]]), draws)
        gaps.append(down[0, 1] - np.interp(down[0, 0], across[:, 0], across[:, 1]))
    assert np.mean(np.array(gaps) > 10) > 0.1 and np.mean(np.array(gaps) < -10) > 0.1
    assert np.abs(gaps).max() < 160


def test_points_are_taken_at_other_places() -> None:
    counts = {len(vary_strokes(CORNERED, generator(seed))[0]) for seed in range(50)}
    assert len(counts) > 15 and min(counts) > 20


def test_dots_and_ticks_keep_their_length() -> None:
    ring = np.array([(500 + 500 * np.cos(a), 500 + 500 * np.sin(a)) for a in np.linspace(0, 6.2, 60)])
    dotted = fit_strokes([ring, [(500, 500)], [(400, 300), (400, 340)]])
    draws = generator()
    for _ in range(50):
        _, dot, tick = vary_strokes(dotted, draws)
        assert len(dot) == 1 and len(tick) == 2
        assert 15 < np.hypot(*(tick[1] - tick[0])) < 90


@pytest.mark.parametrize(
    "strokes",
    [
        [[(3, 3)]],
        [[(3, 3), (3, 3)]],
        [[(0, 0), (0, 0), (0, 1000), (0, 1000)]],
        [[(0, 0)], [(1000, 1000)]],
        [[(0, 0), (1000, 0)] * 50],
    ],
)
def test_vary_takes_degenerate_strokes(strokes: list[list[tuple[float, float]]]) -> None:
    draws = generator()
    for _ in range(20):
        varied = vary_strokes(fit_strokes(strokes), draws)
        assert len(varied) == len(strokes) and all(np.isfinite(stroke).all() for stroke in varied)
        assert render_strokes(varied, 8, 100).max() == 255
