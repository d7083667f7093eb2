"""Records a walk of a teacher through presenter mode as docs/presenter.webp, an animation for the README.

python -m tests.tools.tour_animation
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.live import executable, serving, wait_healthy
from tests.browser.hands import ROUND_HAND
from tests.browser.screens import wait_until_shown
from tests.browser.test_flows import draw
from tests.support import ROOT, environment

ANIMATION = ROOT / "docs" / "presenter.webp"
FRAME = (800, 450)
"""Width and height of the animation in pixels."""
SHORT, LONG = 500, 2500
"""Milliseconds that a frame is shown: while something moves, and at the end of a step."""
MAX_STEPS = 20
TRAINING_FRAMES = 60


def record_frame(page: Page, frames: list[tuple[Image.Image, int]], milliseconds: int) -> None:
    """Adds what the window shows to the frames."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    frames.append((picture.resize(FRAME, Image.Resampling.LANCZOS), milliseconds))


def walk(page: Page, url: str) -> list[tuple[Image.Image, int]]:
    """Goes through the tour with the right arrow key. Draws a digit in the first step, and trains on the Train page."""
    frames: list[tuple[Image.Image, int]] = []
    page.goto(f"{url}/?present=1")
    page.locator(".st-key-tour").wait_for(timeout=60_000)
    for number in range(1, MAX_STEPS + 1):
        wait_until_shown(page)
        record_frame(page, frames, LONG)
        if number == 1:
            for stroke in ROUND_HAND[2][1]:
                draw(page, [stroke])
                record_frame(page, frames, SHORT)
            page.wait_for_timeout(600)
            wait_until_shown(page)
            record_frame(page, frames, LONG)
        train = page.get_by_role("button", name="Train", exact=True)
        if "/train" in page.url and train.count():
            train.first.click()
            for _ in range(TRAINING_FRAMES):
                page.wait_for_timeout(700)
                record_frame(page, frames, SHORT)
                if page.get_by_text("finished", exact=True).count():
                    break
            record_frame(page, frames, LONG)
        if not page.locator(".st-key-tour_next").count():
            return frames
        before = page.url
        page.keyboard.press("ArrowRight")
        page.wait_for_function("before => location.href !== before", arg=before, timeout=30_000)
        page.wait_for_timeout(800)
    raise RuntimeError(f"The tour has more than {MAX_STEPS} steps.")


def main() -> None:
    """Records the animation."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with serving(home, environment(home / "runs")) as app, sync_playwright() as playwright:
            wait_healthy(app)
            browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
            frames = walk(browser.new_page(viewport={"width": 1280, "height": 720}), app.url)
    pictures, durations = zip(*frames, strict=True)
    pictures[0].save(
        ANIMATION, save_all=True, append_images=pictures[1:], duration=list(durations), loop=0, quality=60, method=4
    )
    print(f"{ANIMATION}: {len(frames)} frames, {ANIMATION.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
