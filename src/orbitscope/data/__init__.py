"""Trajectories in memory and on disk: reading, writing, splitting and normalising them without breaking a symmetry."""

from ._check import FileCheck, check
from ._lazy import LazyArray, Source
from ._load import load
from ._normalisation import Normalisation
from ._save import save
from ._shard import Shard, assemble
from ._split import split_indices
from ._stream import Stream
from ._trajectories import Trajectories
from ._well_folder import save_well
from ._writer import Writer

__all__ = [
    "FileCheck",
    "LazyArray",
    "Normalisation",
    "Shard",
    "Source",
    "Stream",
    "Trajectories",
    "Writer",
    "assemble",
    "check",
    "load",
    "save",
    "save_well",
    "split_indices",
]
