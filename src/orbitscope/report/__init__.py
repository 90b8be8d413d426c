"""Reports: the verdict table for the terminal, and one self-contained HTML file with the figures."""

from . import plot as plot
from ._card import Card, card
from ._terminal import summary_table
from ._verdict import Finding, VerdictRow, verdict_rows
from ._write import write_agents, write_discovery, write_environment, write_plan, write_report, write_story

__all__ = [
    "Card", "Finding", "VerdictRow", "card", "summary_table", "verdict_rows", "write_agents", "write_discovery",
    "write_environment", "write_plan", "write_report", "write_story",
]  # fmt: skip
