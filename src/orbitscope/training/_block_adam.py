"""AdamW with one second moment for a whole vector, where single components have no meaning of their own."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class BlockAdamW(torch.optim.AdamW):
    r"""AdamW in which some parameters are vectors: one second moment for each, so that the step turns with the gradient.

    $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2)\, \overline{g^2}, \quad
    \theta \leftarrow \theta - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)$$

    * `parameters`: all of them, in the order of the model.
    * `shared`: number of a parameter in that order -> its leading axes along which vectors are apart; the mean of $g^2$ is over the rest.
    * `settings`: of torch's AdamW: lr, betas, eps, weight_decay, ...

    Why: where data and model have a symmetry, the gradient of a weight that would break it is 0 up to rounding. Adam divides each
    component by its own size and so makes steps of full length out of rounding: the symmetry is lost while the loss looks fine. With one
    second moment for the vector the step is a multiple of the gradient's average, and forbidden components stay at rounding, as under
    gradient descent. Where the *whole* gradient is rounding, `eps` must exceed it. Parameters that are not in `shared` are stepped as by
    AdamW, bit for bit.
    """

    def __init__(self, parameters: Iterable[Tensor], shared: Mapping[int, int], **settings: Any) -> None:
        super().__init__(parameters, **settings)
        # In the group, where a state keeps it and a copy of the optimiser finds it.
        self.param_groups[0]["shared_moment"] = {int(k): int(n) for k, n in shared.items()}

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; `closure` as of torch."""
        group = self.param_groups[0]
        vectors = [(group["params"][k], n) for k, n in group.get("shared_moment", {}).items() if group["params"][k].grad is not None]
        gradients = [p.grad for p, _ in vectors]
        for p, _ in vectors:
            p.grad = None
        found = super().step(closure)
        for (p, leading), gradient in zip(vectors, gradients, strict=True):
            assert gradient is not None
            p.grad = gradient
            self._turn(p, gradient, leading, group)
        return found

    def _turn(self, p: Tensor, gradient: Tensor, leading: int, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        steps, (first, second) = float(state["step"]), group["betas"]
        axes = tuple(range(leading, p.ndim))
        square = gradient.square().mean(axes, keepdim=True) if axes else gradient.square()
        state["exp_avg"].lerp_(gradient, 1 - first)
        state["exp_avg_sq"].mul_(second).add_((1 - second) * square)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        size = (state["exp_avg_sq"] / (1 - second**steps)).sqrt() + group["eps"]
        p.sub_(group["lr"] / (1 - first**steps) * state["exp_avg"] / size)


def shared_moments(model: nn.Module) -> dict[int, int]:
    """Number of each parameter of `model` whose layer asks for one second moment -> its leading axes (`BlockAdamW`).

    * `model`: layers say so in a class attribute `shared_moment`, name of a parameter -> number of leading axes.
    """
    asked = {
        id(p): axes
        for layer in model.modules()
        for name, axes in getattr(type(layer), "shared_moment", {}).items()
        if (p := layer._parameters.get(name)) is not None
    }
    return {k: asked[id(p)] for k, p in enumerate(model.parameters()) if id(p) in asked}


def adamw(model: nn.Module, **settings: Any) -> torch.optim.AdamW:
    """AdamW over the parameters of `model`; a `BlockAdamW` where a layer asks for it.

    * `model`: the module. `settings`: lr, betas, eps, weight_decay as of torch.
    """
    if shared := shared_moments(model):
        return BlockAdamW(model.parameters(), shared, **settings)
    return torch.optim.AdamW(model.parameters(), **settings)
