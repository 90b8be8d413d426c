"""What a metric answers."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Response:
    """Influences of kets on bras within one metric, and how sound the numbers are."""

    cross: Tensor
    """bra . chi^-1 . ket, [bra, ket]."""
    bra: Tensor
    """bra . chi^-1 . bra, [bra]."""
    ket: Tensor
    """ket . chi^-1 . ket, [ket]."""
    rank: int
    condition: float
    residual: float = float("nan")
    """Largest relative residual of the linear systems, where they were solved by iteration."""

    @property
    def coherence(self) -> Tensor:
        """Cosine-normalised, [bra, ket]."""
        return self.cross / (self.bra[:, None] * self.ket[None, :]).sqrt()
