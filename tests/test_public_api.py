"""What can be imported is what the API page lists."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import skdeepmix

API_PAGE = Path(__file__).parents[1] / "doc" / "api.rst"


def public_modules():
    """Names of the package and of its modules without underscore."""
    found = pkgutil.walk_packages(skdeepmix.__path__, "skdeepmix.")
    names = [module.name for module in found]
    return ["skdeepmix"] + [name for name in names if "._" not in name]


def documented_names():
    """Full names on the API page: autosummary entries and single directives."""
    names, module = set(), None
    for line in API_PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.match(r"(?:   |\.\. auto\w+:: )([A-Za-z]\w*)$", line):
            names.add(f"{module}.{match[1]}")
    return names


@pytest.mark.parametrize("name", public_modules())
def test_all_is_sorted_importable_and_free_of_private_names(name):
    module = importlib.import_module(name)
    assert module.__all__ == sorted(set(module.__all__))
    assert [n for n in module.__all__ if not hasattr(module, n)] == []
    assert [n for n in module.__all__ if n[0] == "_"] in ([], ["__version__"])


@pytest.mark.parametrize("name", public_modules())
def test_module_shows_nothing_beyond_all(name):
    module = importlib.import_module(name)
    shown = {
        n: value
        for n, value in vars(module).items()
        if n[0] != "_" and not inspect.ismodule(value)
    }
    if not hasattr(module, "__path__"):  # what it imports for itself is no API
        shown = [n for n, v in shown.items() if getattr(v, "__module__", "") == name]
    assert set(shown) <= set(module.__all__)


def test_api_page_lists_every_public_name_and_no_other():
    public = {
        f"{name}.{n}"
        for name in public_modules()
        for n in importlib.import_module(name).__all__
        if n != "__version__"
    }
    assert documented_names() == public
