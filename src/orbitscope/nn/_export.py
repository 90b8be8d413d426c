"""Equivariant networks folded into plain ones."""

import copy

from torch import nn

from ._field_kernel import FieldKernel


def export(model: nn.Module) -> nn.Module:
    """A copy of `model` whose equivariant layers are plain ones (`nn.Conv2d`, `nn.ConvTranspose2d`, `SpectralConv`, ...), same answers.

    The kernels are expanded once, so evaluation needs no group any more, and parameters are those of the plain network. Training the copy
    would lose the symmetry. The model itself is left as it is.
    """
    if isinstance(model, FieldKernel):
        return model.export()
    folded = copy.deepcopy(model)
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, FieldKernel):
                parent.add_module(name, child.export())
    return folded
