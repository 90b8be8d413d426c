"""The emulator that is meant to be used: an ensemble of small networks that know how strengths of alignment enter."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import parts
from ._amplitude import Amplitude
from ._emulators import CorrelationEmulator
from ._given_places import PARTS
from ._moments import Link
from ._occupation import OccupationNumbers
from ._targets import Scales, checked, means_of_points

_LARGEST = 14.0  # of a logarithm
_TYPICAL = 0.45  # root mean square of the amplitude over strengths that are uniform from -1 to 1
_MU = 2  # the first parameters are strengths
_OF = [1 if name.startswith("omega") else 2 for name in PARTS]  # the statistic that a part is of
_QUIET = 3.0  # minus the logarithm of the variance of a part over its spread, at first


class _Members(nn.Module):
    """A linear layer of each member of an ensemble: [M, B, in] to [M, B, out]."""

    def __init__(self, members: int, into: int, out: int, size: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(size * torch.randn(members, into, out) / into**0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class _Trunk(nn.Module):
    """Residual layers of each member: [B, in] to [M, B, width]."""

    def __init__(self, members: int, into: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.first = _Members(members, into, width)
        self.inner = nn.ModuleList(_Members(members, width, width) for _ in range(depth))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.silu(self.first(x.expand(len(self.first.weight), *x.shape)))
        for layer in self.inner:
            h = h + self.drop(nn.functional.silu(layer(h)))
        return h


class AlignmentEmulator(CorrelationEmulator):
    r"""An ensemble of small residual networks with a mean for every bin of xi, omega and eta, and a network for the noise of each.

    * `examples`: of the training. `width`: of the hidden layers. `depth`: residual layers. `members`: networks of the mean that are
      trained side by side from other first weights; their spread is the epistemic part. `noise_width`: of the network of the noise.
    * `factorised`: whether strengths of alignment enter the means as they must; False: as any other number.
    * `rank`: of the covariance between bins beside their variances; 0: none. 60: any covariance.
    * `head`: "bins", free in every bin, or "pca", combinations of `components` principal components of the training.
    * `components`: for the head "pca". `dropout`: between layers. `beta`: as of `CorrelationEmulator`.

    Factorised, the networks of the mean see the five numbers of the occupation alone and give xi and the five `PARTS`, from which
    $\omega = A_c W_c + A_s W_s$ and $\eta = A_c^2 E_{cc} + A_c A_s E_{cs} + A_s^2 E_{ss}$ follow exactly (see `mock_statistics`): xi
    cannot depend on a strength, and vanishing strengths give vanishing omega and eta. Where the examples bring the parts, means of omega
    and eta are learnt from these, without the noise of shapes, and the noise from the rows.

    What goes in is the place in the region of the training, without what log Mmin says of the others, and, where the examples know the
    masses of their halos, mean numbers of galaxies and of pairs of one halo; what comes out is scaled by bin. The variance starts at the
    measured scatter of realisations, with one over the number of pairs where that can be told. The noise is Gaussian in xi itself, and
    the network gives the logarithm of the mean of 1 + xi, which is never negative as it counts pairs: rows with xi <= 0 and bins without
    pairs (xi = -1) stay in, none is selected by its noise, and the mean is the mean. Raises `OrbitscopeError` for sizes out of range.
    """

    links: ClassVar[tuple[Link, ...]] = ("identity", "identity", "identity")
    level: Tensor
    width: Tensor
    noise: Tensor

    def __init__(
        self, examples: Examples, width: int = 64, depth: int = 2, members: int = 4, noise_width: int = 32, factorised: bool = True,
        rank: int = 0, head: str = "bins", components: int = 24, dropout: float = 0.0, beta: Sequence[float] = (0.5, 0.5, 0.5),
    ) -> None:  # fmt: skip
        super().__init__(examples, beta)
        for what, size, least in (
            ("width", width, 1), ("depth", depth, 0), ("members", members, 1), ("noise_width", noise_width, 1), ("rank", rank, 0)
        ):  # fmt: skip
            if not isinstance(size, int) or size < least:
                raise OrbitscopeError(f"AlignmentEmulator: `{what}` should be a whole number from {least} up, got {size!r}.")
        if head not in ("bins", "pca"):
            raise OrbitscopeError(f"AlignmentEmulator: `head` should be 'bins' or 'pca', got {head!r}.")
        self.members, self.rank, self.factorised = members, rank, factorised
        given = parts(examples.y)
        self.held = factorised and len(given) > 2  # whether the parts are known, and learnt from
        self._scales(examples)
        size = len(self.level) * self.bins
        basis = None if head == "bins" else self._components(examples, components)
        self.register_buffer("basis", basis)
        names = len(self.region.names)
        x = examples.x
        assert isinstance(x, Tensor)
        self.numbers = OccupationNumbers(examples.about.get("masses"), x)
        names += self.numbers.numbers
        self.trunk = _Trunk(members, names - _MU if factorised else names, width, depth, dropout)
        self.centre = _Members(members, width, size if basis is None else len(basis), 0.1)
        count = len(self.links) * self.bins
        self.unrest = _Trunk(1, names, noise_width, 1, 0.0)
        self.scatter = _Members(1, noise_width, count, 0.1)
        self.doubt = _Members(1, noise_width, len(PARTS) * self.bins, 0.1) if self.held else None
        self.crossed = _Members(1, noise_width, count * rank, 0.1) if rank else None
        self.amplitude = Amplitude()

    def _scales(self, examples: Examples) -> None:
        """Means and sizes over the training of what the networks give, [S, R], and the noise of each statistic, [3, R]."""
        scales = Scales.of(examples, self.links)
        level, width = (torch.cat([of_xi[:1], size[1:]]) for size, of_xi in ((scales.mean, scales.level), (scales.spread, scales.range)))
        if self.held:
            _, _, known = checked(examples)
            there = known[:, 1:2].expand(-1, len(PARTS), -1)
            points, rows = means_of_points(parts(examples.y)[2], there, examples.unit)
            w = (rows > 0).double()
            count = w.sum(0).clamp_min(1)
            middle = (w * points).sum(0) / count
            spread = ((w * (points - middle).square()).sum(0) / count).sqrt()
            level = torch.cat([level[:1], middle])
            width = torch.cat([width[:1], torch.where(spread > 0, spread, torch.ones_like(spread))])
        elif self.factorised:
            of = torch.tensor(_OF)
            level = torch.cat([level[:1], torch.zeros(len(PARTS), self.bins, dtype=level.dtype)])
            width = torch.cat([width[:1], width[of] / _TYPICAL ** of[:, None]])
        self.register_buffer("level", level)
        self.register_buffer("width", width)
        self.register_buffer("noise", torch.cat([scales.part[:1], scales.noise[1:]]))

    def _components(self, examples: Examples, components: int) -> Tensor:
        """Principal components of what the networks give, over the parameter points of the training, [components, K]."""
        if self.factorised and not self.held:
            raise OrbitscopeError("AlignmentEmulator: `head` 'pca' needs examples with parts, or factorised=False.")
        _, value, known = checked(examples)
        value, known = value.double(), known
        if self.held:
            there = known[:, 1:2].expand(-1, len(PARTS), -1)
            value, known = torch.cat([value[:, :1], parts(examples.y)[2].double()], 1), torch.cat([known[:, :1], there], 1)
        mean, rows = means_of_points(value, known, examples.unit)
        mean[:, 0] = (1 + mean[:, 0]).clamp_min(1e-3).log()
        scaled = torch.where(rows > 0, (mean - self.level) / self.width, torch.zeros_like(mean)).flatten(1)
        if not 1 <= components <= scaled.shape[1]:
            raise OrbitscopeError(f"AlignmentEmulator: `components` should be 1 to {scaled.shape[1]}, got {components}.")
        _, vectors = torch.linalg.eigh(scaled.mT @ scaled)
        kept = vectors[:, -components:].flip(1).mT
        return kept * kept.gather(1, kept.abs().argmax(1, keepdim=True)).sign()

    def reference(self, mean: Tensor) -> Tensor:
        """The spread of each bin; of xi that of its logarithm, times 1 + xi."""
        xi = self.width[:1].to(mean) * (1 + mean[..., :1, :])
        return torch.cat([xi, self.spread[1:].to(mean).expand_as(mean[..., 1:, :])], -2)

    def inputs(self, theta: Tensor) -> Tensor:
        """What the networks see of parameters `theta` [B, D]: the place in the region and, where the training says what halos it is from,
        the numbers of galaxies and pairs that follow."""
        return torch.cat([self.region.features(theta), self.numbers(theta)], -1).to(self.centre.weight.dtype)

    def functions(self, theta: Tensor) -> Tensor:
        """What the networks of the mean give in their own units, log of the mean of 1 + xi first, [M, B, S, R].

        * `theta`: parameters [B, D].
        """
        dtype = self.centre.weight.dtype
        x = self.inputs(theta)
        centre = self.centre(self.trunk(x[:, _MU:] if self.factorised else x))
        if (basis := self._buffers["basis"]) is not None:
            centre = centre @ basis.to(dtype)
        return self.level.to(dtype) + self.width.to(dtype) * centre.reshape(self.members, len(x), len(self.level), self.bins)

    def assembled(self, functions: Tensor, theta: Tensor) -> Tensor:
        """Means of 1 + xi, omega and eta, [M, B, 3, R].

        * `functions`: see there. `theta`: parameters [B, D].
        """
        counted = functions[:, :, :1].clamp(-_LARGEST, _LARGEST).exp()
        if not self.factorised:
            return torch.cat([counted, functions[:, :, 1:]], 2)
        c, s = self.amplitude(theta[:, :_MU]).to(functions).mT[:, :, None]
        _, w_c, w_s, e_cc, e_cs, e_ss = functions.unbind(2)
        return torch.cat([counted, torch.stack([c * w_c + s * w_s, c * c * e_cc + c * s * e_cs + s * s * e_ss], 2)], 2)

    def heads(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, variance and factors of every member, for parameters `theta` [B, D]; the variance is that of all."""
        return self._said(self.assembled(self.functions(theta), theta), theta)[:3]

    def _said(self, mean: Tensor, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean of the statistics, variance and factors, and what the network of the noise sees."""
        dtype = mean.dtype
        h = self.unrest(self.inputs(theta))
        shape = (1, len(theta), len(self.links), self.bins)
        counted = mean[:, :, :1]
        scale = counted.detach() if self.training else counted  # a mean is not to be learnt from the size of the noise
        noise = self.noise.to(dtype) * self._rarity(theta, scale).sqrt()
        noise = torch.cat([noise[:, :, :1] * scale, noise[:, :, 1:]], 2)
        variance = noise.square() * torch.exp(_LARGEST * torch.tanh(self.scatter(h).reshape(shape) / _LARGEST))
        if self.crossed is None:
            factor = variance.new_zeros(self.members, len(theta), 0, len(self.links), self.bins)
        else:
            factor = noise[:, :, None] * self.crossed(h).reshape(1, len(theta), self.rank, len(self.links), self.bins)
        mean = torch.cat([counted - 1, mean[:, :, 1:]], 2)
        return mean.transpose(0, 1), variance.transpose(0, 1), factor.transpose(0, 1), h

    def _rarity(self, theta: Tensor, counted: Tensor) -> Tensor:
        """One over the number of pairs that is expected in each bin, over its typical value, [M, B, 1, R]: the variance of any mean over
        pairs goes with it, and the network of the noise gives the rest; 1 where the halos of the training are not known."""
        if not self.numbers.numbers:
            return torch.ones_like(counted)
        fewer = torch.exp(-2 * self.numbers.log_galaxies(theta)).to(counted)[:, None, None]
        return fewer * self.level[:1].to(counted).exp() / counted

    def forward(self, theta: Tensor) -> tuple[Tensor, ...]:
        """As of `CorrelationEmulator`; in training on parts three more, which teach the means of omega and eta, while these teach their
        noise alone: the parts [B, M, 5, R], their variance and the weight of each in the loss [B, 1, 5, R]. Tempering is there for means:
        noise that is learnt alone has a weight of 1, as with another one loud points would count for more than quiet ones.

        * `theta`: parameters [B, D].
        """
        if not (self.training and self.doubt is not None):
            return super().forward(theta)
        functions = self.functions(theta)
        mean, variance, factor, h = self._said(self.assembled(functions, theta), theta)
        mean = torch.cat([mean[:, :, :1], mean[:, :, 1:].detach()], 2)
        total = (variance + factor.square().sum(2)).detach() / self.reference(mean.detach()).square()
        beta = self.beta.to(mean)
        doubt = self.doubt(h).reshape(1, len(theta), len(PARTS), self.bins).transpose(0, 1)
        doubt = torch.exp(_LARGEST * torch.tanh((doubt - _QUIET) / _LARGEST))
        weight = doubt.detach() ** beta[_OF, None]
        scale = self.width[1:].to(mean).square()
        tempering = torch.cat([total[:, :, :1] ** beta[:1, None], torch.ones_like(total[:, :, 1:])], 2)
        return mean, variance, factor, tempering, functions[:, :, 1:].transpose(0, 1), scale * doubt, weight
