"""Configuration of the Sphinx documentation."""

import skdeepmix

project = "skdeepmix"
author = "The skdeepmix developers"
copyright = author
version = release = skdeepmix.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "templates"]
templates_path = ["templates"]
default_role = "literal"

autosummary_generate = True
# The class template lists the members itself.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": "skdeepmix",
    "show_memory": False,
}

html_theme = "alabaster"
html_title = "skdeepmix"
html_theme_options = {
    "description": "Deep mixture models behind the scikit-learn contract",
    "fixed_sidebar": True,
    "page_width": "1180px",
    "sidebar_width": "240px",
}


def setup(app):
    """Leave out members that scikit-learn and torch document themselves."""
    app.connect("autodoc-skip-member", skip_foreign)


def skip_foreign(app, what, name, obj, skip, options):
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or "skdeepmix"
    return skip or not module.startswith("skdeepmix") or None
