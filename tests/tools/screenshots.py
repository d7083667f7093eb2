"""Takes the screenshots in docs/screenshots/: every screen, each window size, light and dark.

Starts the app with two short trainings and a small sweep of its own, so it takes some minutes:

    python -m tests.tools.screenshots [SCREEN ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.live import executable, serving, wait_healthy
from tests.browser.hands import ROUND_HAND
from tests.browser.screens import SCREENS, SIZES, layout_problems, open_screen, resize, wait_until_shown
from tests.browser.test_flows import draw
from tests.support import ROOT, command_line, environment

FOLDER = ROOT / "docs" / "screenshots"
WEBP_QUALITY = 60
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def train_examples(runs: Path) -> dict[str, str]:
    """Trains what the screens show. Returns the ids of "run", "other" and "sweep"."""

    def command(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            command_line(*arguments, "--json"), env=environment(runs), cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        printed: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return printed

    run = command("train", "--recipe", "fast", "--epochs", "6", "--data", "sample")
    other = command("train", "--recipe", "fast", "--epochs", "6", "--data", "sample", "--set", "learning_rate=0.03")
    vary = ("--vary", "learning_rate=1e-4..1e-1:log", "--vary", "batch_size=32,128,512")
    sweep = command("sweep", "--base", "fast", *vary, "--trials", "12", "--data", "sample")
    return {"run": str(run["run"]), "other": str(other["run"]), "sweep": str(sweep["sweep"])}


def save_screenshot(page: Page, path: Path) -> None:
    """Saves what the window shows, as WebP."""
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    cv2.imwrite(str(path), image, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])


def main(names: list[str]) -> None:
    """Takes the screenshots of the named screens, or of all, and prints what is wrong with a layout."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ids = train_examples(home / "runs")
        with serving(home, environment(home / "runs")) as app, sync_playwright() as playwright:
            wait_healthy(app)
            browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
            for theme in THEMES:
                page = browser.new_context(color_scheme=theme).new_page()
                for name in names or SCREENS:
                    resize(page, 1280)
                    open_screen(page, app.url, name, ids)
                    if name in ("home", "draw"):
                        draw(page, ROUND_HAND[2][1])
                        page.wait_for_timeout(600)  # the canvas reports 200 ms after the pen is lifted
                        wait_until_shown(page)
                    for width in SIZES:
                        resize(page, width)
                        save_screenshot(page, FOLDER / f"{name}-{width}-{theme}.webp")
                        for problem in layout_problems(page):
                            print(f"{name} at {width}: {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
