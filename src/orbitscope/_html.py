"""Small tables for notebooks."""

import html
from collections.abc import Iterable


def table_html(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A titled table of two columns as HTML; what is empty is left out, and all text is escaped. The colours are the notebook's."""
    cell = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0'
    body = "".join(
        f'<tr><th scope="row" {cell};font-weight:600">{html.escape(name)}</th><td {cell}">{html.escape(str(value))}</td></tr>'
        for name, value in rows
        if str(value)
    )
    caption = f'<caption style="text-align:left;font-weight:600;padding-bottom:4px">{html.escape(title)}</caption>'
    return f'<table style="font-size:13px">{caption}<tbody>{body}</tbody></table>'
