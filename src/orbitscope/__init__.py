"""orbitscope: measure symmetry in machine-learned models of physical systems.

>>> import torch
>>> import orbitscope as osc
>>> values = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.gauss", trajectories=8, resolution=16, frames=3)])
>>> data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(16), dt=0.5)
>>> model = osc.build("resnet", "small", channels_in=2, width=4, depth=1)
>>> osc.equivariance(model, data, osc.translations(16)).commutator.max().item() < 1e-4
True
"""

import lazy_loader

# What is here stands in __init__.pyi, for type checkers as for Python. A name is imported when it is first used: `orbitscope --help` needs
# no torch, and a script pays for the rooms that it enters.
__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
_ROOMS = ("cli", "data", "discover", "emulators", "nn", "physics", "plot", "probe", "report", "symmetry", "systems", "training")
__all__ = [name for name in _names if name not in _ROOMS]  # pyright: ignore[reportUnsupportedDunderAll]
