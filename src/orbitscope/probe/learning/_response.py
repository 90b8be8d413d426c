"""What a metric answers."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Response:
    r"""Influences of kets on bras within one metric $\chi$, and how sound the numbers are; u, v are gradients of losses.

    * `cross`: $u\, \chi^{-1} v$ of each bra u and ket v, [bra, ket].
    * `bra`: $u\, \chi^{-1} u$ of each bra, [bra].
    * `ket`: $v\, \chi^{-1} v$ of each ket, [ket].
    * `rank`: dimension of the span of the gradients that the numbers come from; the number of gradients where the inverse metric acts on
      whole vectors; 0 where nobody looked.
    * `condition`: condition number of what was inverted; NaN where nothing was.
    * `residual`: largest relative residual of the linear systems, where they were solved by iteration; else NaN.

    Influences carry the square of the loss's unit, per unit of the metric.
    """

    cross: Tensor
    bra: Tensor
    ket: Tensor
    rank: int
    condition: float
    residual: float = float("nan")

    @property
    def coherence(self) -> Tensor:
        """Cosine-normalised, [bra, ket]."""
        return self.cross / (self.bra[:, None] * self.ket[None, :]).sqrt()
