"""Several devices: one process each, what they decide together, and signs of life."""

from . import _pulse as pulse
from ._fabric import made_by_others, make_fabric
from ._launch import job_folder, launch, work
from ._peers import Peers

__all__ = ["Peers", "job_folder", "launch", "made_by_others", "make_fabric", "pulse", "work"]
