"""Docstrings follow numpydoc, and what they and the README show runs."""

import builtins
import doctest
import importlib
import inspect
import re
import runpy
import textwrap
from pathlib import Path
from pydoc import locate

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from numpydoc.docscrape import get_doc_object
from numpydoc.hooks.validate_docstrings import parse_config
from numpydoc.validate import get_validation_checks, validate
from sklearn import exceptions

from tests.test_public_api import public_modules, public_names

ROOT = Path(__file__).parents[1]
# Where users rather than authors of models look: Examples are required.
ILLUSTRATED = {
    f"skdeepmix{name}" for name in ["", ".datasets", ".metrics", ".model_selection"]
}
CHECKS = get_validation_checks(parse_config(ROOT)["checks"])


def public_objects():
    """Public classes and functions by full name."""
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in public_names(module):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module_name}.{name}", value


def public_members(cls):
    """Public methods and properties of a class that this package documents there.

    A method without a docstring has that of the method which it overrides.
    """
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else member
        ours = str(getattr(function, "__module__", "")).startswith("skdeepmix")
        inherits = name in vars(cls) and not function.__doc__ and inspect.getdoc(member)
        if name[0] != "_" and inspect.isfunction(function) and ours and not inherits:
            yield name


OBJECTS = dict(public_objects())
CLASSES = {name: value for name, value in OBJECTS.items() if inspect.isclass(value)}
MEMBERS = [f"{name}.{m}" for name, cls in CLASSES.items() for m in public_members(cls)]
ESTIMATORS = [cls for name, cls in CLASSES.items() if name.count(".") == 1]


@pytest.mark.parametrize("name", [*OBJECTS, *MEMBERS])
def test_docstring_passes_numpydoc_validation(name):
    checks = set(CHECKS)
    if name in CLASSES and "__init__" not in vars(CLASSES[name]):
        checks.discard("PR01")  # the signature is not its own
    errors = validate(name)["errors"]
    assert [error for error in errors if error[0] in checks] == []


@pytest.mark.parametrize("name", [*OBJECTS, *MEMBERS])
def test_raises_section_names_exceptions_and_says_when(name):
    doc = get_doc_object(locate(name))
    for raised in doc["Raises"] + doc["Warns"]:
        known = getattr(exceptions, raised.type, getattr(builtins, raised.type, None))
        assert inspect.isclass(known), raised
        assert issubclass(known, Exception), raised
        assert " ".join(raised.desc).endswith("."), raised


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_run(name):
    (test, *_) = doctest.DocTestFinder(recurse=False).find(OBJECTS[name], name)
    must_have_one = name.rpartition(".")[0] in ILLUSTRATED
    assert test.examples or not must_have_one, "There is no Examples section."
    report = []
    failed, _ = doctest.DocTestRunner().run(test, out=report.append)
    assert failed == 0, "".join(report)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_attributes_section_lists_the_fitted_attributes(estimator):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "b"])
    fitted = vars(estimator(random_state=0).fit(X))
    documented = [entry.name for entry in get_doc_object(estimator)["Attributes"]]
    public = [n for n in fitted if n.endswith("_") and n[0] != "_"]
    assert sorted(documented) == sorted(public)


GUIDE = ROOT / "doc" / "user_guide"
PAGES = [page.name for page in sorted(GUIDE.glob("*.rst")) if ">>>" in page.read_text()]


@pytest.mark.parametrize("name", PAGES)
def test_user_guide_examples_run(name):
    page = GUIDE / name
    failed, attempted = doctest.testfile(str(page), module_relative=False)
    assert failed == 0
    assert attempted > 0


def test_model_of_the_developer_guide_runs(capsys):
    script = ROOT / "doc" / "developers" / "latent_mixture.py"
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.count("ARI 1.00") == 3


def test_readme_example_runs(monkeypatch):
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    block = re.search(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", readme)[1]
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    few = X[:100], y[:100]
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda return_X_y: few)
    names = {}
    exec(textwrap.dedent(block), names)
    assert names["images"].shape == (16, 64)
    assert set(names["clusters"]) == {3}
