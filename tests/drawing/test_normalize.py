"""Drawings against MNIST itself: a digit of MNIST, drawn anywhere in any way, has to come back as itself."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy.ndimage import center_of_mass

from mnist_core.drawing.ink import to_ink
from mnist_core.drawing.normalize import NormalizationSteps, normalize_drawing, plain_resize
from mnist_core.drawing.strokes import render_strokes
from mnist_core.drawing.uploads import decode_canvas, decode_upload
from mnist_core.errors import DrawingError
from mnist_core.handwriting import digit_forms
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from tests.browser.hands import ROUND_HAND, SLANTED_HAND, Stroke

SIDE = 28


@pytest.fixture(scope="module")
def digits(sample: Any) -> np.ndarray:
    """(200, 28, 28) uint8 of MNIST."""
    return sample.x_test[:200]


def placed(digit: np.ndarray, scale: float, x: float, y: float, field: int = 420) -> np.ndarray:
    """The digit enlarged on a black field, its place from 0 to 1 on each axis."""
    side = round(SIDE * scale)
    large = cv2.resize(digit, (side, side), interpolation=cv2.INTER_LINEAR)
    paper = np.zeros((field, field), np.uint8)
    left, top = round(x * (field - side)), round(y * (field - side))
    paper[top : top + side, left : left + side] = large
    return paper


def spans(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_mnist_enlarged_and_moved_comes_back_as_itself(digits: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    found = []
    for digit in digits:
        paper = placed(digit, 10, *generator.random(2))
        inverted = 255 - paper if generator.random() < 0.5 else paper
        found.append(difference(normalize_drawing(inverted).image, digit))
    assert np.mean(found) <= 6


def test_longer_side_is_20_and_the_mass_in_the_middle(digits: np.ndarray) -> None:
    for digit in digits:
        image = normalize_drawing(placed(digit, 7, 0.2, 0.9)).image
        assert max(spans(image)) == 20
        assert image.max() == 255
        assert all(13.4 <= centre <= 14.6 for centre in center_of_mass(image.astype(float)))


@pytest.mark.parametrize("scale", [4, 8, 14])
def test_scale_hardly_changes_the_image(digits: np.ndarray, scale: float) -> None:
    found = [difference(normalize_drawing(placed(digit, scale, 0.5, 0.5)).image, digit) for digit in digits[:60]]
    assert np.mean(found) < 8


def on_paper(ink: np.ndarray, kind: str) -> np.ndarray:
    """(H, W) ink as people's programs store it."""
    rgba = np.zeros((*ink.shape, 4), np.uint8)
    if kind == "white on black":
        return ink
    if kind == "black on white":
        return 255 - ink
    if kind == "blue on yellow":
        share = ink[..., None] / 255
        return (share * (20, 40, 160) + (1 - share) * (250, 240, 150)).astype(np.uint8)
    rgba[..., 3] = ink  # transparent paper, black or white ink
    rgba[..., :3] = 255 if kind == "white on nothing" else 0
    return rgba


def test_polarity_color_and_alpha_change_nothing(digits: np.ndarray) -> None:
    papers = [placed(digit, 10, 0.5, 0.5) for digit in digits[:40]]
    expected = [normalize_drawing(paper).image for paper in papers]
    for kind in ("white on black", "black on white", "blue on yellow", "black on nothing", "white on nothing"):
        images = [normalize_drawing(on_paper(paper, kind)).image for paper in papers]
        assert np.mean([difference(*pair) for pair in zip(images, expected, strict=True)]) < 6, kind  # of 255


def test_brush_hardly_changes_the_prediction() -> None:
    generator, model = np.random.default_rng(0), Classifier(DEFAULT_MODEL)
    strokes = [digit_forms.generate_digit(generator, label).strokes for label in range(10) for _ in range(12)]

    def predictions(width: int) -> np.ndarray:
        images = [normalize_drawing(render_strokes(digit, width, 168)).image for digit in strokes]
        return model.digit_probabilities(np.stack(images)).argmax(axis=1)

    usual = predictions(20)
    for width in (6, 12, 34):
        assert (predictions(width) == usual).mean() >= 0.95, width


def test_thin_stroke_is_thickened_and_a_usual_one_left_alone() -> None:
    strokes = digit_forms.generate_digit(np.random.default_rng(3), 2).strokes
    mass = {width: int(normalize_drawing(render_strokes(strokes, width, 168)).image.sum()) for width in (6, 20)}
    bare = int(
        normalize_drawing(render_strokes(strokes, 6, 168), steps=NormalizationSteps(stroke_width=False)).image.sum()
    )
    assert bare < mass[6] < 1.3 * mass[20]


def test_known_brush_does_as_well_as_a_measured_one() -> None:
    strokes = digit_forms.generate_digit(np.random.default_rng(3), 2).strokes
    canvas = render_strokes(strokes, 10, 168)
    assert difference(normalize_drawing(canvas, 10).image, normalize_drawing(canvas).image) < 8


def test_bar_of_a_five_stays_and_a_speck_goes() -> None:
    paper = np.zeros((280, 280), np.uint8)
    cv2.polylines(paper, [np.array([[110, 90], [105, 140], [170, 150], [170, 210], [100, 215]])], False, 255, 18)
    bare = normalize_drawing(paper).image
    with_bar = paper.copy()
    cv2.line(with_bar, (120, 55), (185, 55), 255, 18)
    with_speck = paper.copy()
    with_speck[20:22, 250:252] = 255
    assert difference(normalize_drawing(with_bar).image, bare) > 10
    assert difference(normalize_drawing(with_speck).image, bare) < 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_colour_is_blank(value: int) -> None:
    result = normalize_drawing(np.full((280, 280), value, np.uint8))
    assert result.blank and not result.image.any()


def test_transparent_canvas_is_blank() -> None:
    assert normalize_drawing(np.zeros((280, 280, 4), np.uint8)).blank


def test_stages_are_pictures_with_words(digits: np.ndarray) -> None:
    result = normalize_drawing(placed(digits[0], 10, 0.5, 0.5))
    assert len(result.stages) >= 5
    assert all(stage.name and stage.explanation and stage.image.dtype == np.uint8 for stage in result.stages)
    assert (result.stages[-1].image == result.image).all()


def test_plain_resize_does_nothing_else(digits: np.ndarray) -> None:
    paper = placed(digits[0], 3, 0.9, 0.9)
    image = plain_resize(paper).image
    assert image[14:, 14:].any() and not image[:14, :14].any()  # it is small, and stays in its corner


@pytest.mark.parametrize(
    "drawing",
    [
        np.zeros((28, 28), np.float32),
        np.zeros((28,), np.uint8),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((28, 28, 2), np.uint8),
        np.zeros((0, 28), np.uint8),
        np.zeros((28, 28), bool),
        "digit",
        None,
    ],
)
def test_what_is_no_image_is_refused(drawing: Any) -> None:
    with pytest.raises(DrawingError):
        normalize_drawing(drawing)


KINDS_OF_NUMBER = arrays.scalar_dtypes() | st.just(np.dtype(np.uint8)) | st.just(np.dtype(np.uint8))


@given(arrays.arrays(KINDS_OF_NUMBER, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=40)))
def test_any_array_is_normalized_or_refused(drawing: np.ndarray) -> None:
    try:
        image = normalize_drawing(drawing).image
    except DrawingError:
        right = drawing.ndim == 2 or (drawing.ndim == 3 and drawing.shape[2] in (1, 3, 4))
        assert drawing.dtype != np.uint8 or not right or not drawing.size
    else:
        assert image.shape == (28, 28) and image.dtype == np.uint8


@pytest.mark.parametrize("brush", [0, -2.0, math.nan])
def test_brush_that_cannot_be_is_refused(brush: float) -> None:
    with pytest.raises(DrawingError, match="above 0"):
        normalize_drawing(np.zeros((28, 28), np.uint8), brush)


@given(st.floats(1e-3, 1e4))
def test_any_brush_width_gives_an_image(brush: float) -> None:
    paper = np.zeros((280, 280), np.uint8)
    cv2.line(paper, (100, 60), (180, 220), 255, 12)
    assert normalize_drawing(paper, brush).image.max() == 255


def test_a_photo_of_ruled_paper_is_an_image_like_any_other(digits: np.ndarray) -> None:
    """The rules may be read as ink: then the model says that it is no digit. Nothing fails."""
    photo = 225 - placed(digits[0], 10, 0.4, 0.6) // 2
    photo[20::35] = 150
    assert normalize_drawing(photo).image.max() == 255


def test_every_path_of_a_wild_hand_is_drawn() -> None:
    """Ten thousand points, many of them off the canvas."""
    points = np.random.default_rng(0).normal(140, 200, (10_000, 2)).astype(np.float32)
    assert normalize_drawing(render_strokes((points[:40],), 2, 2000)).image.max() == 255
    assert normalize_drawing(render_strokes((points,), 6, 2000)).blank  # all ink: nothing to read


@given(st.integers(0, 279), st.integers(0, 279), st.integers(1, 280), st.integers(1, 280))
def test_any_box_of_ink_fits(top: int, left: int, height: int, width: int) -> None:
    paper = np.zeros((280, 280), np.uint8)
    paper[top : top + height, left : left + width] = 255
    assert normalize_drawing(paper).image.shape == (28, 28)
    assert to_ink(paper).shape == (280, 280)


def encoded(mode: str, kind: str, **options: Any) -> bytes:
    """A dark disc on light paper, as a file of Pillow's mode."""
    y, x = np.mgrid[:60, :60]
    grey = np.where((x - 30) ** 2 + (y - 30) ** 2 < 200, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "PNG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("L", "JPEG"),
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
    ],
)
def test_every_kind_of_file_is_read_alike(mode: str, kind: str) -> None:
    picture = decode_upload(encoded(mode, kind))
    assert picture.dtype == np.uint8 and picture.shape[:2] == (60, 60)
    assert difference(normalize_drawing(picture).image, normalize_drawing(decode_upload(encoded("L", "PNG"))).image) < 6


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size, and has hardly a pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        ("milk, eggs,\nbread and jam, 1 €".encode(), r"Received: a text file\.$"),
        (b"\x00\x01\x02\xff\xfe", r"Received: a file of another type\.$"),
        (b"%PDF-1.4", "a PDF"),
        (b"GIF89a..", "a GIF"),
        (png_header(1, 1), "1 x 1"),
        (png_header(20_000, 20_000), "20000 x 20000"),
        (png_header(60, 60), "damaged"),
        (encoded("L", "PNG")[:60], "PNG"),
        (encoded("RGB", "JPEG")[:300], "damaged"),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DrawingError, match=words):
            decode_upload(content)


def test_picture_of_a_canvas_is_decoded_unless_it_is_larger_than_any_canvas() -> None:
    paper = np.random.default_rng(0).integers(0, 256, (70, 140, 4), np.uint8)
    sent = io.BytesIO()
    Image.fromarray(paper).save(sent, "PNG")
    for width, height in ((140, 70), (35, 18)):  # on a screen with four pixels for each of the canvas
        assert np.array_equal(decode_canvas(sent.getvalue(), width, height), paper)
    for width, height in ((34, 70), (140, 17)):
        with pytest.raises(DrawingError, match=f"140 x 70 pixels, expected {width} x {height}"):
            decode_canvas(sent.getvalue(), width, height)
    for content, words in (
        (png_header(13_000, 13_000), "13000 x 13000"),
        (png_header(280, 280), "damaged.*Clear the canvas"),
        (b"", "empty"),
    ):
        with pytest.raises(DrawingError, match=words):
            decode_canvas(content, 280, 280)


def test_a_drawing_is_normalized_alike_on_canvases_of_every_size() -> None:
    model, found = Classifier(DEFAULT_MODEL), []
    for digit in [*range(10)] * 2:
        strokes = digit_forms.generate_digit(np.random.default_rng(len(found)), digit).strokes
        small, large = (
            normalize_drawing(render_strokes(strokes, side / 14, side * 0.7, side=side), side / 14).image
            for side in (280, 560)
        )
        found.append(difference(small, large))
        assert model.predict(small).digit == model.predict(large).digit == digit
    assert np.median(found) < 1


def test_a_photo_in_uneven_light_reads_as_the_drawing_does(digits: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    x = np.linspace(0, 1, 840)
    light = 220 - 90 * x[:, None] * x[None, :]  # a shadow over one corner
    found = []
    for digit in digits[:20]:
        drawing = placed(digit, 10, 0.4, 0.6)
        ink = cv2.GaussianBlur(cv2.resize(drawing, (840, 840)), (0, 0), 2) / 255
        photo = light * (1 - 0.6 * ink) + generator.normal(0, 4, light.shape)
        image = normalize_drawing(
            np.dstack([photo * tint for tint in (1, 0.97, 0.9)]).clip(0, 255).astype(np.uint8)
        ).image
        found.append(np.corrcoef(image.ravel(), normalize_drawing(drawing).image.ravel())[0, 1])
    assert np.median(found) > 0.9 and min(found) > 0.6  # the lowest are one pixel off


def test_empty_paper_in_uneven_light_is_blank() -> None:
    light = np.tile(np.linspace(120, 220, 300), (300, 1)) + np.random.default_rng(0).normal(0, 3, (300, 300))
    assert normalize_drawing(light.astype(np.uint8)).blank


def test_thinning_breaks_no_thin_stroke() -> None:
    """A 6 with a hair of a stem and a blob of a bowl: its stem is thinner than what is taken off the blob."""
    paper = np.zeros((280, 280), np.uint8)
    cv2.line(paper, (100, 20), (100, 200), 255, 6)
    cv2.circle(paper, (150, 210), 55, 255, -1)
    result = normalize_drawing(paper)
    assert result.stroke_width > 4
    assert cv2.connectedComponents((result.image > 60).astype(np.uint8))[0] == 2  # the ground and one part
    first = np.flatnonzero(result.image.any(axis=1))[0]
    assert set((result.image[first : first + 8] > 60).sum(axis=1)) <= {1, 2, 3}  # above the bowl: the stem


@pytest.mark.parametrize("side", [50, 280, 640, 1500])
def test_a_hairline_stays_whole(side: int) -> None:
    paper = np.zeros((side, side), np.uint8)
    cv2.circle(paper, (side // 2, side // 2), side // 3, 255, 1)
    image = normalize_drawing(paper).image
    assert cv2.connectedComponents((image > 60).astype(np.uint8))[0] == 2
    assert image[12:16, 12:16].max() == 0  # and its loop open


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_measured_width_is_the_brush(share: float) -> None:
    brush, length = 20, 280 * share
    paper = np.zeros((280, 280), np.uint8)
    paper[140 - brush // 2 : 140 + brush // 2, 20 : 20 + int(length)] = 255
    assert normalize_drawing(paper).stroke_width == pytest.approx(20 * brush / length, rel=0.12)


def test_slip_of_the_pen_far_off_goes_and_a_dot_near_by_stays() -> None:
    paper = np.zeros((280, 280), np.uint8)
    cv2.polylines(paper, [np.array([[60, 40], [60, 90], [110, 90], [110, 40], [110, 140]])], False, 255, 12)
    bare = normalize_drawing(paper).image
    far, near = (cv2.circle(paper.copy(), place, 6, 255, -1) for place in ((250, 250), (85, 25)))
    assert difference(normalize_drawing(far).image, bare) == 0
    assert difference(normalize_drawing(near).image, bare) > 2


def test_a_card_with_round_corners_on_nothing(digits: np.ndarray) -> None:
    """White paper, black ink, transparent around the paper: neither the paper nor its corners are ink."""
    drawing = placed(digits[0], 8, 0.5, 0.5)
    card = np.zeros((500, 500, 4), np.uint8)
    shape = cv2.rectangle(np.zeros((500, 500), np.uint8), (60, 60), (440, 440), 255, -1)
    card[40:460, 40:460, :3], card[..., 3] = (255 - drawing)[..., None], cv2.blur(shape, (31, 31)) // 255 * 255
    assert difference(normalize_drawing(card).image, normalize_drawing(drawing).image) < 3
    window = np.dstack([255 - drawing] * 3 + [np.full_like(drawing, 255)])
    window[:10, :10] = window[-10:, -10:] = 0
    assert difference(normalize_drawing(window).image, normalize_drawing(drawing).image) == 0


def test_a_filled_patch_is_ink_and_no_card() -> None:
    """To and fro with a fat brush: its ragged edge is no writing on paper."""
    zigzag = np.array([(60 + 160 * (step % 2), 40 + 8 * step) for step in range(25)], np.int32)
    paper = np.zeros((280, 280), np.uint8)
    cv2.polylines(paper, [zigzag], False, 255, 20, cv2.LINE_AA)
    assert (to_ink(paper) > 127)[100:180, 100:180].all()
    assert Classifier(DEFAULT_MODEL).predict(normalize_drawing(paper, 20).image).rejected


def test_upload_is_turned_upright_and_sixteen_bits_are_scaled() -> None:
    wide = np.zeros((20, 40), np.uint8)
    wide[5:15, 5:10] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: a quarter turn clockwise
    turned = io.BytesIO()
    Image.fromarray(wide).save(turned, "PNG", exif=exif)
    assert (decode_upload(turned.getvalue()) == np.rot90(wide, -1)).all()
    deep = io.BytesIO()
    Image.fromarray(wide.astype(np.uint16) * 257).save(deep, "PNG")
    assert (decode_upload(deep.getvalue()) == wide).all()


def test_each_step_can_be_left_out(digits: np.ndarray) -> None:
    drawing = placed(digits[3], 5, 0.1, 0.8)
    images = [
        normalize_drawing(drawing, steps=steps).image
        for steps in (
            NormalizationSteps(False, False, False, False),
            NormalizationSteps(True, False, False, False),
            NormalizationSteps(True, True, False, False),
            NormalizationSteps(True, True, True, False),
        )
    ]
    assert (images[0] == plain_resize(drawing).image).all()
    assert spans(images[1]) == (28, 28)
    assert [max(spans(image)) for image in images[2:]] == [20, 20]
    assert difference(images[3], digits[3]) < difference(images[2], digits[3]) < difference(images[0], digits[3])


@pytest.mark.parametrize("hand", [ROUND_HAND, SLANTED_HAND])
def test_the_shipped_model_recognizes_what_the_browser_tests_draw(hand: list[tuple[int, list[Stroke]]]) -> None:
    classifier = Classifier(DEFAULT_MODEL)
    for digit, strokes in hand:
        paths = tuple(np.array(stroke, np.float32) for stroke in strokes)
        drawing = render_strokes(paths, 20, float(np.ptp(np.concatenate(paths), axis=0).max()))
        assert classifier.predict(normalize_drawing(drawing, 20).image).digit == digit
