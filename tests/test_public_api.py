"""What can be imported is what the API page lists."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skdeepmix
from skdeepmix.utils.discovery import all_estimators

API_PAGE = Path(__file__).parents[1] / "doc" / "api.rst"


def public_modules():
    """Names of the package and of its modules without underscore."""
    found = pkgutil.walk_packages(skdeepmix.__path__, "skdeepmix.")
    names = [module.name for module in found]
    return ["skdeepmix"] + [name for name in names if "._" not in name]


def public_names(module):
    """Names in `__all__`; of a plain module without it, what it defines."""
    if hasattr(module, "__path__") or hasattr(module, "__all__"):
        return [n for n in getattr(module, "__all__", []) if n != "__version__"]
    own = {n for n, v in vars(module).items() if is_defined_in(v, module)}
    return sorted(n for n in own if n[0] != "_")


def is_defined_in(value, module):
    return getattr(value, "__module__", None) == module.__name__


def documented_names():
    """Full names on the API page: autosummary entries and single directives."""
    names, module = set(), None
    for line in API_PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. module:: (\S+)", line):
            module = match[1]
        elif match := re.match(r"(?:   |\.\. auto\w+:: )([A-Za-z]\w*)$", line):
            names.add(f"{module}.{match[1]}")
    return names


PACKAGES = [
    module
    for module in map(importlib.import_module, public_modules())
    if hasattr(module, "__path__")
]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_package_shows_its_public_names_and_no_other(package):
    shown = {
        n
        for n, value in vars(package).items()
        if n[0] != "_" and not inspect.ismodule(value)
    }
    names = public_names(package)
    assert shown == set(names)
    assert len(names) == len(shown)


def test_api_page_lists_every_public_name_and_no_other():
    public = {
        f"{name}.{n}"
        for name in public_modules()
        for n in public_names(importlib.import_module(name))
    }
    assert documented_names() == public


def test_estimators_of_a_kind():
    clusterers, every = (dict(all_estimators(kind)) for kind in ("cluster", None))
    assert set(every) - set(clusterers) == {"Autoencoder"}
    assert dict(all_estimators("transformer")) == every
    with pytest.raises(
        ValueError, match="in \\['cluster', 'transformer'\\] or None but"
    ):
        all_estimators("classifier")


def test_modules_are_imported_when_they_are_first_asked_for():
    names = [name.split(".")[1] for name in public_modules() if name.count(".") == 1]
    assert set(names) <= set(dir(skdeepmix))
    code = f"import skdeepmix; [getattr(skdeepmix, name) for name in {names}]"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="'skdeepmix' has no attribute 'other'"):
        _ = skdeepmix.other
