"""How Sphinx makes the site from the pages that ``build.py`` assembles, which is what one starts."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.parsers import Parser

import micrograd

project, version = "micrograd", micrograd.__version__
copyright = "its authors, MIT licence"  # noqa: A001  # Sphinx's name
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "index"
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext", ".py": "code", ".c": "code"}

# Pages. A heading's anchor is the one that GitHub makes, so that links serve both.
myst_enable_extensions = ["attrs_block", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # a notebook is shown as it is stored
nb_ipywidgets_js = {}  # which would come from another address
html_math_renderer = "mathml"

# Docstrings.
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # a list: most are no members that Sphinx finds
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# Looks.
html_theme = "furo"
html_title = f"micrograd {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
html_show_copyright = False
html_show_search_summary = False  # which browsers cannot read from a folder without a server
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"


class Code(Parser):
    """A file of code as a page: what pages link to is shown, not downloaded."""

    supported = ("code",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """One section, named as the file, with its text."""
        env = document.settings.env
        path = env.doc2path(env.docname, base=False)
        env.metadata[env.docname]["orphan"] = "yes"  # reached by links, not from the menu
        section = nodes.section(ids=["code"], names=["code"])
        section += nodes.title("", str(path))
        language = "c" if path.suffix == ".c" else "python"
        section += nodes.literal_block(inputstring, inputstring, language=language, linenos=True)
        document += section


def formula(self, node, **options):
    """A formula as MathML, which browsers show by themselves."""
    self.body.append(tex2mathml(node.astext(), **options))
    raise nodes.SkipNode


def keep_colon(app, what, name, thing, options, lines):  # noqa: ARG001  # Sphinx's event
    """Of an attribute, napoleon takes a first line "A: b" as a type and a text; an empty comment before it keeps it."""
    if what in {"property", "attribute", "data"}:
        lines[:0] = ["..", ""]


def show_factory(app, what, name, thing, options, signature, answer):  # noqa: ARG001  # Sphinx's event
    """A dataclass's default that is made anew is "<factory>", which is no Python and spoils the rest."""
    return signature and signature.replace("<factory>", "..."), answer


def setup(app):
    """Called by Sphinx."""
    app.add_source_parser(Code)
    app.connect("autodoc-process-docstring", keep_colon, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", show_factory)
    block = {"as_block": True}
    app.add_html_math_renderer("mathml", (formula, None), (lambda self, node: formula(self, node, **block), None))
