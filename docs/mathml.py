"""mkdocs hook: formulas between dollar signs become MathML, so that the site needs neither a network nor a script to show them."""

import html
import re
from typing import Any

try:
    from latex2mathml.converter import convert
except ImportError:  # the page stays readable: LaTeX as code
    convert = None

# Code first: a dollar inside it is no formula.
_PARTS = re.compile(
    r"(?P<code>^(?P<fence>`{3,}).*?^(?P=fence)[ \t]*$|`[^`\n]+`)|\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+?)\$(?!\w)",
    re.S | re.M,
)
_TOKEN = re.compile(r"xMATHx(\d+)x")
_found: list[str] = []


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Formulas out of the way of Markdown, which would read their underscores as emphasis."""
    _found.clear()

    def put(match: re.Match[str]) -> str:
        if match["code"]:
            return match["code"]
        _found.append(mathml(match["block"] or match["inline"], display=bool(match["block"])))
        return f"xMATHx{len(_found) - 1}x"

    return _PARTS.sub(put, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """And back in."""
    return _TOKEN.sub(lambda match: _found[int(match[1])], content)


def mathml(latex: str, *, display: bool) -> str:
    """One formula.

    >>> "<math" in mathml("x^2", display=False) or "<code>" in mathml("x^2", display=False)
    True
    """
    latex = " ".join(latex.split())
    if convert is None:
        return f"<code>{html.escape(latex)}</code>"
    return convert(latex, display="block" if display else "inline")
