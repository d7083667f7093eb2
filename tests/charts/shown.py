"""Which data each layer of a chart gets in the browser, by the rules of Streamlit's frontend, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow
import pytest
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Layer:
    """One layer of marks: `line`, `circle` and so on, what it encodes, and the rows it draws before its filters.

    `style` is the definition of the mark, with its width and opacity.
    """

    mark: str
    encoding: Mapping[str, Any]
    rows: Rows
    style: Mapping[str, Any] = field(default_factory=dict)
    filters: tuple[str, ...] = ()

    def values(self, channel: str) -> list[Any]:
        """The values of a channel, `x` for example, in the rows that have one."""
        name = self.encoding[channel]["field"]
        return [row[name] for row in self.rows if row.get(name) is not None]

    @property
    def drawn(self) -> Rows:
        """The rows that pass the filters, which compare a field with a text."""
        return [row for row in self.rows if all(_passes(each, row) for each in self.filters)]


def _passes(condition: str, row: Mapping[str, Any]) -> bool:
    parts = re.fullmatch(r"\(datum\.(\w+) ([!=])== '(.*)'\)", condition)
    assert parts is not None, condition
    return (row.get(parts[1]) == parts[3]) == (parts[2] == "=")


def layers_shown(chart: Any) -> list[Layer]:
    """The layers of an Altair chart, of a rendered chart, or of the protobuf message of an AppTest's element."""
    proto = chart if hasattr(chart, "spec") and hasattr(chart, "datasets") else _message(chart)
    spec = json.loads(proto.spec)
    named = {each.name: _rows(each.data.data) for each in proto.datasets}
    unnamed = _rows(proto.data.data) if proto.data.data else None
    if unnamed is not None and len(named) == 1:  # Streamlit takes the only named dataset for the chart's own data
        named = {name: rows + unnamed for name, rows in named.items()}
        unnamed = None
    return list(_resolve(spec, unnamed if not named else [], named, {}))


def _resolve(
    spec: Mapping[str, Any], inherited: Rows | None, named: Mapping[str, Rows], encoding: Any
) -> Iterator[Layer]:
    rows = inherited or []
    if spec.get("data"):
        rows = named[spec["data"]["name"]] if "name" in spec["data"] else spec["data"]["values"]
    encoding = {**encoding, **spec.get("encoding", {})}
    if "mark" in spec:
        mark = spec["mark"]
        style = {"type": mark} if isinstance(mark, str) else mark
        filters = tuple(each["filter"] for each in spec.get("transform", ()) if "filter" in each)
        yield Layer(style["type"], encoding, rows, style, filters)
    for child in spec.get("layer", ()):
        yield from _resolve(child, rows, named, encoding)


def _rows(arrow: bytes) -> Rows:
    rows: Rows = pyarrow.ipc.open_stream(arrow).read_all().to_pylist()
    return rows


def _message(chart: Any) -> Any:
    """What Streamlit sends to the browser for a chart."""
    sent: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeltaGenerator, "_enqueue", lambda _, kind, proto, *args, **options: sent.append(proto))
        (st.vega_lite_chart if isinstance(chart, dict) else st.altair_chart)(chart)
    return sent[0]
