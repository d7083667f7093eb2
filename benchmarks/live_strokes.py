"""Twenty drawings for a canvas of 280×280 pixels, most of which look like another digit on the way."""

from __future__ import annotations

from math import cos, radians, sin

Stroke = list[tuple[float, float]]
"""Points x, y in pixels of the canvas, y down."""


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Points on an ellipse about (x, y), angles in degrees clockwise from the right."""
    count = max(6, round(abs(end - start) / 12))
    angles = [radians(start + (end - start) * step / count) for step in range(count + 1)]
    return [(x + rx * cos(angle), y + ry * sin(angle)) for angle in angles]


ONE = [(168.0, 56.0), (165.0, 140.0), (160.0, 236.0)]
SLANTED_ONE = [(196.0, 62.0), (166.0, 130.0), (126.0, 234.0)]
THREE = [*arc(130, 96, 54, 44, 215, 440), *arc(130, 184, 62, 46, 280, 510)]
FIVE = [(186.0, 58.0), (112.0, 58.0), (104.0, 132.0), *arc(132, 176, 60, 52, 235, 510)]
SEVEN = [(80.0, 64.0), (202.0, 62.0), (166.0, 130.0), (126.0, 232.0)]
NINE = [*arc(136, 102, 48, 46, -20, -380), (186.0, 110.0), (178.0, 170.0), (160.0, 234.0)]

STROKES: dict[str, list[Stroke]] = {
    "a 7 that becomes a 2": [[(84, 72), (196, 68), (178, 116), (130, 170), (84, 224), (150, 218), (212, 222)]],
    "a 1 that becomes a 4": [ONE, [(150, 58), (86, 164), (214, 162)]],
    "a 1 that becomes a 7": [SLANTED_ONE, [(80, 64), (196, 62)]],
    "a 0 that becomes a 9": [NINE],
    "a 0 that becomes an 8": [[*arc(140, 96, 46, 44, 90, -270), *arc(140, 188, 54, 48, -90, 270)]],
    "a 3 that becomes an 8": [THREE, [(82, 76), (84, 110), (124, 138)], [(112, 142), (72, 180), (78, 212)]],
    "a 5 whose bowl is closed": [FIVE, [(104, 132), (82, 176), (80, 206)]],
    "a 5 that becomes a 9": [FIVE[2:], [(104, 132), (104, 92), (134, 60), (178, 76), (184, 130), (190, 180)]],
    "a 7 that becomes a 9": [SEVEN, [(80, 64), (92, 124), (166, 130)]],
    "a 4 that becomes a 9": [[(104, 62), (98, 132), (182, 132)], [(184, 60), (176, 236)], [(104, 62), (184, 60)]],
    "a 1 that becomes a 6": [[(172, 48), (120, 100), (92, 170), *arc(140, 184, 50, 44, 190, 560)]],
    "a 2 that becomes a 3": [[*arc(128, 98, 54, 44, 190, 400), (128, 142), *arc(130, 186, 60, 46, 280, 510)]],
    "a 6 that becomes an 8": [
        [(168, 52), (122, 104), (94, 168), *arc(140, 184, 50, 44, 190, 560)],
        [(168, 52), (190, 82), (176, 120), (150, 142)],
    ],
    "a 0": [arc(140, 140, 58, 88, -90, 275)],
    "a 1": [[(142, 50), (140, 140), (138, 230)]],
    "a 2": [[*arc(138, 102, 52, 50, 190, 385), (150, 170), (88, 226), (120, 226), (205, 224)]],
    "a 3": [THREE],
    "a 5": [FIVE],
    "a 7": [SEVEN],
    "a scribble": [
        [(40, 60), (230, 90), (60, 120), (220, 150), (50, 180), (230, 210), (150, 40), (100, 240), (200, 60), (60, 220)]
    ],
}
"""What each is meant to be, and its strokes in the order of writing."""
