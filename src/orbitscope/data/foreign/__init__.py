"""Files that other people's programs wrote: one reader a format, each with its own options."""

from ._cf import DatasetReader, Grib, NetCDF, NetCDF3, ZarrDataset, from_dataset
from ._collections import PBDL, Dedalus, PDEArena, PDEBenchTensors
from ._coordinates import Axis
from ._grid import grid_of
from ._matlab import Matlab
from ._time import Times
from ._units import conversion
from ._vtk import VTK

__all__ = [
    "FOREIGN",
    "Axis",
    "DatasetReader",
    "Grib",
    "NetCDF",
    "Matlab",
    "NetCDF3",
    "Times",
    "ZarrDataset",
    "conversion",
    "from_dataset",
    "grid_of",
]

FOREIGN = (Grib, VTK, NetCDF3, ZarrDataset, PDEBenchTensors, PDEArena, PBDL, Dedalus, NetCDF)
"""In the order in which a file is tried; NetCDF takes any HDF5 file."""
