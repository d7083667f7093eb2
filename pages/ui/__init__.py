"""What pages share. The only place besides pages that imports streamlit."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    # A server's first visitor, opening the link of a page, would get the bare script in pages/ and never see app.py:
    # Streamlit learns that we call st.navigation only by running it. This is imported once, by whichever comes first.
    PagesManager.uses_pages_directory = False
    st.rerun()
