"""The names that `import mnist_core` promises."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import mnist_core
from tests.support import ROOT


def test_every_documented_name_exists_and_every_public_name_is_documented() -> None:
    documentation = mnist_core.__doc__ or ""
    documented = re.findall(r"^    (\w+)  +\S", documentation, re.MULTILINE)
    assert sorted(documented) == sorted(mnist_core.__all__)
    for name in documented:
        value = getattr(mnist_core, name)
        assert value.__doc__ and name in dir(mnist_core)
        assert value is getattr(mnist_core, name), "loaded once"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        mnist_core.no_such_name  # noqa: B018


def test_importing_the_package_loads_none_of_its_modules() -> None:
    code = "import sys, mnist_core; print([name for name in sys.modules if name.startswith('mnist_core.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
