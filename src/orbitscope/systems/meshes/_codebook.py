"""Faces as words of a learnt codebook: vector quantisation by running means."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._graph import FaceGraph, mlp

_LEAST = 1e-6  # of a variance
_LOST, _FRESH = 0.05, 0.3  # faces a step, as a running mean: a word with fewer begins anew, as if it had so many


class FaceCodebook(nn.Module):
    r"""Codebook encoder: the code of every face, replaced by the nearest of learnt words, $z_f \mapsto w_k$, $k = \arg\min |z_f - w_k|$.

    Words are running means of the codes that they stand for, and move in training alone: $n_k \leftarrow \gamma n_k + (1 - \gamma) N_k$,
    $s_k \leftarrow \gamma s_k + (1 - \gamma) \sum_{f: k} z_f$, $w_k = s_k / n_k$; all words begin, and a word that hardly any face takes
    begins anew, as codes of faces of the batch. The gradient is passed straight through to the codes. These are standardised over all
    faces, by the batch's own mean and variance in training and by their running means after it: they can neither run away from the
    words, so that no further loss has to hold them, nor all become one.

    * `width`: of the embedding. `depth`: rounds of the graph below. `words`: how many. `code`: numbers of a word.
    * `decay`: $\gamma$, between 0 and 1.

    Raises `OrbitscopeError` for sizes out of range. Source: van den Oord, Vinyals and Kavukcuoglu, arXiv 1711.00937, appendix A.1.
    """

    words: Tensor
    counts: Tensor
    sums: Tensor
    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(self, width: int = 64, depth: int = 3, words: int = 128, code: int = 8, decay: float = 0.95) -> None:
        super().__init__()
        if words < 2 or code < 2 or not 0 < decay < 1:
            raise OrbitscopeError(f"FaceCodebook: `words` and `code` from 2 up and 0 < `decay` < 1, got {words}, {code} and {decay}.")
        self.width, self.decay = width, decay
        self.graph, self.down, self.up = FaceGraph(width, depth), nn.Linear(width, code), mlp(code, width, width)
        first = torch.randn(words, code)
        self.register_buffer("words", first)
        self.register_buffer("counts", torch.full((words,), _FRESH))
        self.register_buffer("sums", _FRESH * first)
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("variance", torch.ones(code))
        self.register_buffer("steps", torch.zeros(()))

    def codes(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of the faces [..., face, code] and the numbers of their words [..., face].

        * `corners`: in the unit of length, [..., face, 3, 3]. `neighbours`: faces across the edges, [..., face, 3], -1 for none.
        * `there`: [..., face]; in training the codes of these are standardised, and followed.
        """
        raw = self.down(self.graph(corners, neighbours, there))
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance = raw[there].mean(0), raw[there].var(0, correction=0)
            self._standards(mean, variance)
        found = (raw - mean) / (variance + _LEAST).sqrt()
        if self.training and float(self.steps) == 1:
            self._renew(found[there], torch.ones_like(self.counts, dtype=torch.bool))
        # The square of the code is the same for all words.
        return found, (self.words.square().sum(-1) - 2 * found @ self.words.mT).argmin(-1)

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Embeddings of `corners` [..., face, 3, 3] with `neighbours` [..., face, 3]; the words follow the faces that are `there`
        [..., face], in training."""
        soft, number = self.codes(corners, neighbours, there)
        found = self.up(soft + (self.words[number] - soft).detach())
        if self.training:
            self.follow(soft[there], number[there])
        return found

    @torch.no_grad()
    def follow(self, codes: Tensor, number: Tensor) -> None:
        """One step of the words towards the faces that they stand for.

        * `codes`: of faces, [face, code]. `number`: of the word of each, [face].
        """
        taken = F.one_hot(number, len(self.words)).to(codes)
        self.counts.mul_(self.decay).add_(taken.sum(0), alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(taken.mT @ codes, alpha=1 - self.decay)
        self._renew(codes, self.counts < _LOST)

    @torch.no_grad()
    def _standards(self, mean: Tensor, variance: Tensor) -> None:
        """Running mean and variance of the codes; the first step counts whole."""
        share = torch.clamp(1 / (self.steps + 1), min=1 - self.decay)
        self.mean.lerp_(mean, share)
        self.variance.lerp_(variance, share)
        self.steps.add_(1)

    @torch.no_grad()
    def _renew(self, codes: Tensor, which: Tensor) -> None:
        drawn = codes[torch.randint(len(codes), (len(self.words),), device=codes.device)]
        self.sums.copy_(torch.where(which[:, None], _FRESH * drawn, self.sums))
        self.counts.copy_(torch.where(which, torch.full_like(self.counts, _FRESH), self.counts))
        self.words.copy_(self.sums / self.counts[:, None])
