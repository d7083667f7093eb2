"""A drawing is read soon after it changes, up to 30 times a second, and not at all while nothing changes."""

import json

import numpy as np
import pytest

from mnist_core.browser.bundle import bundle

FRAME = 1000 / 60
"""Milliseconds between two moves of a pen."""


@pytest.fixture
def readings(node, tmp_path):
    """Returns (N, 2) times in milliseconds: when each reading began, and when the move came that it shows."""
    (tmp_path / "reader.js").write_text(bundle("reader.js"))

    def read(moves, milliseconds):
        done = node("run_pace.mjs", tmp_path / "reader.js", milliseconds, json.dumps(list(moves)))
        assert done.returncode == 0, done.stderr
        return np.array(json.loads(done.stdout))

    return read


def test_a_pen_that_moves_is_read_30_times_a_second_and_after_a_rest_at_once(readings):
    strokes = [10, *np.arange(100, 3100, FRAME), 5000.0, 5000.0 + FRAME]
    times, moves = readings(strokes, 5).T
    most = max(int(((times >= start) & (times < start + 1000)).sum()) for start in times)
    assert 29 <= most <= 30
    for move in (10, 100, 100 + FRAME, 5000, 5000 + FRAME):
        assert times[moves == move].min() - move < 0.01
    assert np.diff(times)[1:-2].max() < 2000  # none in the pause but the last move's
    assert moves.tolist() == sorted(set(moves)) and set(moves) <= set(strokes)  # each move once, none without a move
    assert moves[times < 4000].max() == max(move for move in strokes if move < 4000)


def test_a_slow_device_reads_the_newest_drawing_as_soon_as_it_can(readings):
    moves = np.arange(100, 2100, FRAME)
    times, shown = readings(moves, 150).T
    np.testing.assert_allclose(np.diff(times), 150, atol=0.01)  # it never waits, and never reads two at once
    assert all(move == moves[moves <= time + 0.01].max() for time, move in zip(times, shown, strict=True))
