"""The code of a system that was never seen: fitted to the frames of one motion, with a prior."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...data import Examples
from ._about import motion_of, numbers_of, trajectories_of

if TYPE_CHECKING:
    from ._models import MotionModel

RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class CodePrior:
    r"""What is known of a code before a motion of its system was seen: a normal distribution, and how well the map fits.

    * `mean`: [c]. `covariance`: [c, c]. `variance`: of a number of the scaled residual, of the map and the noise together.
    """

    mean: Tensor
    covariance: Tensor
    variance: float

    @classmethod
    def of(cls, model: "MotionModel", examples: Examples, noise: float = 0.0) -> "CodePrior":
        """From the codes of the systems of the training (see `MotionModel.known_codes`), and the map's residual there.

        * `model`: the map. `examples`: of its training. `noise`: standard deviation of the scaled frames that codes will be fitted to.
        """
        motion = motion_of(examples)
        frames = trajectories_of(examples)[:, :, : motion.context].flatten(0, 1).to(model.get_buffer("sizes").dtype)
        with torch.no_grad():
            numbers = numbers_of(examples).to(frames.dtype).repeat_interleave(motion.starts, 0)
            z = model.known_codes(frames, numbers)
            left = float(model.residual(model.scale(frames), z).square().mean())
        centred = z - z.mean(0)
        covariance = centred.mT @ centred / max(len(z) - 1, 1)
        ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12) * torch.eye(len(covariance), dtype=z.dtype)
        return cls(z.mean(0), covariance + ridge, max(left, noise**2))


@dataclass(frozen=True, eq=False)
class FittedCode:
    """Codes with what is not known of them.

    * `z`: [S, c]. `covariance`: of the posterior, linearised, [S, c, c]. `cost`: at the end, in units of `CodePrior.variance`, [S].
    """

    z: Tensor
    covariance: Tensor
    cost: Tensor

    def draws(self, count: int, seed: int = 0) -> Tensor:
        """Codes of the posterior, [count, S, c].

        * `count`: how many. `seed`: of the draws.
        """
        generator = torch.Generator().manual_seed(derive(seed, "codes of the posterior"))
        normal = torch.randn(count, *self.z.shape, generator=generator, dtype=torch.float64).to(self.z)
        value, vector = torch.linalg.eigh(self.covariance)
        return self.z + torch.einsum("sij,sj,nsj->nsi", vector, value.clamp_min(0).sqrt(), normal)


@torch.no_grad()
def fit_code(model: "MotionModel", frames: Tensor, prior: CodePrior, iterations: int = 20) -> FittedCode:
    r"""The codes of systems from frames of their motions: the least of $|r(z)|^2 / v + (z - \mu)^\top C^{-1} (z - \mu)$.

    By the method of Levenberg and Marquardt from the reader's code; r are the scaled residuals of the map between neighbouring frames.

    * `model`: the map. `frames`: [S, K, 2d], or [S, A, K, 2d] for several motions of each. `prior`: $\mu$, C and v.
    * `iterations`: steps that are tried.

    Sixteen frames do not fix all directions of z: without the prior those drift, and forecasts of other motions have a long tail of errors.
    Raises `OrbitscopeError` for frames of another shape.
    """
    wide = frames[:, None] if frames.ndim == 3 else frames
    if wide.ndim != 4 or wide.shape[2] < model.fewest:
        raise OrbitscopeError(
            f"complete: `frames` should be [systems, at least {model.fewest}, {2 * model.pairs}], or [systems, motions, ...]; got "
            f"{list(frames.shape)}."
        )
    systems, motions = wide.shape[:2]
    flat = wide.flatten(0, 1)
    scaled = model.scale(flat)
    inverse = torch.linalg.inv(prior.covariance)

    def left(z: Tensor) -> Tensor:
        return model.residual(scaled, z.repeat_interleave(motions, 0)).reshape(systems, -1)

    def cost(z: Tensor) -> Tensor:
        away = z - prior.mean
        return left(z).square().sum(1) / prior.variance + torch.einsum("si,ij,sj->s", away, inverse, away)

    z = model.encode(flat).reshape(systems, motions, -1).mean(1)
    damping, now = torch.full((systems, 1), 1e-3, dtype=z.dtype), cost(z)
    for _ in range(iterations):
        matrix, slope = _normal(left, z, prior, inverse)
        held = matrix + torch.diag_embed(damping * matrix.diagonal(dim1=-2, dim2=-1))
        tried = z - torch.linalg.solve(held, slope)
        then = cost(tried)
        better = (then < now)[:, None]
        z, now = torch.where(better, tried, z), torch.where(better[:, 0], then, now)
        damping = torch.where(better, damping / 5, damping * 5).clamp(1e-9, 1e9)
    return FittedCode(z, torch.linalg.inv(_normal(left, z, prior, inverse)[0]), now)


def _normal(left: Callable[[Tensor], Tensor], z: Tensor, prior: CodePrior, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix and the right side of the normal equations at `z`, over the variance."""
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    along = torch.func.vmap(lambda e: torch.func.jvp(left, (z,), (e.expand_as(z).clone(),))[1])
    jacobian = along(eye).movedim(0, -1)
    matrix = jacobian.mT @ jacobian / prior.variance + inverse
    slope = (jacobian.mT @ left(z)[..., None])[..., 0] / prior.variance + (z - prior.mean) @ inverse
    return matrix, slope
