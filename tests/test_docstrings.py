"""Docstrings follow numpydoc, and what they and the README show runs."""

import builtins
import doctest
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import pytest
import sklearn.datasets
from numpydoc.docscrape import get_doc_object
from numpydoc.hooks.validate_docstrings import parse_config
from numpydoc.validate import get_validation_checks, validate
from sklearn import exceptions

import skdeepmix
from tests.test_public_api import public_modules

ROOT = Path(__file__).parents[1]
CHECKS = get_validation_checks(parse_config(ROOT)["checks"])


def public_objects():
    """Public classes and functions by full name."""
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module_name}.{name}", value


def public_members(cls):
    """Public methods and properties of a class that this package defines."""
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else member
        ours = getattr(function, "__module__", None) or ""
        if name[0] != "_" and callable(function) and ours.startswith("skdeepmix"):
            yield name


OBJECTS = dict(public_objects())
MEMBERS = [
    f"{name}.{member}"
    for name, value in OBJECTS.items()
    if inspect.isclass(value)
    for member in public_members(value)
]
ESTIMATORS = [v for v in OBJECTS.values() if hasattr(v, "fit") and hasattr(v, "sample")]


@pytest.mark.parametrize("name", [*OBJECTS, *MEMBERS])
def test_numpydoc(name):
    found = validate(name)["errors"]
    assert [error for error in found if error[0] in CHECKS] == []


@pytest.mark.parametrize("name", [*OBJECTS, *MEMBERS])
def test_raises_section_names_exceptions_and_says_when(name):
    doc = get_doc_object(pydoc_locate(name))
    for raised in doc["Raises"] + doc["Warns"]:
        cls = getattr(builtins, raised.type, getattr(exceptions, raised.type, None))
        assert inspect.isclass(cls) and issubclass(cls, Exception), raised
        assert " ".join(raised.desc).endswith("."), raised


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_run(name):
    tests = doctest.DocTestFinder(recurse=False).find(OBJECTS[name], name)
    assert any(test.examples for test in tests), "There is no Examples section."
    for test in tests:
        assert doctest.DocTestRunner().run(test).failed == 0


def pydoc_locate(name):
    return inspect.unwrap(__import__("pydoc").locate(name))
