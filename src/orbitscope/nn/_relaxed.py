"""What relaxed layers have in common: a penalty, the way back to the strict layer, and a read-out of what is broken."""

import copy
from abc import abstractmethod
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import Isometry
from ._conv import EquivariantConv
from ._features import Features
from ._relaxed_weights import RelaxedWeights
from ._shared_kernel import moved_cells
from ._vectors import LinearThatMayLeave

Model = TypeVar("Model", bound=nn.Module)


class RelaxedConv(EquivariantConv):
    """A convolution that starts equivariant and may leave: `EquivariantConv` with weights that say how much.

    * `into`, `out`, `kernel`, `boundary`, `bias`, `stride`, `degree`, `gain`: as of `EquivariantConv`.

    A subclass says what may leave: `penalty` and `tighten` are its own.
    """

    @abstractmethod
    def penalty(self) -> Tensor:
        """How far the weights are from equivariance, a number; 0 at the start."""

    @abstractmethod
    def tighten(self) -> None:
        """Go to the nearest equivariant layer, in place."""

    @torch.no_grad()
    def broken(self) -> dict[str, float]:
        r"""Element -> how much of the layer does not commute with it: $\|\rho_{out}(g) K(g^{-1} p) \rho_{in}(g)^{-1} - K\| / \|K\|$.

        0 is strict; the kernels of an unrelated layer give about $\sqrt 2$. Elements that turn the cells between one another (45 degrees)
        are left out: there the sampling of the kernel breaks the symmetry by itself.
        """
        kernel = self.kernel_tensor()
        return {
            g.name: _gap(_moved(kernel, g, self.into, self.out), kernel) for g in self.group if g.is_lattice and g != self.group.identity
        }

    def shares_of_elements(self) -> dict[str, float]:
        """Element -> relative departure of its own weights from their mean over the group; empty where weights belong to no element."""
        return {}


def relaxed_layers(model: nn.Module) -> dict[str, RelaxedConv | LinearThatMayLeave]:
    """The relaxed layers of `model` by name; raises `OrbitscopeError` where there is none."""
    found = {name or type(m).__name__: m for name, m in model.named_modules() if isinstance(m, RelaxedConv | LinearThatMayLeave)}
    if not found:
        raise OrbitscopeError(f"relaxation: {type(model).__name__} has no relaxed layer. Build one, or use nn.relax(model).")
    return found


def penalised_layers(model: nn.Module) -> list[RelaxedConv | LinearThatMayLeave | RelaxedWeights]:
    """The layers of `model` that know a penalty, on grids, on vectors and on points; raises `OrbitscopeError` where there is none."""
    points = [layer for layer in model.modules() if isinstance(layer, RelaxedWeights)]
    return [*points] if points else [*relaxed_layers(model).values()]


def relaxation_penalty(model: nn.Module, alpha: float = 1.0) -> Tensor:
    r"""$\alpha \sum_{layers} R$, to be added to a loss; linear in $\alpha$, 0 for a strict model.

    * `model`: has relaxed layers.
    * `alpha`: $\alpha$, at least 0.

    R is the mean of $|w_l(g) - w_l(h)|$ over pairs of elements (group), of the differences between neighbouring cells (steerable,
    translation), or the sum of squares of the free kernel (residual) or of the relaxed weights (points); sums over banks l. Raises
    `OrbitscopeError` for a model without relaxed layers. Source: Wang, Walters and Yu, ICML 2022; residual: Finzi, Benton and Wilson,
    NeurIPS 2021.
    """
    if not alpha >= 0:
        raise OrbitscopeError(f"relaxation_penalty: `alpha` must be at least 0, got {alpha}.")
    return alpha * torch.stack([layer.penalty() for layer in penalised_layers(model)]).sum()


def strict(model: Model) -> Model:
    """A copy of `model` with every relaxed layer moved to the nearest equivariant one: what an infinite penalty would leave.

    Raises `OrbitscopeError` for a model without relaxed layers.
    """
    made = copy.deepcopy(model)
    for layer in penalised_layers(made):
        layer.tighten()
    return made


def relaxation(model: nn.Module) -> xr.Dataset:
    r"""What the relaxed layers of `model` have broken, by layer and element.

    `broken` [layer, element]: $\|g K - K\| / \|K\|$ of the layer's kernel, dimensionless, 0 strict (nan: the element is not one of the
    layer's, or turns cells between one another). `share` [layer, element]: relative departure of the element's own weight from the mean
    over the group, signed (nan where weights belong to no element). `penalty` [layer]: as `relaxation_penalty` counts it, alpha = 1.
    Raises `OrbitscopeError` for a model without relaxed layers.
    """
    layers = relaxed_layers(model)
    broken, shares = [layer.broken() for layer in layers.values()], [layer.shares_of_elements() for layer in layers.values()]
    elements = list(dict.fromkeys(name for rows in zip(shares, broken, strict=True) for row in rows for name in row))

    def table(rows: list[dict[str, float]]) -> np.ndarray:
        return np.array([[row.get(name, np.nan) for name in elements] for row in rows])

    about = {"units": "1", "sign": "0 is strict, larger is more broken"}
    penalties = [float(layer.penalty().detach()) for layer in layers.values()]
    return xr.Dataset(
        {
            "broken": (("layer", "element"), table(broken), {"long_name": "relative change of the kernel under the element", **about}),
            "share": (("layer", "element"), table(shares), {"long_name": "weight of the element over the mean, minus 1", "units": "1"}),
            "penalty": ("layer", penalties, {"long_name": "relaxation penalty at alpha 1", **about}),
        },
        {"layer": list(layers), "element": elements, "kind": ("layer", [type(layer).__name__ for layer in layers.values()])},
        {"model": type(model).__name__},
    )


def _moved(kernel: Tensor, g: Isometry, into: Features, out: Features) -> Tensor:
    cells = kernel.flatten(2)
    moved = torch.empty_like(cells)
    moved[..., torch.as_tensor(moved_cells(g, kernel.shape[-1]), device=kernel.device)] = cells
    left, right = (torch.as_tensor(f.matrix(g), dtype=kernel.dtype, device=kernel.device) for f in (out, into))
    return torch.einsum("ab,bcp,dc->adp", left, moved, right).reshape(kernel.shape)


def _gap(moved: Tensor, kernel: Tensor) -> float:
    return float((moved - kernel).norm() / (kernel.norm() + torch.finfo(kernel.dtype).tiny))
