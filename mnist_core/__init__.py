"""Digit Lab's library: data, networks, training, drawings and their classification. It never imports Streamlit."""

from __future__ import annotations

__version__ = "0.1.0"
