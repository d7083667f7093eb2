"""Colors, sizes and styles of the pages. They follow Streamlit's theme, light or dark."""

from __future__ import annotations

from pathlib import Path

from mnist_core.charts.common import COLORS

LOGO = Path(__file__).parents[1] / "logo.svg"

CANVAS_PIXELS = 280  # height of a drawing, and its width for one digit: ten times 28
NUMBER_PIXELS = 560  # width for a whole number
LARGE_CANVAS_PIXELS = 560  # width on the screen at most, where a canvas is what the page is about
CANVAS_PAPER = "#000000"  # as in MNIST: bright ink on black
CANVAS_INK = "#ffffff"
FRAME, REJECTED = (74, 144, 226), (214, 88, 88)  # RGB, of the boxes around the digits of a number
PAPER = "color-mix(in srgb, light-dark(#FDFCF8, #0D1715) 90%, transparent)"  # the background, as in config.toml

TEAL_TEXT = ("#0B6E5F", "#5FD0B8")  # on a light page, on a dark page
SECONDARY_TEXT = 75  # percent of the text color that captions and the axes of charts keep

STYLE = f"""
<style>
/* Text has a contrast of 4.5 or more, which Streamlit's captions, axes and primary color do not reach. */
.stApp [data-testid="stCaptionContainer"] {{ opacity: 1;
  color: color-mix(in srgb, currentColor {SECONDARY_TEXT}%, transparent); }}
.stVegaLiteChart svg :is(.role-axis, .role-legend) text, .stVegaLiteChart svg text[fill="{COLORS["muted"]}"] {{
  fill: color-mix(in srgb, currentColor {SECONDARY_TEXT}%, transparent); }}
.stApp [data-testid="stSliderThumbValue"] p, .stApp [data-testid="stButtonGroup"] [data-selected="true"] p,
.lab-bars b {{ color: light-dark({TEAL_TEXT[0]}, {TEAL_TEXT[1]}); }}
.stMainBlockContainer {{ padding-top: 4.5rem; padding-bottom: 3rem; }}
.stMainBlockContainer h1 {{ padding-top: 0; }}
/* The bar of the app is in the header, between the menu and Streamlit's own buttons, where there is room for it. */
@media (min-width: 1025px) {{
  :has(> .st-key-app_bar) {{ position: fixed; top: 0; right: 8rem; height: 3.75rem; width: auto; z-index: 999991; }}
  .st-key-app_bar {{ height: 100%; flex-wrap: nowrap; }}
  .st-key-app_bar .lab-current span {{ max-width: clamp(7rem, 100vw - 56rem, 20rem); }}
  .st-key-tour {{ flex-wrap: nowrap; }}
}}
.lab-current {{ display: flex; gap: .6rem; align-items: center; font-size: .9rem; white-space: nowrap; }}
.lab-current span {{ overflow: hidden; text-overflow: ellipsis; max-width: 12rem; }}
.lab-current img {{ width: 28px; height: 28px; border-radius: 4px; image-rendering: pixelated; }}
.stElementContainer:has(.lab-keep) {{ display: none; }} /* holds a script: no gap */
/* A canvas is displayed as wide as its container, whatever its size in pixels: Fabric.js converts the pen's position */
[class*="canvas_paper"] :is(.stElementContainer, .stBidiComponent, .stBidiComponent > div, .dc-root) {{ width: 100%; }}
[class*="canvas_paper"], [class*="canvas_paper"] .dc-container {{ aspect-ratio: 1; }}
.st-key-number_canvas_paper, .st-key-number_canvas_paper .dc-container {{ aspect-ratio: 2; }}
[class*="canvas_paper"] {{ overflow: hidden; background: {CANVAS_PAPER}; }} /* nothing jumps while Clear replaces it */
[class*="canvas_paper"] .dc-container {{ width: 100% !important; height: auto !important; }}
[class*="canvas_paper"] :is(.canvas-container, canvas) {{ width: 100% !important; height: 100% !important; }}
[class*="canvas_paper"] .dc-toolbar {{ display: none !important; }} /* appears on hover only: none on touch */
/* Draw: the answer is next to the canvas, or above it where there is no room. */
[class*="_workbench"] {{ display: grid; gap: 1rem; grid-template: "answer" "pad" "details" / minmax(0, 1fr); }}
[class*="_workbench"] > :has(> .st-key-answer) {{ grid-area: answer; }}
[class*="_workbench"] > :has(> .st-key-pad) {{ grid-area: pad; }}
[class*="_workbench"] > :has(> .st-key-details) {{ grid-area: details; }}
.st-key-answer .lab-answer {{ margin: 0; }}
.st-key-home_answer .lab-time {{ display: none; }}
@media (max-width: 640px) {{ /* of one height, hint or answer: the canvas below must not move while somebody draws */
  .st-key-home_workbench {{ gap: .5rem; }} /* so that the first card's button is in view */
  .st-key-answer {{ min-height: 6rem; justify-content: center; }}
  .st-key-home_answer {{ min-height: 5rem; justify-content: center; }}
  .st-key-answer .lab-answer {{ flex-wrap: nowrap; }}
  .st-key-answer .lab-note {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
  .st-key-answer .lab-digit {{ font-size: 4.5rem; min-width: 3rem; }}
  .st-key-number_workbench .lab-digit {{ font-size: 3rem; }}
  .st-key-answer .lab-sure {{ font-size: 1.3rem; line-height: 1.2; }}
  .st-key-answer :is(.lab-models, .lab-live) > div:not(:only-child) .lab-sure {{ font-size: 1rem; }}
  .st-key-answer .lab-figure {{ display: none; }} /* the last of the stages shows it, too */
}}
@media (min-width: 641px) {{ /* canvas and buttons fit a laptop's screen */
  .st-key-digit_workbench {{ column-gap: 2.5rem; grid-template: "pad answer" auto "pad details" 1fr
    / min(50%, max({CANVAS_PIXELS}px, min({LARGE_CANVAS_PIXELS}px, 100svh - 20rem))) minmax(0, 1fr); }}
}}
@media (min-width: 641px) {{
  .st-key-home_workbench {{ column-gap: 2.5rem; grid-template: "pad answer" 1fr "pad details" auto
    / min(50%, max({CANVAS_PIXELS}px, min({LARGE_CANVAS_PIXELS}px, 100svh - 11rem))) minmax(0, 1fr); }}
}}
@media (min-width: 641px) and (max-width: 1024px) {{ /* Home on a tablet: the cards must not move, either */
  .st-key-home_answer {{ min-height: 6.5rem; justify-content: center; }}
  .st-key-home_answer .lab-answer {{ flex-wrap: nowrap; }}
  .st-key-home_answer .lab-sure {{ font-size: 1.3rem; line-height: 1.2; }}
  .st-key-home_answer .lab-figure {{ display: none; }}
}}
@media (min-width: 1025px) {{ /* one model's answer is one line: the bars below it do not move while somebody draws */
  .st-key-digit_workbench :is(.lab-models, .lab-live) > div:only-child .lab-answer, .st-key-home_answer .lab-answer {{
    flex-wrap: nowrap; }}
  .st-key-answer .lab-figure {{ flex: none; white-space: nowrap; }} /* of one height in every window */
  .st-key-number_workbench {{ grid-template: "pad answer" auto "pad details" 1fr / minmax(0, 3fr) minmax(0, 2fr);
    column-gap: 2.5rem; }}
}}
.st-key-probe_workbench .lab-answer {{ flex-wrap: wrap; }}
@media (max-width: 1100px) {{
  .st-key-probe_workbench .st-key-answer:has(.lab-live) {{ min-height: 8rem; }}
  .st-key-probe_workbench .lab-figure {{ display: none; }}
}}
@media (min-width: 1101px) {{
  .st-key-probe_workbench {{ column-gap: 1.5rem; grid-template: "pad answer" auto "pad details" 1fr / 19rem 1fr; }}
}}
/* Train: the column of settings is as tall as the stage, and its button stays at the window's lower edge. */
[data-testid="stLayoutWrapper"]:has(> .st-key-train_panel) {{ flex-grow: 1; }}
.st-key-train {{ position: sticky; bottom: 0; z-index: 10; padding: .5rem 0 .75rem; backdrop-filter: blur(12px);
  background: {PAPER}; }}
@media (max-width: 900px) {{ /* one column; a run above the settings, so that it is seen when it starts */
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-train_panel) {{ flex-direction: column; }}
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-running) {{
    flex-direction: column-reverse; }}
  [data-testid="stColumn"]:has(:is(.st-key-train_panel, .st-key-running, .st-key-not_running)) {{ width: 100%;
    flex: none; }}
  .st-key-train {{ position: fixed; left: 1rem; right: 1rem; width: auto; }}
  .st-key-run_bar.st-key-run_bar {{ position: static; }}
}}
.st-key-run_bar {{ position: sticky; top: 3.75rem; z-index: 20; padding-bottom: .5rem; backdrop-filter: blur(12px);
  background: {PAPER}; }}
/* The recipe cards of Simple mode: the whole card can be clicked. */
.st-key-recipe [role="radiogroup"], .st-key-recipe .stRadio {{ width: 100%; gap: .4rem; }}
.st-key-recipe [role="radiogroup"] > div {{ position: relative; width: 100%; padding: .3rem .7rem .2rem;
  border: 1px solid rgba(128, 128, 128, .35); border-radius: .5rem; }}
.st-key-recipe [role="radiogroup"] > [data-selected] {{ border-color: {COLORS["training"]}; }}
.st-key-recipe label[data-testid="stRadioOption"]::after {{ content: ""; position: absolute; inset: 0; }}
.st-key-builder button p {{ white-space: normal; }}
.st-key-next_steps a {{ border: 1px solid rgba(128, 128, 128, .5); background: none; }}
.st-key-next_steps a p {{ font-weight: normal; }}
/* The live answer stands where the server's is, which is hidden meanwhile. Without one, its place takes no room. */
.stElementContainer:has(.lab-live:empty), [data-testid="stLayoutWrapper"]:has(> [class*="canvas_live"]) {{
  display: none; }}
:has(> .stElementContainer .lab-live[data-part="answer"]:not(:empty)) > :not(:has(.lab-live)),
:has(> .stElementContainer .lab-live[data-part="bars"]:not(:empty)) > :has(.lab-bars):not(:has(.lab-live)) {{
  display: none; }}
.lab-live, .lab-models {{ display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 1rem; }}
.st-key-number_workbench:has([data-part="answer"]:not(:empty)) .st-key-details {{ opacity: .4; }}
.st-key-number_canvas_paper {{ position: relative; }}
.stElementContainer:has([data-part="frames"]) {{ position: absolute; inset: 0; z-index: 20; pointer-events: none; }}
.lab-live[data-part="frames"] > div {{ position: absolute; inset: 0; }}
.lab-frame {{ position: absolute; outline: 2px solid; border-radius: 2px; color: rgb{FRAME}; }}
.lab-frame.rejected {{ color: rgb{REJECTED}; }}
.lab-frame::before {{ content: attr(data-name); position: absolute; bottom: calc(100% + 2px); font-weight: 700;
  line-height: 1.1; }}
@media (max-width: 640px) {{ :is(.lab-models, .lab-live)[data-part="bars"] {{ grid-auto-flow: row; }} }}
.lab-metrics {{ display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; font-variant-numeric: tabular-nums; }}
.lab-answer {{ display: flex; gap: 1.25rem; align-items: center; flex-wrap: wrap; margin-bottom: 1rem; }}
.lab-digit {{ font-size: 6.5rem; line-height: 1; font-weight: 700; min-width: 4.2rem; text-align: center; }}
.lab-digit.unsure {{ opacity: .6; }}
.lab-sure {{ font-size: 1.6rem; font-weight: 600; }}
.lab-note {{ opacity: .7; font-size: .9rem; }}
.lab-bars {{ display: grid; grid-template-columns: auto 1fr 4rem; gap: .2rem .6rem; align-items: center;
  font-variant-numeric: tabular-nums; font-size: .95rem; max-width: 30rem; }}
.lab-track {{ background: rgba(128, 128, 128, .18); border-radius: 4px; height: .95rem; overflow: hidden; }}
.lab-bar {{ display: block; background: {COLORS["muted"]}; height: 100%; border-radius: 4px; min-width: 1px; }}
.lab-bar.first {{ background: {COLORS["training"]}; }}
.lab-value, .lab-bars > :nth-child(3n + 1) {{ text-align: right; white-space: nowrap; }}
.lab-tiles {{ width: 100%; max-width: 560px; }}
.lab-boxes {{ max-width: 100%; border-radius: 6px; margin-bottom: 2rem; }}
.lab-strip + .lab-boxes, .lab-answer + .lab-note {{ margin-top: 1rem; }} /* of the second model */
.lab-probe-grid {{ width: 100%; max-width: 930px; border-radius: 6px; background: #000; }}
.lab-probe {{ margin: 0 0 .6rem; display: grid; grid-template-columns: 60px auto; gap: .3rem .6rem;
  align-items: center; }}
.lab-history {{ grid-column: 1 / 3; display: flex; gap: 4px; height: 120px; }}
.lab-names {{ display: grid; grid-template-rows: repeat(10, 12px); font-size: 10px; line-height: 12px; opacity: .75; }}
.lab-history img {{ image-rendering: pixelated; height: 120px; width: 180px; background: #000; border-radius: 4px; }}
.lab-layers {{ display: flex; gap: .6rem .9rem; flex-wrap: wrap; align-items: flex-end; }}
.lab-layers img {{ width: auto; max-width: 100%; height: auto; }}
.st-key-explained_label [role=radiogroup] {{ flex-wrap: wrap; gap: .2rem; overflow: visible; }}
.st-key-explained_label [role=radiogroup] button {{ padding-inline: .6rem; }} /* ten of them in a row */
[class*="_clickable_"] {{ position: relative; max-width: 100%; }} /* a picture and its button: both can be clicked */
[class*="_clickable_"] button::after {{ content: ""; position: absolute; inset: 0; }}
[class*="_clickable_"] .stElementContainer {{ position: static !important; }}
[class*="st-key-wall_choose_"] {{ margin-top: .3rem; }}
.lab-pipeline {{ display: flex; gap: .8rem; flex-wrap: wrap; align-items: center; }}
.lab-term {{ display: flex; gap: .5rem; align-items: center; margin-bottom: .5rem; }}
.lab-sign {{ font-size: 1.4rem; opacity: .7; }}
.lab-wrong .lab-bar.first {{ background: {COLORS["validation"]}; }}
.lab-wrong .lab-bars b {{ color: {COLORS["validation"]}; }}
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
