"""Two LiteRT files become one: the graph of the second is added to the first as a signature of its own, and where it
holds weights that the first has, they are stored once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST = 256  # bytes: what is smaller is not worth a search
SAME = 2e-6  # relative: as far as weights differ that were multiplied in another order


def joined(first: bytes, second: bytes, signature: str, aliases: Mapping[str, str]) -> bytes:
    """The first file with the graph of the second.

    Args:
        first: a LiteRT model of one graph, which stays as it is.
        second: another, of one graph and one signature.
        signature: what that one is called in the file.
        aliases: further names of its outputs -> the output, or the input.

    Returns:
        A LiteRT model of two graphs.
    """
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model, added = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)) for content in (first, second))
    graph, names = added.subgraphs[0], added.signatureDefs[0]
    _move_buffers(model, added, schema.TensorType.FLOAT32)
    for operator in graph.operators:
        operator.opcodeIndex += len(model.operatorCodes)
    model.operatorCodes += added.operatorCodes
    graph.name = names.signatureKey = signature.encode()
    names.subgraphIndex = len(model.subgraphs)
    named = {output.name: output.tensorIndex for output in (*names.inputs, *names.outputs)}
    names.outputs += [_output(schema, alias, named[name.encode()]) for alias, name in aliases.items()]
    model.subgraphs.append(graph)
    model.signatureDefs.append(names)
    builder = flatbuffers.Builder(len(first) + len(second))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _output(schema: Any, name: str, tensor: int) -> Any:
    output = schema.TensorMapT()
    output.name, output.tensorIndex = name.encode(), tensor
    return output


def _move_buffers(model: Any, added: Any, float32: int) -> None:
    """Gives the tensors of the added graph their places among the model's buffers, the first of which is empty."""
    known: dict[int, list[int]] = {}
    for place in range(1, len(model.buffers)):
        known.setdefault(len(_content(model, place)), []).append(place)
    for tensor in added.subgraphs[0].tensors:
        content = _content(added, tensor.buffer)
        if not len(content):
            tensor.buffer = 0
            continue
        alike = known.setdefault(len(content), [])
        places = [place for place in alike if _same(content, _content(model, place), tensor.type == float32)]
        if not places:
            model.buffers.append(added.buffers[tensor.buffer])
            places = [len(model.buffers) - 1]
            alike.append(places[0])
        tensor.buffer = places[0]


def _content(model: Any, place: int) -> NDArray[np.uint8]:
    data = model.buffers[place].data
    return np.empty(0, np.uint8) if data is None else np.asarray(data, np.uint8)


def _same(one: NDArray[np.uint8], other: NDArray[np.uint8], numbers: bool) -> bool:
    if not numbers or len(one) < SMALLEST:
        return bool((one == other).all())
    values, others = one.view(np.float32), other.view(np.float32)
    return bool(np.allclose(values, others, rtol=SAME, atol=SAME * float(np.abs(others).max())))
