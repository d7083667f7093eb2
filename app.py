"""Digit Lab: page config, navigation, run. Nothing else."""

import streamlit as st

from pages.ui.draw import tour
from pages.ui.shared import guard, navigation, state, theme, visitor

st.set_page_config(page_title="Digit Lab", page_icon=":material/draw:", layout="wide")
page = st.navigation(navigation.menu_pages(), position="top")
state.restore_widgets(page.url_path)
st.html(theme.STYLE)
visitor.remember_visitor()
guard.render(lambda: tour.show_tour(page.url_path))
guard.render(page.run)
