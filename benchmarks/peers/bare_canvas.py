"""The least that Streamlit does for a stroke: a canvas in a fragment, and one piece of HTML as the answer.

Peer of benchmarks/load.py: the same canvas, the same drawings, no model.
"""

import streamlit as st
from streamlit_drawable_canvas import st_canvas


@st.fragment
def workbench() -> None:
    """Canvas and answer."""
    result = st_canvas(width=280, height=280, stroke_width=20, return_image_data=True, key="canvas")
    if result.json_data:
        st.html(f'<div data-digit="?">{len(result.json_data["objects"])} strokes</div>')


workbench()
