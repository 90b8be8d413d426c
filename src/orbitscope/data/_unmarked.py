"""An unfinished file that is finished: all values are there, the marks of a Writer are taken away, and its name was never given."""

import json
from typing import Any

import h5py

from .._errors import OrbitscopeError
from .._json import json_text
from ._check import by_sums, description
from ._sums import CHECKSUMS
from ._writer import settled


def is_finished(file: h5py.File, settings: dict[str, Any]) -> bool:
    """Whether the file holds what a Writer with these settings would have written, every trajectory with its checksum.

    An interruption or a lost machine can come between the last change of the file and its renaming.
    """
    try:
        form, spec = description(file)
        found = json.loads(json_text({**settled(spec), "format": form.name}, what="settings"))
        return CHECKSUMS in file and found == settings and not by_sums(file, None)
    except (OrbitscopeError, OSError, RuntimeError, KeyError, ValueError, StopIteration):
        return False
