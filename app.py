"""Digit Lab: page config, navigation, run. Nothing else."""

import streamlit as st

from pages.ui.draw import tour
from pages.ui.shared import components, navigation, state, theme, visitor

st.set_page_config(page_title="Digit Lab", page_icon=":material/draw:", layout="wide")
page = st.navigation(navigation.pages(), position="top")
state.begin(page.url_path)
st.html(theme.STYLE)
visitor.remember()
components.guarded(lambda: tour.bar(page.url_path))
components.guarded(page.run)
