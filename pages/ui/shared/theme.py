"""Colors, sizes and styles of the pages. They follow Streamlit's theme, light or dark."""

from __future__ import annotations

from mnist_core.charts.common import COLORS

CANVAS_PIXELS = 280  # height, and width for one digit: fits the narrowest phones, and is ten times 28
NUMBER_PIXELS = 560  # width for a whole number
CANVAS_PAPER = "#000000"  # as in MNIST: bright ink on black
CANVAS_INK = "#ffffff"
FRAME, REJECTED = (74, 144, 226), (214, 88, 88)  # RGB, of the boxes around the digits of a number

STYLE = f"""
<style>
.stMainBlockContainer {{ padding-top: 4.5rem; padding-bottom: 3rem; }}
.st-key-canvas, .st-key-number_canvas {{ margin-top: 1.6rem; }} /* room for its toolbar */
.stElementContainer:has(.lab-keep) {{ display: none; }} /* holds a script: no gap */
@media (max-width: 640px) {{ /* 560 pixels do not fit a phone. Scaling keeps the pen under the finger */
  .st-key-number_canvas {{ width: {NUMBER_PIXELS}px !important; max-width: none !important; transform: scale(.58);
    transform-origin: 0 0; margin-bottom: -{round(0.42 * CANVAS_PIXELS)}px; }}
}}
.lab-answer {{ display: flex; gap: 1.25rem; align-items: center; flex-wrap: wrap; margin-bottom: 1rem; }}
.lab-digit {{ font-size: 6.5rem; line-height: 1; font-weight: 700; min-width: 4.2rem; text-align: center; }}
.lab-digit.unsure {{ opacity: .35; }}
.lab-sure {{ font-size: 1.6rem; font-weight: 600; }}
.lab-note {{ opacity: .7; font-size: .9rem; }}
.lab-bars {{ display: grid; grid-template-columns: 1.2rem 1fr 4rem; gap: .2rem .6rem; align-items: center;
  font-variant-numeric: tabular-nums; font-size: .95rem; max-width: 30rem; }}
.lab-track {{ background: rgba(128, 128, 128, .18); border-radius: 4px; height: .95rem; overflow: hidden; }}
.lab-bar {{ display: block; background: {COLORS["muted"]}; height: 100%; border-radius: 4px; min-width: 1px; }}
.lab-bar.first {{ background: {COLORS["training"]}; }}
.lab-bars b {{ color: {COLORS["training"]}; }}
.lab-value {{ text-align: right; }}
.lab-tiles {{ width: 100%; max-width: 560px; }}
.lab-boxes {{ max-width: 100%; border-radius: 6px; margin-bottom: 1rem; }}
.st-key-probe_paper {{ margin-top: 1.6rem; }}
.lab-probe-grid {{ width: 100%; max-width: 930px; border-radius: 6px; background: #000; }}
.lab-probe {{ margin: 0 0 .6rem; display: grid; grid-template-columns: 60px auto; gap: .3rem .6rem;
  align-items: center; }}
.lab-history {{ grid-column: 1 / 3; display: flex; gap: 4px; height: 120px; }}
.lab-names {{ display: grid; grid-template-rows: repeat(10, 12px); font-size: 10px; line-height: 12px; opacity: .75; }}
.lab-history img {{ image-rendering: pixelated; height: 120px; width: 180px; background: #000; border-radius: 4px; }}
.lab-layers {{ display: flex; gap: .6rem .9rem; flex-wrap: wrap; align-items: flex-end; }}
.lab-layers img {{ width: auto; max-width: 100%; height: auto; }}
.lab-strip {{ display: flex; gap: .9rem; flex-wrap: wrap; }}
.lab-drawing {{ overflow-x: auto; }} /* scrolls on a phone instead of shrinking */
.lab-figure {{ margin: 0; }}
/* The menu of a figure is three dots; its label is for screen readers. */
[class*="st-key-menu_"] button [data-testid="stMarkdownContainer"] {{ position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%); }}
[class*="st-key-menu_"] button > div > [aria-hidden] {{ display: none; }} /* the arrow */
.lab-export {{ font: inherit; color: inherit; background: transparent; cursor: pointer; padding: .25rem .75rem;
  margin-right: .5rem; min-height: 2.5rem; border: 1px solid rgba(128, 128, 128, .5); border-radius: .4rem; }}
.lab-export:hover, .lab-export:focus-visible {{ border-color: currentColor; }}
.lab-picture {{ image-rendering: pixelated; background: #000; border-radius: 6px; object-fit: contain;
  border: 1px solid rgba(128, 128, 128, .35); display: block; }}
#vg-tooltip-element img {{ width: 112px; image-rendering: pixelated; }} /* digits in a chart's tooltip */
.lab-figure figcaption {{ font-size: .8rem; opacity: .75; margin-top: .3rem; line-height: 1.25; }}
</style>
"""
