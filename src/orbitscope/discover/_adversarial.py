"""A basis of the algebra that an adversary cannot tell from none: moved examples against examples (LieGAN), the baseline."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from .._expect import expect_number
from .._seed import derive
from ..symmetry import State, length, mapped, parts, taken
from ._carried import carry
from ._problem import COLLAPSED, Directions, Method, Problem, Tell, silent


@dataclass(frozen=True)
class Adversarial(Method):
    r"""A basis $B_1 .. B_k$ whose random elements $g = e^{\sum_i z_i B_i}$, z ~ N(0, 1), leave the distribution of the examples alone.

    A discriminator D learns to tell (x, y) from (g x, g y), the basis to deceive it, with two terms beside: $\lambda\, |\cos(g x, x)|$
    against the identity and $\eta \sum_{i<j} |\cos(B_i, B_j)|$ against doubles. It takes no predictor: what it finds are symmetries of the
    *distribution* of the data, so a map with a symmetry is not found where the inputs are spread unevenly along the orbits. The evidence on
    what it found is that of the predictors, as for every method.

    * `generators`: k. `steps`, `batch`: of both players. `learning_rate`: of the basis; `discriminator_rate`: of the discriminator.
    * `identity`: $\lambda$. `similarity`: $\eta$. `hidden`: width of the discriminator's two layers.

    The scores are fixed by no held-out data and say only how large a generator became, largest first. It fails by collapse of the two
    players, in a way that changes from seed to seed. Raises `OrbitscopeError` for a setting out of range.

    Source: LieGAN, Yang et al., ICML 2023, arXiv:2302.00236, from its description.
    """

    generators: int = 1
    steps: int = 1000
    batch: int = 256
    learning_rate: float = 1e-2
    discriminator_rate: float = 1e-3
    identity: float = 1.0
    similarity: float = 0.1
    hidden: int = 128

    name = "adversarial"

    def __post_init__(self) -> None:
        for what in ("generators", "steps", "batch", "hidden"):
            expect_number(getattr(self, what), f"Adversarial: `{what}`", whole=True)
            if getattr(self, what) < 1:
                raise OrbitscopeError(f"Adversarial: `{what}` should be at least 1, got {getattr(self, what)}.")
        for what in ("learning_rate", "discriminator_rate", "identity", "similarity"):
            expect_number(getattr(self, what), f"Adversarial: `{what}`")
            if not 0 <= getattr(self, what) < math.inf:
                raise OrbitscopeError(f"Adversarial: `{what}` should be finite and at least 0, got {getattr(self, what)}.")

    def search(self, problem: Problem, tell: Tell = silent) -> Directions:
        """The learnt basis for `problem`, of Frobenius norm 1, the largest generator first; `tell` hears of the progress."""
        if self.generators > problem.size:
            raise OrbitscopeError(
                f"Adversarial: `generators` = {self.generators} are more than the {problem.size} of {problem.group.name}. Take fewer."
            )
        generator = torch.Generator().manual_seed(derive(problem.seed, "adversarial"))
        game = _Game(self, problem, generator)
        least = COLLAPSED * float(game.weights.detach().norm(dim=1).mean())
        for step in range(self.steps):
            game.step()
            tell(step + 1, self.steps, f"learning {self.generators} generator{'s' if self.generators > 1 else ''}")
        weights = game.weights.detach()
        sizes = weights.norm(dim=1)
        order = torch.argsort(sizes, descending=True)
        unit = (weights / sizes.clamp_min(1e-300)[:, None])[order].numpy()
        return Directions(np.tensordot(unit, problem.basis(), 1), (1 / sizes.clamp_min(1e-300))[order].numpy(), int((sizes < least).sum()))


class _Game:
    """The two players and their optimisers."""

    def __init__(self, method: Adversarial, problem: Problem, generator: torch.Generator) -> None:
        self.method, self.generator = method, generator
        examples, basis = problem.examples, problem.basis()
        self.x: State = mapped(lambda t: t.double(), examples.x)
        self.y: State = mapped(lambda t: t.double(), examples.y)
        self.input = carry(problem.hypothesis.input, problem.group, basis)
        self.output = carry(problem.hypothesis.output, problem.group, basis)
        self.weights = (0.1 * torch.randn(method.generators, problem.size, generator=generator, dtype=torch.float64)).requires_grad_()
        flat = self._flat(self.x, self.y)
        self.mean, self.spread = flat.mean(0), flat.std(0).clamp_min(1e-12)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(problem.seed, "adversary"))
            self.judge = nn.Sequential(
                nn.Linear(flat.shape[1], method.hidden), nn.LeakyReLU(0.2), nn.Linear(method.hidden, method.hidden), nn.LeakyReLU(0.2),
                nn.Linear(method.hidden, 1),
            ).double()  # fmt: skip
        self.players = (
            torch.optim.Adam([self.weights], method.learning_rate), torch.optim.Adam(self.judge.parameters(), method.discriminator_rate),
        )  # fmt: skip

    def step(self) -> None:
        """One step of each."""
        count = min(self.method.batch, length(self.x))
        rows = torch.randint(length(self.x), (2, count), generator=self.generator)
        x, y = taken(self.x, rows[0]), taken(self.y, rows[0])
        z = torch.randn(count, self.method.generators, generator=self.generator, dtype=torch.float64)
        moved_x, moved_y = self.input(z @ self.weights, x), self.output(z @ self.weights, y)
        real = self._flat(taken(self.x, rows[1]), taken(self.y, rows[1]))
        fake = self._flat(moved_x, moved_y)
        loss = nn.functional.softplus
        against = loss(self._judged(fake.detach())).mean() + loss(-self._judged(real)).mean()
        self._move(1, against, list(self.judge.parameters()))
        flat, still = self._inputs(moved_x), self._inputs(x)
        alike = nn.functional.cosine_similarity(flat, still, dim=1).abs().mean()
        unit = nn.functional.normalize(self.weights, dim=1)
        doubles = (unit @ unit.T).triu(1).abs().sum()
        deceit = loss(-self._judged(fake)).mean() + self.method.identity * alike + self.method.similarity * doubles
        self._move(0, deceit, [self.weights])

    def _move(self, player: int, loss: Tensor, what: list[Tensor]) -> None:
        self.players[player].zero_grad()
        loss.backward(inputs=what)
        nn.utils.clip_grad_norm_(what, 1.0)
        self.players[player].step()

    def _judged(self, flat: Tensor) -> Tensor:
        return self.judge((flat - self.mean) / self.spread)

    @staticmethod
    def _inputs(x: State) -> Tensor:
        return torch.cat([p.flatten(1) for p in parts(x)], 1)

    def _flat(self, x: State, y: State) -> Tensor:
        return torch.cat([self._inputs(x), *(p.reshape(len(p), -1) for p in parts(y))], 1)
