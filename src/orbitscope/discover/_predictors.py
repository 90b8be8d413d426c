"""Predictors: trained on halves of the data that do not overlap, judged on a part that none has seen."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from .._seed import permutation
from ..data import Examples
from ..symmetry import Action, Classes, State, length, mapped, parts, taken
from ..training import FitConfig, fit
from ._problem import Tell, silent

_HIDDEN = 128
_PRODUCTS = 64
_STEPS = 2000
_EPOCHS = 20
_WATCHED = 0.85
_SKILL = 0.1  # part of the variance, or of the entropy, that a predictor must explain before its derivatives mean anything
_FEW = 60


class ProductNet(nn.Module):
    r"""Vectors or point sets to answers: $f(x) = \mathrm{MLP}([z, (U z) \odot (V z)])$ with $z = (x - m) / s$, one common scale s.

    * `mean`: m, the mean of the flattened inputs, [F]. `scale`: s. `out`: shape of an answer.
    * `hidden`: width of the three layers. `products`: rows of U and V, how many products of learnt combinations it sees.

    It knows no metric and no motion: it assumes only that products of coordinates are useful, as they are where a symmetry is linear.
    """

    def __init__(self, mean: Tensor, scale: float, out: tuple[int, ...], hidden: int = _HIDDEN, products: int = _PRODUCTS) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", mean.clone())
        self.scale: Tensor
        self.register_buffer("scale", torch.tensor(float(scale), dtype=mean.dtype))
        self.out, size = tuple(out), len(mean)
        self.left, self.right = nn.Linear(size, products), nn.Linear(size, products)
        widths = [size + products, hidden, hidden, hidden]
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(a, b), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, math.prod(self.out)))

    def forward(self, x: Tensor) -> Tensor:
        """Answers [N, *out] of inputs `x` [N, ...]."""
        z = (x.flatten(1) - self.mean) / self.scale
        return self.layers(torch.cat([z, self.left(z) * self.right(z)], 1)).reshape(len(x), *self.out)


@dataclass(frozen=True, eq=False)
class Trained:
    """Predictors and what they have not seen.

    * `predictors`: in float64 and evaluation mode. `held`: the examples that none of them has seen.
    * `error`: of each on them, over that of the best constant: root mean square, or for classes the cross-entropy over the entropy.
    * `error_spread`: half the width of the interval of each `error`, from 200 bootstraps over units.
    """

    predictors: tuple[nn.Module, ...]
    held: Examples
    error: tuple[float, ...]
    error_spread: tuple[float, ...]


def trained(
    examples: Examples,
    output: Action[Any],
    make: Callable[[], nn.Module] | None = None,
    *,
    config: FitConfig | None = None,
    count: int = 2,
    out: Path | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Trained:
    """Two predictors (or `count`) on parts of `examples` that do not overlap, a fifth of the units held out from all of them.

    * `output`: the action on answers; classes are trained by cross-entropy, all else by mean squares in units of the answers.
    * `make`: makes a predictor; by default a `ProductNet` for vectors and point sets. `config`: of the training.
    * `out`: a folder for the runs, in which an interrupted training goes on. `seed`, `tell`: as in `discover_symmetry`.

    Raises `OrbitscopeError` for fewer than 60 units, answers that do not vary, and predictors without skill.
    """
    groups = _dealt(examples, count, seed)
    held, rest = examples.take(groups[-1]), groups[:-1]
    classes = is_class(output, examples.y)
    check_answers(examples.y)
    shift, unit = (0.0, 1.0) if classes else _centre(examples.take(np.concatenate(rest)).y, output)
    found = []
    for number, rows in enumerate(rest):
        mine = examples.take(rows)
        maker = make or _default(mine, output)
        settings, times = (config, 1) if config else _config(len(mine))
        learn, watch = _watched(mine, seed + number)

        def said(progress: Any, n: int = number, s: FitConfig = settings) -> None:
            tell(n * s.epochs + progress.epoch, count * s.epochs, "training predictors")

        made = fit(
            maker, Repeated(*_pair(learn, classes, shift, unit), times), settings, loss="cross_entropy" if classes else "mse",
            validation=Repeated(*_pair(watch, classes, shift, unit)), out=None if out is None else out / f"predictor-{number}",
            seed=seed + number, progress=said,
        )  # fmt: skip
        found.append(_Unscaled(made.model, shift, unit).double().eval())
    scores = [skill(one, held, classes, seed) for one in found]
    worst, spread = max(scores)
    if worst**2 + 2 * worst * spread > 1 - _SKILL and not classes or classes and worst + spread > 1 - _SKILL / 2:
        raise OrbitscopeError(
            f"data: the predictors have no skill: their error on held-out examples is {worst:.2f} (± {spread:.2f}) of that of the best "
            "constant. Nothing can be discovered from a model that knows nothing: give more examples, a better `model`, or look whether "
            "the answers follow from the inputs at all."
        )
    return Trained(tuple(found), held, tuple(s for s, _ in scores), tuple(e for _, e in scores))


class Repeated:
    """Examples (`x`, `y`) as `fit` takes them, each `times` times in an epoch."""

    def __init__(self, x: State, y: State, times: int = 1) -> None:
        # Not called x and y: whoever has these is read whole by `fit`, without its length.
        self.pair, self.times = (x, y), times

    def __len__(self) -> int:
        return length(self.pair[0]) * self.times

    def __getitem__(self, index: Tensor) -> tuple[State, State]:
        at = index % length(self.pair[0])
        return taken(self.pair[0], at), taken(self.pair[1], at)


class _Unscaled(nn.Module):
    """A network trained on answers in their unit, back in units of the data."""

    def __init__(self, model: nn.Module, shift: float, unit: float) -> None:
        super().__init__()
        self.model, self.shift, self.unit = model, shift, unit

    def forward(self, *x: Tensor) -> State:
        return mapped(lambda t: t * self.unit + self.shift, self.model(*x))


def skill(model: Callable[..., State], examples: Examples, classes: bool, seed: int = 0) -> tuple[float, float]:
    """The error of `model` on `examples` over that of the best constant, and half the width of its 95 % interval over units."""
    with torch.no_grad():
        answers = [model(*(p[k : k + 2048].double() if p.is_floating_point() else p[k : k + 2048] for p in parts(examples.x)))
                   for k in range(0, len(examples), 2048)]  # fmt: skip
    if classes:
        each, base, root = *_entropies(torch.cat(answers), examples.y), False
    else:
        y = _rows(examples.y)
        each = (torch.cat([_rows(a) for a in answers]) - y).square().sum(1).numpy()
        base, root = (y - y.mean(0)).square().sum(1).numpy(), True
    names, at = np.unique(examples.unit, return_inverse=True)
    sums = [np.bincount(at, w) for w in (each, base)]
    rng = np.random.default_rng([seed, 0x5C11])
    picks = rng.integers(len(names), size=(200, len(names)))
    ratios = sums[0][picks].sum(1) / np.maximum(sums[1][picks].sum(1), 1e-300)
    value = each.sum() / max(base.sum(), 1e-300)
    low, high = np.quantile(np.sqrt(ratios) if root else ratios, (0.025, 0.975))
    return float(np.sqrt(value) if root else value), float(high - low) / 2


def is_class(output: Action[Any], y: State) -> bool:
    """Whether answers are class numbers."""
    return isinstance(output, Classes) or (isinstance(y, Tensor) and not y.is_floating_point())


def check_answers(y: State) -> None:
    """Raise `OrbitscopeError` where all answers are the same."""
    if all(bool((p == p[:1]).all()) for p in parts(y)):
        raise OrbitscopeError(
            "data: all answers y are the same, so that every motion of x is a symmetry. Nothing can be discovered from them."
        )


def _dealt(examples: Examples, count: int, seed: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Row numbers of `count` training parts and of the held-out part, whole units each."""
    names = np.unique(examples.unit)
    if len(names) < _FEW:
        raise OrbitscopeError(
            f"data: {len(names)} independent units of examples are too few to train {count} predictors and hold some out; "
            f"give {_FEW} or more."
        )
    order = names[permutation(len(names), seed, "discover parts").numpy()]
    held = max(len(names) // 5, 10)
    cuts = [*np.array_split(order[held:], count), order[:held]]
    return [np.flatnonzero(np.isin(examples.unit, cut)) for cut in cuts]


def _default(examples: Examples, output: Action[Any]) -> Callable[[], nn.Module]:
    x, y = examples.x, examples.y
    if not isinstance(x, Tensor) or not isinstance(y, Tensor) or x[0].numel() > 512:
        raise OrbitscopeError(
            "model: there is a default predictor for vectors and point sets of up to 512 numbers only. Give `model`, a callable that makes "
            "a module for these inputs."
        )
    flat = x.flatten(1).float()
    mean = flat.mean(0)
    scale = float((flat - mean).square().mean().sqrt())
    if scale == 0.0:
        raise OrbitscopeError("data: all inputs x are the same. Give examples that differ.")
    out = (max(2, int(y.max()) + 1 if not isinstance(output, Classes) else len(output.channels)),) if is_class(output, y) else y.shape[1:]
    return lambda: ProductNet(mean, scale, tuple(out))


def _config(count: int) -> tuple[FitConfig, int]:
    """Some 2,000 steps in twenty epochs, whatever the number of examples, and how often each is seen in an epoch: an epoch costs a save."""
    batch = min(256, max(16, count // 8))
    once = max(1, math.ceil(_WATCHED * count / batch))
    times = max(1, round(_STEPS / _EPOCHS / once))
    epochs = max(2, round(_STEPS / (once * times)))
    return FitConfig(epochs=epochs, batch=batch, learning_rate=3e-3, weight_decay=1e-3, device="cpu"), times


def _watched(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """What is learnt from, and whole units that tell the best epoch."""
    names = np.unique(examples.unit)
    order = names[permutation(len(names), seed, "discover watched").numpy()]
    chosen = np.isin(examples.unit, order[: round(_WATCHED * len(names))])
    return examples.take(chosen), examples.take(~chosen)


def _pair(examples: Examples, classes: bool, shift: float, unit: float) -> tuple[State, State]:
    y = mapped(lambda t: t.long(), examples.y) if classes else _scaled(examples.y, shift, unit)
    return _float(examples.x), y


def _centre(y: State, output: Action[Any]) -> tuple[float, float]:
    """What is taken off all answers, and their size: a shift only where no motion changes them."""
    flat = torch.cat([p.double().flatten() for p in parts(y)])
    shift = float(flat.mean()) if type(output).__name__ == "Invariant" else 0.0
    return shift, float((flat - shift).square().mean().sqrt()) or 1.0


def _scaled(y: State, shift: float, unit: float) -> State:
    return mapped(lambda t: ((t.double() - shift) / unit).float(), y)


def _float(x: State) -> State:
    return mapped(lambda t: t.float() if t.is_floating_point() else t, x)


def _rows(y: State) -> Tensor:
    return torch.cat([p.double().flatten(1) if p.ndim > 1 else p.double()[:, None] for p in parts(y)], 1)


def _entropies(logits: Tensor, y: Tensor) -> tuple[Any, Any]:
    """Cross-entropy of every example, and that of the class frequencies."""
    wide = torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    p = torch.bincount(y.long(), minlength=wide.shape[1]).double() / len(y)
    each = torch.nn.functional.cross_entropy(wide, y.long(), reduction="none")
    return each.numpy(), -p[y.long()].clamp_min(1e-12).log().numpy()
