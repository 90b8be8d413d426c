"""Answers that name one of several classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._action import Action
from ._representation import Representation
from ._states import State, parts


class Classes(Action[Any]):
    r"""Logits [N, K] and class numbers [N] of K classes: invariant, or permuted by a representation.

    Two answers are compared by the total variation of their probabilities $p = \mathrm{softmax}(s)$, $\tfrac12 \sum_k |p_k - q_k|$ in
    [0, 1], which is what `relative` gives. Averages over copies are averages of probabilities.

    * `names`: of the classes, or how many. `representation`: of the group by permutation matrices [K, K] (two classes that a reflection
      exchanges); by default none moves. `logits`: False where the model answers with probabilities.

    Raises `OrbitscopeError` for a representation that is no permutation of the classes.
    """

    linear = False

    def __init__(self, names: Sequence[str] | int, representation: Representation | None = None, *, logits: bool = True) -> None:
        self.channels = tuple(f"class{k}" for k in range(names)) if isinstance(names, int) else tuple(names)
        self.representation, self.logits = representation, logits

    def __call__(self, element: Any, state: State) -> Tensor:
        (values,) = parts(state)
        images = self._images(element)
        if images is None:
            return values
        if not values.is_floating_point():
            return torch.as_tensor(images, device=values.device)[values]
        index = torch.empty(len(images), dtype=torch.long)
        index[torch.as_tensor(images)] = torch.arange(len(images))
        return values.index_select(values.ndim - 1, index.to(values.device))

    def require(self, element: Any) -> None:
        self._images(element)

    def error(self, element: Any, state: State) -> float:
        return 0.0

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        return (self.features(state)[:, :, None],)

    def features(self, state: State) -> Tensor:
        (values,) = parts(state)
        if not values.is_floating_point():
            return torch.eye(len(self.channels), dtype=torch.float64, device=values.device)[values.long().reshape(-1)]
        return values.softmax(-1) if self.logits else values

    def relative(self, a: State, b: State, element: Any = None) -> Tensor:
        return (self.features(a).double() - self.features(b).double()).abs().sum(1) / 2

    def scales(self, state: State) -> Tensor:
        return torch.ones(len(self.channels), dtype=torch.float64)

    def _images(self, element: Any) -> list[int] | None:
        if self.representation is None:
            return None
        matrix = self.representation.matrix(element)
        if matrix.shape != (len(self.channels),) * 2 or not ((matrix == 0) | (matrix == 1)).all() or not (matrix.sum(0) == 1).all():
            raise OrbitscopeError(
                f"Classes: `representation` should permute {len(self.channels)} classes; for {element!r} it gives\n{matrix}."
            )
        return [int(row) for row in matrix.argmax(0)]
