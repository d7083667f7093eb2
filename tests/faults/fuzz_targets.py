"""What outsiders send, as property tests: every input either works or raises an error of Digit Lab's own.

`make test` tries 25 inputs of each. `python -m tests.faults.fuzz` tries them for an hour, guided by coverage.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist_core.drawing import canvas, uploads
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.whole_numbers import recognize_number
from mnist_core.errors import DigitLabError
from mnist_core.fields import rule_violations
from mnist_core.files.json_reader import parse_json, parse_lines
from mnist_core.handwriting.pen_formats import parse_pen_digits
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.networks import architecture, cost, diagnose, keras_json, share_link
from mnist_core.networks.layers import LAYERS
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs.control import Control
from mnist_core.runs.reports import check_report
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.sweeps.space_parser import parse_space

TARGETS: dict[str, Callable[..., None]] = {}
"""Name -> a Hypothesis test."""


def target(test: Callable[..., None]) -> Callable[..., None]:
    """Adds a test to TARGETS under its name."""
    TARGETS[test.__name__] = test
    return test


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["full", "sample", "/dev/zero", "![x](http://x.example)", "\x00", "x" * 2000]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6)
)


def objects(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects whose keys are mostly the known ones."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=8), values, max_size=len(names))


@cache
def pictures() -> list[bytes]:
    """Small healthy files of every format and mode that people upload."""
    digit = Image.fromarray((np.outer(np.hanning(24), np.hanning(20)) * 255).astype(np.uint8))
    found = []
    for mode, kind in (("L", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("I;16", "PNG"), ("RGB", "JPEG")):
        content = io.BytesIO()
        (digit.convert("I").convert("I;16") if mode == "I;16" else digit.convert(mode)).save(content, kind)
        found.append(content.getvalue())
    return found


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture with some bytes changed, cut out, or repeated."""
    content = bytearray(draw(st.sampled_from(pictures())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        count = draw(st.integers(0, 8))
        content[at : at + count] = draw(st.binary(max_size=12))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@target
@given(damaged_pictures() | st.binary(max_size=200))
def image(content: bytes) -> None:
    """An uploaded picture becomes pixels or an error."""
    with contextlib.suppress(DigitLabError):
        pixels = uploads.decode_upload(content)
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2 or pixels.shape[2] in (3, 4)
        check_normalized(pixels, None)


@st.composite
def drawings(draw: st.DrawFn) -> Any:
    """A picture of random rectangles: from blank to noise, any size, gray or with colors."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    channels = draw(st.sampled_from([(), (3,), (4,)]))
    pixels = np.full((height, width, *channels), draw(st.integers(0, 255)), np.uint8)
    for _ in range(draw(st.integers(0, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        box = pixels[top : top + draw(st.integers(1, 40)), left : left + draw(st.integers(1, 40))]
        if draw(st.booleans()):
            box[...] = draw(st.integers(0, 255))
        else:
            box[...] = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, box.shape)
    return pixels


brushes = st.none() | st.floats(0.5, 60)


@target
@given(drawings(), brushes)
def normalization(pixels: Any, brush: float | None) -> None:
    """Every picture becomes 28×28 pixels or is blank."""
    check_normalized(pixels, brush)


def check_normalized(pixels: Any, brush: float | None) -> None:
    """Every stage is a picture, and the last one is what a model takes."""
    normalized = normalize_drawing(pixels, brush)
    assert normalized.image.shape == (28, 28)
    assert normalized.image.dtype == np.uint8
    assert normalized.blank == (not normalized.image.any())
    assert all(stage.image.dtype == np.uint8 for stage in normalized.stages)


@cache
def shipped() -> Classifier:
    """The shipped model, loaded once."""
    return Classifier(DEFAULT_MODEL)


@target
@given(drawings(), brushes)
def whole_number(pixels: Any, brush: float | None) -> None:
    """Every picture is read as a row of digits, perhaps an empty one."""
    with contextlib.suppress(DigitLabError):
        number = recognize_number(pixels, shipped(), brush)
        assert len(number.parts) <= pixels.shape[1]


@target
@given(objects(["objects", "version", "background"]) | values)
def strokes(sent: Any) -> None:
    """What a canvas sends becomes finite strokes."""
    if isinstance(sent, dict):
        assert all(np.isfinite(stroke).all() for stroke in canvas.parse_strokes(sent))
        brush = canvas.parse_brush_width(sent)
        assert brush is None or 0 < brush < 10_000


layer_items = st.lists(
    objects(["kind", "type", "class_name", "units", "filters", "kernel_size", "activation", "padding", "rate", "layer"])
    | st.builds(
        lambda kind, rest: {"kind": kind, "type": kind, "layer": kind, **rest},
        st.sampled_from(sorted(LAYERS)),
        objects(["units", "filters", "kernel_size", "strides", "pool_size", "activation", "padding", "rate"]),
    ),
    max_size=6,
)


@target
@given(layer_items | values, st.sampled_from([28, 56]))
def layers(items: Any, size: int) -> None:
    """A list of layers is refused with reasons, or can be costed, diagnosed, exported and shared."""
    with contextlib.suppress(DigitLabError):
        found = architecture.layers_from_json(items)
        diagnose.diagnose(found, size)
        fixed = diagnose.apply_first_fixes(found, size)
        assert not any(issue.severity == "error" and issue.fix for issue in diagnose.diagnose(fixed, size)) or fixed
        cost.layer_costs(found, size)
        keras_json.to_keras_json(found, size)
        assert architecture.layers_from_json(architecture.layers_to_json(found)) == found


@target
@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda content: content.decode("latin-1")))
def share_links(text: str) -> None:
    """The network in a link is refused, or comes out the same again."""
    with contextlib.suppress(DigitLabError):
        found = share_link.decode(text)
        assert share_link.decode(share_link.encode(found)) == found


@target
@given(objects(["schema", "recipe", "overrides", "data", "seed", "split", "base", "created"]) | values)
def spec(value: Any) -> None:
    """A spec is refused with a reason, or every field of it keeps its rule."""
    with contextlib.suppress(DigitLabError):
        assert not rule_violations(RunSpec.from_json(value))


@target
@given(st.dictionaries(st.sampled_from(sorted(setting_rules())) | st.text(max_size=8), values, max_size=6))
def overrides(given_values: dict[str, Any]) -> None:
    """Settings are refused with a reason or accepted."""
    with contextlib.suppress(DigitLabError):
        make_spec("fast", given_values, "sample")


@target
@given(objects(["stop", "paused", "learning_rate", "epochs", "batches", "whole_epochs"]))
def control(content: dict[str, Any]) -> None:
    """Whatever control.json contains, what remains can be obeyed."""
    kept, rules = Control.from_json(content), setting_rules()
    assert kept.epochs is None or rules["epochs"].accepts(kept.epochs)
    assert kept.learning_rate is None or rules["learning_rate"].accepts(kept.learning_rate)
    assert min(kept.batches, kept.whole_epochs) >= 0


@target
@given(objects(["step", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "probes", "learning_rate", "elapsed"]))
def report(row: dict[str, Any]) -> None:
    """A line of metrics.jsonl is dropped, or its numbers can be drawn."""
    kept = check_report(row)
    if kept is not None:
        assert all(abs(value) < 1e16 for value in kept.values() if isinstance(value, int | float))


@target
@given(st.binary(max_size=400))
def json_files(content: bytes) -> None:
    """Bytes that should be JSON raise nothing but an error that readers expect."""
    with contextlib.suppress(ValueError, DigitLabError):
        parse_json(content)
    rows, size, _ = parse_lines(content)
    assert size <= len(content)
    assert all(isinstance(row, dict) for row in rows)


@target
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: (".SEGMENT DIGIT\n" + text).encode()))
def pen_files(content: bytes) -> None:
    """A file of pen strokes is refused with a reason, or every stroke is finite."""
    with contextlib.suppress(DigitLabError):
        for digit in parse_pen_digits(content, "pen.jsonl"):
            assert 0 <= digit.label <= 9
            assert all(np.isfinite(stroke).all() for stroke in digit.strokes)


@target
@given(st.lists(st.text(max_size=60) | st.sampled_from(["learning_rate=1e-4..1e-1:log", "epochs=1,2"]), max_size=4))
def search_space(texts: list[str]) -> None:
    """A search space is refused with a reason, or has as many dimensions as texts."""
    with contextlib.suppress(DigitLabError):
        assert len(parse_space(texts)) == len(texts)
