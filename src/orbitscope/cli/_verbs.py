"""The verbs: their settings are the flags, and the names in a TOML file; `run` does the work."""

from ._quickstart import Quickstart
from ._verbs_files import Assemble, Info, Repair, Scenarios, Simulate, View
from ._verbs_models import Audit, Epochs, Probe, Report, Train, Transfer

_ALL = (Simulate, Scenarios, Train, Epochs, Audit, Probe, Transfer, Report, Quickstart, Info, View, Assemble, Repair)
BY_NAME: dict[str, type] = {c.__name__.lower(): c for c in _ALL}
