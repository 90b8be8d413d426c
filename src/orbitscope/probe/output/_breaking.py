"""What part of a model's squared error is a broken symmetry: the forecasts of all copies, brought back and compared."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from ...symmetry import Action, GridAction, Group

Array = NDArray[np.float64]


class Copies:
    r"""Sums over the copies $p_g = g^{-1} f(g x)$ of the forecasts, from inner products of $p_g - y$ alone.

    A set H of elements is a row of `members` [S, G]; the elements are `chosen`, with the identity first. All squares are means over the
    cells of `mask`, sums over channels, each field in units of its own mean square over `truth`. `x` None: answers are no states, so there
    is no step.
    """

    def __init__(self, members: NDArray[np.bool_], output: Action, truth: Tensor, mask: Tensor) -> None:
        self.members, self.output = members.astype(np.float64), output
        if isinstance(output, GridAction):
            scale = output.scales(truth).to(truth.device)
            self.weight = (mask.double() / mask.sum() / scale.reshape(-1, *[1] * mask.ndim)).sqrt()
        else:
            self.weight = output.weights(truth).to(truth.device)

    def sums(self, copies: Sequence[Tensor], x: Tensor | None, y: Tensor) -> dict[str, Array]:
        r"""Of copies [G] x [N, C, *grid], each a column per transition:

        `copy_error` [G, N] $|p_g - y|^2$; `copy_gap` [G, N] $|p_g - p_e|^2$; `squared_error` [S, N] $\mathrm{mean}_h |p_h - y|^2$;
        `breaking` [S, N] $\mathrm{mean}_h |p_h - \bar p|^2$; `copies_step` [S, N] $\mathrm{mean}_h |p_h - x|^2$; `answer` [N] $|f(x)|^2$;
        `step` [N] $|y - x|^2$.
        """
        # Products of the gaps to the first copy: what is a rounding apart stays a rounding, where E - |mean|^2 would cancel.
        gaps = torch.stack([self._gap(p, copies[0]) for p in copies], 1)  # [N, G, F]
        error = self._gap(copies[0], y)
        gram = (gaps @ gaps.transpose(1, 2)).cpu().numpy()
        gap = np.einsum("ngg->gn", gram)
        own = np.maximum(error.square().sum(1).cpu().numpy() + 2 * (gaps @ error[..., None])[..., 0].cpu().numpy().T + gap, 0)
        size = self.members.sum(1)[:, None]
        centre = np.einsum("sg,ngh,sh->sn", self.members, gram, self.members, optimize=True) / size**2
        steps = np.stack([np.full(len(y), np.nan) if x is None else self._square(self._gap(p, x)) for p in copies])
        return {
            "copy_error": own,
            "copy_gap": gap,
            "squared_error": self.members @ own / size,
            "breaking": np.maximum(self.members @ gap / size - centre, 0),
            "copies_step": self.members @ steps / size,
            "answer": self._square(self._flat(copies[0])),
            "step": np.full(len(y), np.nan) if x is None else self._square(self._gap(y, x)),
        }

    def _gap(self, a: Tensor, b: Tensor) -> Tensor:
        return self._flat(a - b) if self.output.linear and a.dtype == b.dtype else self._flat(a) - self._flat(b)

    def _flat(self, values: Tensor) -> Tensor:
        if isinstance(self.output, GridAction):
            return (values.double() * self.weight).flatten(1)
        return self.output.features(values).double() * self.weight

    @staticmethod
    def _square(values: Tensor) -> Array:
        return values.square().sum(1).cpu().numpy()


def blocks(count: int, per_transition: int, budget: int = 2**28) -> list[slice]:
    """Slices of `count` transitions whose copies fit into `budget` bytes, at least one at a time."""
    size = max(1, min(count, budget // max(1, per_transition)))
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


def subgroup_members(group: Group, chosen: Sequence[Any]) -> tuple[list[str], NDArray[np.bool_]]:
    """Names and members [S, len(chosen)] of the subgroups of `group` within `chosen` (see `Group.subgroups`), smallest first."""
    if not getattr(group, "finite", True):
        return _of_probes(group, chosen)
    subgroups = group.subgroups(chosen)
    members = np.array([[g in h for g in chosen] for h in map(set, subgroups)])
    return ["{" + ", ".join(g.name for g in h) + "}" for h in subgroups], members


def _of_probes(group: Group, chosen: Sequence[Any]) -> tuple[list[str], NDArray[np.bool_]]:
    """Of an infinite group: the trivial subgroup, and the whole group, of which the probes are a sample."""
    alone = np.array([g.is_identity for g in chosen])
    return ["{" + chosen[int(alone.argmax())].name + "}", group.name], np.stack([alone, np.ones(len(chosen), bool)])


VARIABLES = {
    "copy_error": ("element", "|g^-1 f(gx) - y|^2, each field in units of its mean square"),
    "copy_gap": ("element", "|g^-1 f(gx) - f(x)|^2, each field in units of its mean square"),
    "squared_error": ("subgroup", "mean over h in H of |h^-1 f(hx) - y|^2"),
    "breaking": ("subgroup", "mean over h in H of |h^-1 f(hx) - their mean|^2: the part that averaging over H removes"),
    "copies_step": ("subgroup", "mean over h in H of |h^-1 f(hx) - x|^2"),
    "answer": (None, "|f(x)|^2"),
    "step": (None, "|y - x|^2"),
}


def as_variables(sums: Sequence[dict[str, Array]]) -> dict[str, xr.Variable]:
    """What `Copies.sums` gave for one block of transitions after another, as variables of a result."""
    found = {}
    for name, (leading, words) in VARIABLES.items():
        values = np.concatenate([s[name] for s in sums], axis=-1)
        dims = ("transition",) if leading is None else (leading, "transition")
        found[name] = xr.Variable(dims, values, {"long_name": words, "units": "1"})
    return found
