"""The extra packages, imported when they are needed, with an error that says what to install."""

import importlib
from typing import Any

from ..._errors import OrbitscopeError


def needed(name: str) -> Any:
    """The module of that `name` of the extra `robots`; raises `OrbitscopeError` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OrbitscopeError(f"manipulation: {name} is not installed ({error}). pip install 'orbitscope[robots]'") from error
