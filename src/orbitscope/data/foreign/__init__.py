"""Files that other people's programs wrote: one reader a format, each with its own options."""

from ._cf import DatasetReader, Grib, NetCDF, NetCDF3, ZarrDataset, from_dataset
from ._coordinates import Axis
from ._grid import grid_of
from ._time import Times

__all__ = ["FOREIGN", "Axis", "DatasetReader", "Grib", "NetCDF", "NetCDF3", "Times", "ZarrDataset", "from_dataset", "grid_of"]

FOREIGN = (Grib, NetCDF3, ZarrDataset, NetCDF)
"""In the order in which a file is tried; NetCDF takes any HDF5 file."""
