"""The files of a run folder, and what is there of a run already."""

from ._files import (
    BEST,
    LAST,
    SIDECAR,
    STATE,
    Metadata,
    entries,
    load_weights,
    plain,
    read_json,
    read_state,
    read_weights,
    write_json,
    write_state,
    write_weights,
)
from ._folder import check_folder, seed_folders, unfinished

__all__ = [
    "BEST",
    "LAST",
    "SIDECAR",
    "STATE",
    "Metadata",
    "check_folder",
    "entries",
    "load_weights",
    "plain",
    "read_json",
    "read_state",
    "read_weights",
    "seed_folders",
    "unfinished",
    "write_json",
    "write_state",
    "write_weights",
]
