"""Home: what Digit Lab is, and where to begin."""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import navigation

navigation.ensure_app_ran()
st.title("Digit Lab")
st.write("Train neural networks to read handwritten digits, look inside them, and test them with your own.")
