"""Small images on a page, with square pixels."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url


@dataclass(frozen=True)
class PictureHtml:
    """HTML with pictures in it, for `st.html`, which takes a millisecond to remove the indentation of a plain text."""

    body: str

    def _repr_html_(self) -> str:
        return self.body


def image_html(image: NDArray[np.uint8], alt: str, pixels: int) -> str:
    """An `<img>` of an (H, W) uint8 image, `pixels` wide."""
    return _image_html(data_url(image), alt, pixels)


def captioned_html(image: NDArray[np.uint8], name: str, text: str, pixels: int = 112) -> str:
    """A `<figure>` of an (H, W) uint8 image with its name and a text below it."""
    return _figure_html(data_url(image), name, text, pixels)


def _image_html(url: str, alt: str, pixels: int) -> str:
    return f'<img class="lab-picture" width="{pixels}" height="{pixels}" alt="{html.escape(alt)}" src="{url}">'


def _figure_html(url: str, name: str, text: str, pixels: int) -> str:
    caption = f"<figcaption><b>{html.escape(name)}</b><br>{html.escape(text)}</figcaption>"
    return f'<figure class="lab-figure" style="width:{pixels}px">{_image_html(url, name, pixels)}{caption}</figure>'


def show_strip(images: Sequence[tuple[NDArray[np.uint8], str, str]], pixels: int = 112) -> None:
    """Images in a row, each given as (image, name, text)."""
    st.html(PictureHtml(strip_html(images, pixels)))


def strip_html(images: Sequence[tuple[NDArray[np.uint8], str, str]], pixels: int = 112) -> str:
    """HTML of images in a row, each given as (image, name, text)."""
    encoded = {id(image): image for image, _, _ in images}  # an image may be there twice
    urls = {key: data_url(image) for key, image in encoded.items()}
    figures_html = "".join(_figure_html(urls[id(image)], name, text, pixels) for image, name, text in images)
    return f'<div class="lab-strip">{figures_html}</div>'


def show_tiles(images: NDArray[np.uint8], columns: int) -> None:
    """Images tiled into one. `images`: (N, H, W) uint8, N a multiple of `columns`."""
    count, height, width = images.shape
    rows = images.reshape(count // columns, columns, height, width).transpose(0, 2, 1, 3)  # rows, H, columns, W
    sheet = rows.reshape(-1, columns * width)
    st.html(PictureHtml(f'<img class="lab-picture lab-tiles" alt="{count} digits" src="{data_url(sheet)}">'))
