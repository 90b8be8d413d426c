"""The page on what policies did: one sentence, a table of rates, film strips."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..systems import Story
from ._page import versions
from ._tables import TextTable


@dataclass(frozen=True)
class Picture:
    """A picture of the page: its `number`, `title`, the `words` below it, and `uri`, which holds it."""

    number: int
    title: str
    words: str
    uri: str


def story_view(told: Story, source: str = "") -> dict[str, Any]:
    """Everything that the template needs, except title and command."""
    pictures = [
        Picture(k, title, words, "data:image/png;base64," + base64.b64encode(data).decode("ascii"))
        for k, (title, words, data) in enumerate(told.pictures, 1)
    ]
    rates = TextTable("Episodes, policy by policy", tuple(told.header), tuple(map(tuple, told.rows)))
    return {
        "told": told, "pictures": pictures, "table_of": rates,
        "provenance": TextTable("Episodes", ("what", "value"), (("file", source),)), "versions": versions(),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip
