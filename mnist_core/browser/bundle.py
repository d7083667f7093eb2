"""Joins JavaScript modules into one classic script, for a page that has no files of its own to import.

    bundle("answer_view.js")   # "const digitLab = (function bundled() {...})();"

The script defines `digitLab`, an object with all exports of the entry module. Inside it, `BUNDLE` is the text of the
script, from which `reader.js` starts a Web Worker. Loading a module therefore does nothing, except in a worker.

Modules import by name, `import { one, two } from "./module.js";`, and export declarations; nothing else is supported.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent
"""Of the modules."""

_IMPORT = re.compile(r'^import \{([\w\s,$]*)\} from "\./([\w.-]+\.js)";\n', re.MULTILINE)
_DECLARATION = re.compile(
    r"^(export )?(?:async )?(?:function\*?|class|const|let) ([\w$]+|[\[{][^=]*?[\]}](?= =))", re.MULTILINE
)
# It must not begin with `.*`: that would search each line from each of its characters.
_MODULE_SYNTAX = re.compile(r"^(?:import|export)\b.*|\bimport[.(].*", re.MULTILINE)


class BundleError(Exception):
    """A module cannot be joined with the others."""


def bundle(entry: str, folder: Path = FOLDER) -> str:
    """Joins a module and everything that it imports.

    Args:
        entry: name of the module, such as `page.js`.
        folder: of the modules.

    Raises:
        BundleError: an import or export has an unsupported form, an imported module or name does not exist, or two
            modules declare the same name.
    """
    modules: dict[str, str] = {}
    exports = _add(entry, folder, modules)
    names = Counter(name for text in modules.values() for name in _declared(text))
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise BundleError(f"Two modules of {entry} declare {', '.join(twice)}. Rename one.")
    code = "\n".join(text.replace("\nexport ", "\n").removeprefix("export ") for text in modules.values())
    return (
        "const digitLab = (function bundled() {\n"
        '"use strict";\n'
        "const BUNDLE = `const digitLab = (${bundled})();`;\n"
        f"{code}\nreturn {{ {', '.join(exports)} }};\n}})();\n"
    )


def _add(name: str, folder: Path, modules: dict[str, str]) -> list[str]:
    """Adds a module after those that it imports. Returns the names that it exports."""
    path = folder / name
    if not path.is_file():
        raise BundleError(f"There is no module {name} in {folder.name}/.")
    text = path.read_text(encoding="utf-8")
    exports = _declared(text, exported=True)
    if name in modules:
        return exports
    modules[name] = ""  # where two modules import each other
    for names, imported in _IMPORT.findall(text):
        wanted = {each.strip() for each in names.split(",") if each.strip()}
        if missing := wanted - set(_add(imported, folder, modules)):
            raise BundleError(f"{name} imports {', '.join(sorted(missing))}, which {imported} does not export.")
    del modules[name]
    modules[name] = _IMPORT.sub("", text)
    rest = _DECLARATION.sub(lambda found: found.group().removeprefix("export "), modules[name])
    if unknown := _MODULE_SYNTAX.search(rest):
        raise BundleError(
            f"{name}: {unknown.group()} cannot be bundled. Import and export by name, at the start of a line."
        )
    return exports


def _declared(text: str, exported: bool = False) -> list[str]:
    """The names that a module declares at its top level; with `exported`, only those that it exports."""
    found = _DECLARATION.findall(text)
    return [name for export, names in found if export or not exported for name in re.findall(r"[\w$]+", names)]
