"""What is measured of forecasts: errors by horizon, energy, symplectic form, reversal, valid time, calibration, codes."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ._bodies import Body

if TYPE_CHECKING:
    from ._models import MotionModel

Array = NDArray[np.float64]


def errors_by_horizon(found: Tensor, truth: Tensor, size: float, pairs: int) -> Tensor:
    """The mean square error of the coordinates up to each horizon, in units of `size`, [N, T].

    * `found`, `truth`: frames, [N, T, 2d]. `size`: root mean square of the coordinates. `pairs`: d.

    Take the median and the mean over trajectories: a few lost ones decide the mean. Chaotic motions saturate.
    """
    square = ((found - truth)[..., :pairs] / size).square().mean(-1)
    return square.cumsum(-1) / torch.arange(1, square.shape[-1] + 1, dtype=square.dtype)


def energy_errors(found: Tensor, body: Body, numbers: ArrayLike, start: Tensor) -> dict[str, float]:
    r"""How the true energy changes along forecasts, in J: root mean square of $H(\hat x_t) - H(x_0)$ and its secular part.

    * `found`: [N, T, 2d]. `body`: whose energy. `numbers`: [N, k]. `start`: the true first frames, [N, 2d].

    "rms": over the last quarter of the frames; "secular": mean of the last quarter less that of the first, root mean square over
    trajectories; "mean": the mean true energy above its least value among the starts, to compare with.
    """
    n, (count, frames, wide) = np.asarray(numbers, float), found.shape
    energy = body.energy(found.double().reshape(-1, wide).numpy(), np.repeat(n, frames, 0)).reshape(count, frames)
    first = body.energy(start.double().numpy(), n)
    change, quarter = energy - first[:, None], max(frames // 4, 1)
    secular = change[:, -quarter:].mean(1) - change[:, :quarter].mean(1)
    return {
        "rms": float(np.sqrt((change[:, -quarter:] ** 2).mean())), "secular": float(np.sqrt((secular**2).mean())),
        "mean": float(first.mean() - first.min()),
    }  # fmt: skip


def symplectic_defect(model: "MotionModel", frames: Tensor, z: Tensor, steps: int = 1) -> Tensor:
    r"""$|J^\top \Omega J - \Omega|_F$ of the map of `steps` frames, by automatic differentiation, [N].

    * `model`: a map that reads one frame. `frames`: scaled present frames, [N, 2d]. `z`: codes, [N, c].
    """
    d, on = model.pairs, torch.ones_like(frames[:, :1])
    one, zero = torch.eye(d, dtype=frames.dtype), torch.zeros(d, d, dtype=frames.dtype)
    omega = torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)])
    j, x = torch.eye(2 * d, dtype=frames.dtype), frames.detach()
    for _ in range(steps):  # the chain rule, frame by frame; states do not mix, so that one sum gives a row for all of them
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            after = model.step(x[:, None], on, z)
            rows = [torch.autograd.grad(after[:, k].sum(), x, retain_graph=True)[0] for k in range(2 * d)]
        j, x = torch.stack(rows, 1) @ j, after
    return torch.linalg.matrix_norm(j.mT @ omega @ j - omega)


def reversal_error(model: "MotionModel", past: Tensor, z: Tensor, steps: int = 16) -> Tensor:
    """The distance from the start after `steps` frames, momenta reversed, as many again, and reversed; scaled, [N].

    * `model`: a map. `past`: frames in their own units, [N, H, 2d]. `z`: codes.
    """
    sign = torch.tensor([1.0] * model.pairs + [-1.0] * model.pairs, dtype=past.dtype)
    there = model.forecast(past, steps, z)
    whole = torch.cat([past, there], 1)[:, -model.history :]
    back = model.forecast(whole.flip(1) * sign, steps, z)
    return model.scale(back[:, -1] * sign - past[:, -model.history]).norm(dim=-1)


def valid_times(found: Tensor, truth: Tensor, pairs: int, dt: float, limit: float = 0.4) -> Tensor:
    """The time before the error of the coordinates exceeds `limit` for the first time, in s, [N].

    * `found`, `truth`: [N, T, 2d]. `pairs`: d. `dt`: time between frames, in s. `limit`: in the unit of the coordinates.
    """
    lost = (found - truth)[..., :pairs].norm(dim=-1) > limit
    first = torch.where(lost.any(1), lost.to(torch.int64).argmax(1), lost.shape[1])
    return first * dt


def calibration(found: Tensor, spread: Tensor, truth: Tensor) -> dict[str, float]:
    r"""Whether errors are as large as standard deviations say: of $u = (\hat x - x) / \sigma$ the root mean square and shares.

    * `found`, `truth`: any shape, in one unit. `spread`: $\sigma$, of the same shape; places with 0 are left out.

    "z": root mean square of u, 1 where it is right, above where errors are larger than was said; "within1", "within2": shares with
    $|u| < 1$ and 2, .683 and .954 for normal errors. NaN where no spread is above 0.
    """
    some = spread > 0
    u = ((found - truth)[some] / spread[some]).abs()
    if not len(u):
        return {"z": float("nan"), "within1": float("nan"), "within2": float("nan")}
    return {"z": float(u.square().mean().sqrt()), **{f"within{k}": float((u < k).double().mean()) for k in (1, 2)}}


def code_probe(codes: Tensor, numbers: Tensor, new_codes: Tensor, new_numbers: Tensor) -> Tensor:
    r"""$R^2$ of a linear fit of hidden numbers by codes, on systems that the fit has not seen, [k].

    * `codes`, `numbers`: [S, c] and [S, k], of systems of the training. `new_codes`, `new_numbers`: of others.
    """
    fit = torch.linalg.lstsq(torch.cat([codes, torch.ones_like(codes[:, :1])], 1), numbers).solution
    said = torch.cat([new_codes, torch.ones_like(new_codes[:, :1])], 1) @ fit
    return 1 - (said - new_numbers).square().sum(0) / (new_numbers - new_numbers.mean(0)).square().sum(0)
