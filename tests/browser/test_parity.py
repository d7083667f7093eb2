"""Chromium computes what Node computes, in a Web Worker, from the script that the pages send."""

import base64
import shutil
from typing import Any

import numpy as np
import pytest

from mnist_core.browser.bundle import bundle
from tests.browser.conftest import missing
from tests.javascript.parity import HARDEST, read_drawings, run_node, shipped_model

READ_ALL = """
async ([model, drawings, brushes]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const level = (gray, at) => (at % 4 < 3 ? gray[at >> 2] : 255);
  const rgba = (gray) => Uint8ClampedArray.from({ length: 4 * gray.length }, (_, at) => level(gray, at));
  const captures = drawings.map((text, at) => {
    return { pixels: rgba(bytes(text)), width: 280, height: 280, brush: brushes[at] };
  });
  const found = [];
  return await new Promise((resolve, reject) => {
    const ask = () => (captures.length ? reader.request(() => captures.shift()) : resolve(found));
    const reader = new digitLab.Reader({
      onModel: ({ error }) => (error ? reject(error) : ask()),
      onAnswer: ({ image, answers: [{ probabilities, notADigit }] }) => {
        found.push([...image, ...probabilities, notADigit]);
        ask();
      },
    });
    reader.loadModel({ slot: 0, buffer: bytes(model).buffer });
  });
}
"""


@pytest.mark.slow
def test_a_web_worker_computes_what_node_computes(chromium: Any) -> None:
    if shutil.which("node") is None:
        missing("Node is not installed (Debian: apt install nodejs).")
    with np.load(HARDEST) as kept:
        drawings, brushes = kept["drawings"][::8], kept["brushes"][::8]
    page = chromium.new_page()
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://digit-lab.test/")
    page.add_script_tag(content=bundle("reader.js"))
    sent = [base64.b64encode(drawing.tobytes()).decode() for drawing in drawings]
    model = base64.b64encode(shipped_model("float16")).decode()
    found = np.array(page.evaluate(READ_ALL, [model, sent, brushes.tolist()]), np.float32)
    page.close()
    # To the last digit of a float32: a worker without WebAssembly, whose sums are float64, would differ by more.
    np.testing.assert_allclose(found, read_drawings(run_node, drawings, brushes), rtol=2e-7)
