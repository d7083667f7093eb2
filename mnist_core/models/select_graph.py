"""One graph of a LiteRT file at a time.

LiteRT prepares all graphs of a file when it loads it: twice the time and the memory for one that is not asked for.
So who loads a model.tflite takes either the graph that answers, or the one that shows the layers. A few bytes of the
file's tables are changed for that (a FlatBuffer of schema.fbs, version 3), in memory.
"""

from __future__ import annotations

import struct

SIGNATURE = b"layers"
_SUBGRAPHS, _SIGNATURES = 2, 7  # slots of the table Model
_CODES, _DEPRECATED_CODE = 1, 0  # slots of the tables Model and OperatorCode
_OUTPUTS, _OPERATORS = 2, 3  # slots of the table SubGraph
_CODE, _INPUTS = 0, 1  # slots of the table Operator
_KEY, _SUBGRAPH_INDEX = 2, 4  # slots of the table SignatureDef
_FULLY_CONNECTED = 9  # as BuiltinOperator numbers it


def answering(content: bytes) -> bytes:
    """The file without the graph that shows the layers; as it is where it has none."""
    places = _last(content)
    if places is None:
        return content
    changed = bytearray(content)
    for vector in places[:2]:
        struct.pack_into("<I", changed, vector, _number(content, vector) - 1)
    return bytes(changed)


def showing(content: bytes) -> bytes | None:
    """The file with nothing but the graph that shows the layers; None where it has none."""
    places = _last(content)
    if places is None:
        return None
    changed = bytearray(content)
    for vector in places[:2]:
        last = vector + 4 * _number(content, vector)
        struct.pack_into("<II", changed, vector, 1, last + _number(content, last) - (vector + 4))
    struct.pack_into("<I", changed, places[2], 0)
    return bytes(changed)


def describing(content: bytes) -> bytes | None:
    """The file with the graph that answers, but what it gives is what the last dense layer gets; None where there is
    none. It takes no longer than an answer, where the graph that shows the layers keeps them all."""
    changed = bytearray(answering(content))
    try:
        model = _number(content, 0)
        codes, graphs = (_follow(content, _field(content, model, slot)) for slot in (_CODES, _SUBGRAPHS))
        graph = _follow(content, graphs + 4)
        operators = _follow(content, _field(content, graph, _OPERATORS))
        dense = [each for each in _tables(content, operators) if _builtin(content, codes, each) == _FULLY_CONNECTED]
        tensor = _follow(content, _field(content, dense[-1], _INPUTS)) + 4
        output = _follow(content, _field(content, graph, _OUTPUTS)) + 4
        struct.pack_into("<I", changed, output, _number(content, tensor))
    except (struct.error, LookupError):
        return None
    return bytes(changed)


def _tables(content: bytes, vector: int) -> list[int]:
    """Where the tables of a list lie."""
    return [_follow(content, vector + 4 * place) for place in range(1, _number(content, vector) + 1)]


def _builtin(content: bytes, codes: int, operator: int) -> int:
    """The number of the operation, those under 127. The first of the file's operations goes without saying."""
    try:
        index = _number(content, _field(content, operator, _CODE))
    except LookupError:
        index = 0
    return content[_field(content, _tables(content, codes)[index], _DEPRECATED_CODE)]


def _last(content: bytes) -> tuple[int, int, int] | None:
    """Where the lists of graphs and of signatures and the number of the last signature's graph lie, where that one is
    ours and the last of both. None for other files, and for broken ones, which LiteRT refuses itself."""
    try:
        model = _number(content, 0)
        graphs, signatures = (_follow(content, _field(content, model, slot)) for slot in (_SUBGRAPHS, _SIGNATURES))
        signature = _follow(content, signatures + 4 * _number(content, signatures))
        key = _follow(content, _field(content, signature, _KEY))
        index = _field(content, signature, _SUBGRAPH_INDEX)
        named = content[key + 4 : key + 4 + _number(content, key)] == SIGNATURE
        ours = named and _number(content, index) == _number(content, graphs) - 1 >= 1
        return (graphs, signatures, index) if ours and _number(content, signatures) >= 2 else None
    except (struct.error, LookupError):
        return None


def _number(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0])


def _follow(content: bytes, place: int) -> int:
    """Where an offset leads."""
    return place + _number(content, place)


def _field(content: bytes, table: int, slot: int) -> int:
    """Where a field of a table lies. Raises LookupError where it has none."""
    directory = table - int(struct.unpack_from("<i", content, table)[0])
    size = int(struct.unpack_from("<H", content, directory)[0])
    offset = int(struct.unpack_from("<H", content, directory + 4 + 2 * slot)[0]) if 4 + 2 * slot < size else 0
    if directory < 0 or not offset:
        raise LookupError(f"no field {slot}")
    return table + offset
