"""Digit Lab: page config, navigation, bar, page. Nothing else."""

import streamlit as st

from pages.ui.shared import (
    app_bar,
    caches,
    feedback,
    guard,
    mode,
    navigation,
    sign_in,
    state,
    theme,
    upload_limits,
    visitor,
)
from pages.ui.tour import guide, presenter

# The icon first: without one, the browser would fetch that of the menu's entry from a third party.
st.set_page_config(page_icon=str(theme.LOGO), layout="wide")
page = st.navigation(navigation.menu_pages(), position="top")
st.set_page_config(page_title=navigation.tab_title(page.url_path))
st.logo(str(theme.LOGO), size="large")
navigation.open_draw_for_old_link(page.url_path)
state.restore_widgets(page.url_path)
st.html(theme.STYLE)
sign_in.require_sign_in()
visitor.remember_visitor()
upload_limits.limit_uploads()
navigation.start_at_top(page.url_path)
mode.remember_mode()
caches.start_backend()
presenter.follow_address()
if presenter.is_presenting():
    presenter.show_presenter_style()
else:
    guard.render(lambda: app_bar.show_app_bar(page.url_path))
    guard.render(lambda: navigation.show_tabs(page.url_path))
guard.render(lambda: guide.show_tour(page.url_path))
guard.render(page.run)
feedback.show_confirmations()
