"""Trajectories in memory and on disk: reading, writing, splitting and normalising them without breaking a symmetry."""

from ._check import FileCheck, check, holds
from ._examples import Examples
from ._examples_files import load_examples, save_examples
from ._hdf5 import open_hdf5
from ._lazy import LazyArray, Source
from ._load import load
from ._many import files_of, folder_files, is_pattern
from ._normalisation import Normalisation
from ._reader import Candidate, Reader, option, readers, register_reader
from ._repair import repair_file
from ._save import save
from ._shard import Shard, assemble
from ._split import split_indices
from ._stream import Stream, read_batches
from ._trajectories import KEPT, Trajectories, kept
from ._well_folder import save_well
from ._windows import WINDOWS, split_windows, usual_window
from ._writer import Writer

__all__ = [
    "KEPT",
    "Candidate",
    "Examples",
    "FileCheck",
    "LazyArray",
    "Normalisation",
    "Reader",
    "Shard",
    "Source",
    "Stream",
    "WINDOWS",
    "Trajectories",
    "Writer",
    "assemble",
    "check",
    "files_of",
    "folder_files",
    "holds",
    "is_pattern",
    "kept",
    "load",
    "load_examples",
    "open_hdf5",
    "option",
    "read_batches",
    "readers",
    "register_reader",
    "repair_file",
    "save",
    "save_examples",
    "save_well",
    "split_indices",
    "split_windows",
    "usual_window",
]
