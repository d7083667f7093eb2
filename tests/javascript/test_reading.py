"""What a browser answers about a drawing is what the server answers."""

import json

import numpy as np
import pytest

from mnist_core.browser.bundle import BundleError, bundle
from mnist_core.browser.weights_file import browser_model
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import render_strokes
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

BRUSH = 20


@pytest.mark.slow
def test_drawings_are_read_as_on_the_server(node, shipped, tmp_path):
    generator = np.random.default_rng(3)
    drawings = [render_strokes(generate_digit(generator).strokes, BRUSH, 150, (140, 130)) for _ in range(6)]
    zigzag = np.array([[40, 40], [240, 70], [60, 100], [230, 140], [50, 170], [240, 220], [150, 20], [80, 240]])
    drawings += [render_strokes([zigzag], BRUSH, 200, (140, 140)), np.zeros((280, 280), np.uint8)]
    (tmp_path / "reader.js").write_text(bundle("reader.js"))
    (tmp_path / "model.bin").write_bytes(browser_model(*shipped))
    (tmp_path / "drawings").write_bytes(np.array(drawings).tobytes())
    done = node("run_reader.mjs", tmp_path / "reader.js", tmp_path / "model.bin", tmp_path / "drawings", BRUSH)
    assert done.returncode == 0, done.stderr
    loaded, damaged, *answers = map(json.loads, done.stdout.splitlines())
    assert loaded["error"] is None and "cut short" in damaged["error"]

    classifier = Classifier(DEFAULT_MODEL)
    assert len(answers) == len(drawings)
    for drawing, answer in zip(drawings, answers, strict=True):
        normalized = normalize_drawing(drawing, BRUSH)
        assert answer["blank"] == normalized.blank
        if normalized.blank:
            continue
        expected, found = classifier.predict(normalized.image), answer["answers"][0]
        assert (found["digit"], found["rejected"]) == (expected.digit, expected.rejected)
        assert found["confidence"] == pytest.approx(expected.confidence, abs=0.01)
        assert found["notADigit"] == pytest.approx(expected.not_a_digit, abs=0.01)
        np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=0.01)
        np.testing.assert_allclose(answer["image"], normalized.image.ravel(), atol=3)
    assert any(answer["answers"][0]["rejected"] for answer in answers[:-1])


MODULES = {
    "entry.js": 'import { half } from "./half.js";\nimport {\n  ONE, TWO,\n} from "./numbers.js";\n'
    "export function three() {\n  return ONE + half(2 * TWO);\n}\n",
    "half.js": 'import { TWO } from "./numbers.js";\nexport const half = (value) => value / TWO;\n',
    "numbers.js": "export const [ONE, TWO] = [1, 2];\n",
}


def write(folder, **changed):
    for name, text in {**MODULES, **{f"{name}.js": text for name, text in changed.items()}}.items():
        (folder / name).write_text(text)


def test_a_bundle_is_one_script_that_knows_its_own_text(node, tmp_path):
    write(tmp_path)
    script = bundle("entry.js", tmp_path).replace("return {", "return { BUNDLE,", 1)
    again = "; const copy = new Function(`${digitLab.BUNDLE}; return digitLab`)(); console.log(copy.three())"
    (tmp_path / "script.cjs").write_text(script + again)
    done = node(tmp_path / "script.cjs")
    assert done.stdout == "3\n", done.stderr


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"half": "export const half = 1;\nfunction three() {}\n"}, "three"),
        ({"half": "export const halves = 1;\n"}, "half"),
        ({"half": "export default function half() {}\n"}, "half"),
        ({"numbers": "const [ONE, TWO] = [1, 2];\nexport { ONE, TWO };\n"}, "ONE"),
        (
            {"half": 'import { TWO as two } from "./numbers.js";\nexport const half = (value) => value / two;\n'},
            "TWO as two",
        ),
        ({"half": 'import { half } from "half";\nexport const halves = half;\n'}, "half"),
        ({"half": 'export const half = (await import("./numbers.js")).ONE;\n'}, "import"),
        ({"entry": 'import { none } from "./none.js";\n'}, "none.js"),
    ],
)
def test_modules_that_cannot_be_joined_are_refused(tmp_path, changed, named):
    write(tmp_path, **changed)
    with pytest.raises(BundleError) as error:
        bundle("entry.js", tmp_path)
    assert named in str(error.value)
