"""Equivariant networks folded into plain ones."""

import copy

from torch import nn

from ._conv import EquivariantConv


def export(model: nn.Module) -> nn.Module:
    """A copy of `model` whose equivariant convolutions are plain `nn.Conv2d` or `nn.Conv3d` (see `EquivariantConv.export`), same answers.

    The kernels are expanded once, so evaluation needs no group any more, and parameters are those of the plain network. Training the copy
    would lose the symmetry. The model itself is left as it is.
    """
    if isinstance(model, EquivariantConv):
        return model.export()
    folded = copy.deepcopy(model)
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, EquivariantConv):
                parent.add_module(name, child.export())
    return folded
