"""Many posteriors at once, without gradients: walkers that stretch towards each other."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import derive

_STRETCH = 2.0
Tell = Callable[[str, float, float], None]


@torch.no_grad()
def stretch_walkers(
    potential: Callable[[Tensor], Tensor], start: Tensor, steps: int, seed: int, *, keep: int = 1, progress: Tell | None = None
) -> tuple[Tensor, Tensor]:  # fmt: skip
    r"""Positions of ensembles of walkers after each `keep`-th step, [steps / keep, D, W, k], and the part of accepted moves, [D].

    * `potential`: minus the log density, [N, k] to [N]; rows of all ensembles come together, ensemble by ensemble, half of each.
    * `start`: [D, W, k], D ensembles of W walkers, an even number of at least 2 k. `steps`: updates of every walker. `seed`: of all moves.
    * `keep`: every so-many-th is kept. `progress`: called with (stage, done, total).

    A walker moves to $x' = x_j + z (x - x_j)$ with a random $x_j$ of the other half, $p(z) \propto 1/\sqrt z$ on [1/2, 2], accepted with
    $\min(1, z^{k-1} p(x') / p(x))$. The first steps are to be left out. Raises `OrbitscopeError` for too few walkers.

    Source: Goodman and Weare, Comm. App. Math. Comp. Sci. 5, 65 (2010).
    """
    ensembles, walkers, size = start.shape
    if walkers % 2 or walkers < 2 * size:
        raise OrbitscopeError(
            f"stretch_walkers: an even number of at least {2 * size} walkers is needed for {size} parameters; got {walkers}."
        )
    g = torch.Generator().manual_seed(derive(seed, "stretch walkers"))
    half = walkers // 2
    x = [start[:, :half].clone(), start[:, half:].clone()]
    level = [potential(h.reshape(-1, size)).reshape(ensembles, half) for h in x]
    kept, accepted = [], torch.zeros(ensembles, dtype=torch.float64)
    for step in range(steps):
        for a, b in ((0, 1), (1, 0)):
            u = torch.rand(2, ensembles, half, generator=g, dtype=torch.float64)
            partner = torch.randint(half, (ensembles, half), generator=g)
            z = (1 + (_STRETCH - 1) * u[0]).square() / _STRETCH
            other = x[b].gather(1, partner[..., None].expand(-1, -1, size))
            moved = other + z[..., None] * (x[a] - other)
            found = potential(moved.reshape(-1, size)).reshape(ensembles, half)
            taken = u[1].log() < (size - 1) * z.log() + level[a] - found
            x[a] = torch.where(taken[..., None], moved, x[a])
            level[a] = torch.where(taken, found, level[a])
            accepted += taken.double().mean(1) / (2 * steps)
        if (step + 1) % keep == 0:
            kept.append(torch.cat(x, 1))
        if progress is not None:
            progress("walk", step + 1, steps)
    return torch.stack(kept) if kept else start.new_zeros(0, *start.shape), accepted
