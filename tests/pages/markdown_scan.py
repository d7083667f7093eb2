"""Finds text that reaches a Streamlit call which renders Markdown, or HTML, without being escaped.

Reads the source of pages/ only. A text is safe if it is made of literals, of constants, of numbers with a format, of
what an escaping function returned, or of safe local variables, parameters and functions of pages/: a parameter is
safe if every call in pages/ passes a safe argument, a function if every value that it returns is safe.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

LABEL, BODY = ("label",), ("body",)
TEXTS = {
    **dict.fromkeys(("markdown", "write", "caption", "title", "header", "subheader"), BODY),
    **dict.fromkeys(("error", "warning", "info", "success", "toast", "html"), BODY),
    **dict.fromkeys(("button", "checkbox", "toggle", "selectbox", "multiselect", "slider", "number_input"), LABEL),
    **dict.fromkeys(("text_input", "text_area", "file_uploader", "expander", "popover", "download_button"), LABEL),
    **dict.fromkeys(("form_submit_button", "link_button", "status"), LABEL),
    **dict.fromkeys(("radio", "segmented_control", "pills", "select_slider"), ("label", "options")),
    "metric": ("label", "value", "delta"),
    "page_link": ("", "label"),
    "progress": ("", "text"),
    "spinner": ("text",),
    "tabs": ("tabs",),
    "table": ("data",),
}
"""Method of Streamlit -> its leading parameters that render Markdown, as 1.67 does; in `html` HTML. Options of
selectboxes, placeholders, cells of st.dataframe, st.text, st.code and charts are plain text."""
ALWAYS = ("help", "captions")
"""Parameters that render Markdown in every method that has them."""
NO_STREAMLIT = {"log", "re", "html"}
"""Receivers whose methods have the same names."""
ESCAPING = {
    "markdown": {"escape_markdown", "escape_table"},
    "html": {"escape", "data_url", "png_url", "fast_data_url", "b64encode"},
}
"""Language -> functions that make any text safe in it."""
NUMBERS = {"len", "int", "round", "sum", "float", "min", "max", "abs", "count", "bool", "range"}
WORDS = {
    "format_percent",
    "format_duration",
    "format_count",
    "format_shape",
    "output_name",
    "prediction_label",
    "plural",
}
"""Functions whose result is made of numbers and words of ours, whatever they are given."""
UNCHANGED = {
    "str",
    "list",
    "tuple",
    "dict",
    "sorted",
    "reversed",
    "map",
    "filter",
    "zip",
    "enumerate",
    "next",
    "join",
    "PictureHtml",
}
MENUS = {"radio", "segmented_control", "select_slider", "selectbox"}
"""Functions that return no other text than they are given."""
IDENTIFIERS = {"__name__", "shape"}
"""Attributes that are names of our classes, or numbers."""


class Scan:
    """All modules of a folder, and which of their texts are safe.

    Args:
        files: the sources.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
        self.functions: dict[str, list[ast.FunctionDef]] = defaultdict(list)
        self.calls: dict[str, list[ast.Call]] = defaultdict(list)
        self.scopes: dict[ast.AST, list[ast.AST]] = {}
        self.language = "markdown"
        for tree in self.trees.values():
            self._index(tree, [tree])

    def _index(self, node: ast.AST, scopes: list[ast.AST]) -> None:
        self.scopes[node] = scopes
        if isinstance(node, ast.FunctionDef):
            self.functions[node.name].append(node)
        if isinstance(node, ast.Call):
            self.calls[called_name(node)].append(node)
        inner = [node, *scopes] if isinstance(node, ast.FunctionDef | ast.Lambda) else scopes
        for child in ast.iter_child_nodes(node):
            self._index(child, inner)

    def unsafe_texts(self) -> Iterator[tuple[Path, ast.AST]]:
        """Each text that is not known to be safe."""
        for file, tree in self.trees.items():
            for call in ast.walk(tree):
                if isinstance(call, ast.Call):
                    for text in rendered_texts(call):
                        self.language = "html" if called_name(call) == "html" else "markdown"
                        if not self._is_safe(text, frozenset()):
                            yield file, text

    def _is_safe(self, text: ast.AST, seen: frozenset[int]) -> bool:
        """`seen`: the nodes under examination. A recursion adds nothing, so what is among them is safe."""
        if id(text) in seen:
            return True
        seen |= {id(text)}
        match text:
            case ast.Constant() | ast.Compare():
                return True
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                return True
            case ast.JoinedStr(values=parts):
                return all(self._is_safe(part, seen) for part in parts)
            case ast.FormattedValue(value=value, format_spec=spec):
                return is_number_format(spec) or self._is_safe(value, seen)
            case ast.IfExp(body=body, orelse=other):
                return self._is_safe(body, seen) and self._is_safe(other, seen)
            case ast.BoolOp(op=ast.And(), values=[*_, last]):
                return self._is_safe(last, seen)  # what comes before is shown only if it is empty
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values) | ast.Set(elts=values):
                return all(self._is_safe(value, seen) for value in values)
            case ast.Dict(values=values):
                return all(self._is_safe(value, seen) for value in values)
            case ast.BinOp(left=left, op=ast.Add() | ast.BitOr(), right=right):
                return self._is_safe(left, seen) and self._is_safe(right, seen)
            case ast.BinOp():
                return True  # arithmetic
            case ast.Starred(value=value) | ast.Subscript(value=value) | ast.NamedExpr(value=value):
                return self._is_safe(value, seen)
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.SetComp(elt=element):
                return self._is_safe(element, seen)
            case ast.DictComp(value=value):
                return self._is_safe(value, seen)
            case ast.Lambda(body=body):
                return self._is_safe(body, seen)
            case ast.Attribute(value=value, attr=name):
                return name.isupper() or name in IDENTIFIERS or self._is_safe(value, seen)
            case ast.Name():
                return self._is_safe_name(text, seen)
            case ast.Call():
                return self._is_safe_call(text, seen)
        return False

    def _is_safe_name(self, name: ast.Name, seen: frozenset[int]) -> bool:
        if name.id.isupper() or name.id in NUMBERS:
            return True
        for scope in self.scopes[name]:
            if parameters := [each.arg for each in all_parameters(scope) if each.arg == name.id]:
                return isinstance(scope, ast.FunctionDef) and self._is_safe_parameter(scope, parameters[0], seen)
            if values := list(bound_values(scope, name.id, name)):
                return all(self._is_safe(value, seen) for value in values)
        return self._result_is_safe(name.id, name, seen)

    def _result_is_safe(self, function: str, use: ast.AST, seen: frozenset[int]) -> bool:
        """Whether a function of pages/ returns safe text only. A function of the same module comes first."""
        everywhere = self.functions.get(function, [])
        here = [each for each in everywhere if self.scopes[each][-1] is self.scopes[use][-1]]
        return bool(everywhere) and all(self._returns_safe(each, seen) for each in here or everywhere)

    def _is_safe_parameter(self, function: ast.FunctionDef, name: str, seen: frozenset[int]) -> bool:
        names = [each.arg for each in all_parameters(function)]
        defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
        calls = self.calls[function.name]
        for call in calls:
            given = next((each.value for each in call.keywords if each.arg == name), None)
            position = names.index(name)
            if given is None and position < len(call.args):
                given = call.args[position]
            given = given or defaults.get(name)
            if given is not None and not self._is_safe(given, seen):
                return False
        return bool(calls) or name in defaults

    def _is_safe_call(self, call: ast.Call, seen: frozenset[int]) -> bool:
        name = called_name(call)
        if name in ESCAPING[self.language] | NUMBERS | WORDS:
            return True
        arguments = [*call.args, *(each.value for each in call.keywords)]
        if name in MENUS:
            arguments = call.args[1:2]
        if name in UNCHANGED | MENUS and arguments:
            return all(self._is_safe(each, seen) for each in arguments)
        if isinstance(call.func, ast.Attribute) and self._is_safe(call.func.value, seen):
            return all(self._is_safe(each, seen) for each in (arguments[1:] if name == "get" else arguments))
        return self._result_is_safe(name, call, seen)

    def _returns_safe(self, function: ast.FunctionDef, seen: frozenset[int]) -> bool:
        if id(function) in seen:
            return True
        seen |= {id(function)}
        returned = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Return) and each.value is not None and self.scopes[each][0] is function
        ]
        return all(self._is_safe(value, seen) for value in returned)


def rendered_texts(call: ast.Call) -> Iterator[ast.AST]:
    """What a call of Streamlit renders as Markdown or HTML."""
    name = called_name(call)
    if not isinstance(call.func, ast.Attribute) or name not in TEXTS or ast.unparse(call.func.value) in NO_STREAMLIT:
        return
    given = dict(zip(TEXTS[name], call.args, strict=False)) | {each.arg: each.value for each in call.keywords}
    for parameter in (*TEXTS[name], *ALWAYS):
        if parameter == "options" and "format_func" in given:
            yield given["format_func"]
        elif parameter and parameter in given:
            yield given[parameter]


def called_name(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_number_format(spec: ast.AST | None) -> bool:
    """Whether a format can only be applied to a number: with a string it raises ValueError."""
    return spec is not None and ast.unparse(spec).rstrip("'\"")[-1:] in {"d", "f", "g", "e", "%", ","}


def all_parameters(scope: ast.AST) -> list[ast.arg]:
    """The parameters of a function in order."""
    if not isinstance(scope, ast.FunctionDef | ast.Lambda):
        return []
    return [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]


def bound_values(scope: ast.AST, name: str, use: ast.AST) -> Iterator[ast.AST]:
    """What a name may be bound to within a scope, without the functions in it: assignments, loops, comprehensions."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from matched(target, value, name)
            case ast.AnnAssign(target=target, value=ast.AST() as value) | ast.AugAssign(target=target, value=value):
                yield from matched(target, value, name)
            case ast.NamedExpr(target=target, value=value):
                yield from matched(target, value, name)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield from matched(target, value, name)
            case ast.withitem(context_expr=value, optional_vars=ast.Name(id=bound)) if bound == name:
                yield value


def matched(target: ast.AST, value: ast.AST, name: str) -> Iterator[ast.AST]:
    """The part of a value that an assignment binds to a name; all of it if it cannot be told apart."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        parts = value.elts if isinstance(value, ast.Tuple) else []
        if isinstance(value, ast.Call) and called_name(value) == "zip":
            parts = value.args
        if isinstance(value, ast.Call) and called_name(value) == "enumerate":
            parts = [ast.Constant(0), value.args[0]]
        if len(parts) == len(target.elts):
            for each, part in zip(target.elts, parts, strict=True):
                yield from matched(each, part, name)
        elif any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(target)):
            yield value
