"""How many directions hold: breaking against what unrelated examples give, with the predictors' own noise and a bootstrap."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ._problem import Array
from ._rates import Rates

Word = Literal["exact", "approximate", "undetermined", "broken", "unseen"]

_HELD = ("exact", "approximate")

# What a direction is called from.
HOLDS = 0.05  # of the square that unrelated examples give: a fifth in size
BLIND = 0.25  # predictors that disagree by so much cannot tell
SHARED = 0.7  # correlation of the predictors' rates above which what is left is in the data and not in the predictors
GAP = 3.0  # neighbours in the spectrum whose ratio is larger belong to different levels
WIDEST = 12.0  # degrees by which resampled examples may turn the span that holds: one that is known worse is not claimed
UNSEEN = 1e-8  # mean square motion of the data, over that of the direction that moves them most
_RIDGE = 1e-4  # of the mean eigenvalue of the scale: a direction that could not change any answer by more than this holds


@dataclass(frozen=True, eq=False)
class Forms:
    """Quadratic forms on the algebra, per example and chart, [N, C, m, m]: what directions of it cost.

    * `signal`: the breaking that two predictors agree on; `noise`: half the square of their difference; `scale`: by unrelated examples.
    * `null`: as `scale`, with other strangers.
    """

    signal: Array
    noise: Array
    scale: Array
    null: Array

    @classmethod
    def of(cls, rates: Rates) -> "Forms":
        """Of the breaking `rates`."""
        v, count = rates.own, len(rates.own)
        mean = _gram(v.mean(0), v.mean(0))
        within = sum((_gram(one, one) for one in v), np.zeros_like(mean)) / count
        # Over P predictors: the mean over pairs of different ones, and what is left.
        signal = within if count == 1 else (count * mean - within) / (count - 1)
        scale = sum((_gram(one, one) for one in rates.unrelated), np.zeros_like(mean)) / count
        null = sum((_gram(one, one) for one in rates.again), np.zeros_like(mean)) / count
        return cls(signal, within - signal, scale, null)

    def within(self, span: Array) -> "Forms":
        """The forms on some directions: the columns of `span` [m, k]."""
        return Forms(*(span.T @ f @ span for f in _each(self)))

    def mean(self, rows: NDArray[np.int64] | None = None) -> tuple[Array, Array, Array]:
        """Signal, noise and scale as mean over examples (of `rows`) and charts, [m, m]."""
        signal, noise, scale = (f.mean((0, 1)) if rows is None else _mean_of(f, rows) for f in (self.signal, self.noise, self.scale))
        return signal, noise, scale

    def pooled(self) -> "Forms":
        """The forms with all charts as one, their mean."""
        return self if self.signal.shape[1] == 1 else Forms(*(f.mean(1, keepdims=True) for f in _each(self)))


def _each(forms: Forms) -> tuple[Array, ...]:
    return forms.signal, forms.noise, forms.scale, forms.null


def _mean_of(form: Array, rows: NDArray[np.int64]) -> Array:
    """The mean of a form [N, C, m, m] over charts and `rows`, drawn with repetition: by weights, as copies of rows take far longer."""
    weights = np.bincount(rows, minlength=len(form)) / (len(rows) * form.shape[1])
    return (np.repeat(weights, form.shape[1]) @ form.reshape(form.shape[0] * form.shape[1], -1)).reshape(form.shape[2:])


def _gram(a: Array, b: Array) -> Array:
    return np.einsum("nctk,nctl->nckl", a, b, optimize=True)


@dataclass(frozen=True, eq=False)
class Evidence:
    r"""What held-out examples say about directions, ordered from the most symmetric.

    * `directions`: coefficients [m, k] in the orthonormal basis of the algebra, column by column.
    * `breaking` [k]: $b_i = S_i / D_i$, the squared breaking that the predictors agree on over that with unrelated examples: 0 for a
      symmetry, about 1 for a direction that means nothing. `low`, `high` [k]: its interval from the bootstrap over units.
    * `noise` [k]: what the predictors disagree on, in the same unit. `correlation` [k]: of their rates, S / (S + noise).
    * `words` [k]: exact, approximate, undetermined, broken, unseen. `levels`: how many directions lie before each gap of the spectrum.
    * `null`: the 1 % quantile of the smallest breaking among as many directions where examples are unrelated.
    * `spread` [bootstraps]: largest angle in degrees of the accepted span in resampled examples to the accepted span.
    * `by_chart` [C, k]: the breaking of each direction in each chart. `settings`: the limits behind the words.
    * `withdrawn`: how many directions would hold by their breaking, but as a span that resampled examples turn by more than 12 degrees (95
      % quantile of `spread`): they are called undetermined, and none is claimed.
    """

    directions: Array
    breaking: Array
    low: Array
    high: Array
    noise: Array
    correlation: Array
    words: tuple[Word, ...]
    levels: tuple[int, ...]
    null: float
    spread: Array
    by_chart: Array
    settings: dict[str, float] = field(default_factory=dict)
    withdrawn: int = 0

    @property
    def count(self) -> int:
        """How many directions hold: the inner ones, all within the noise, where a gap parts them from others that hold only roughly.

        An algebra that keeps what all data obey (a cone on which all momenta lie) holds roughly for whatever answer.
        """
        return _inner(self.words, self.levels)

    @property
    def rough(self) -> int:
        """How many directions hold at least roughly: `count`, and those beyond a gap that are small against unrelated examples still."""
        return _holding(self.words)


def weigh(forms: Forms, moved: Array, unit: NDArray[np.int64], span: Array | None = None, *, seed: int = 0, draws: int = 200) -> Evidence:
    """The evidence on directions, from what they cost on held-out examples.

    * `forms`: what directions cost. `moved`: how far they move the data, [m, m] (see `Rates`).
    * `unit` [N]: what is independent of what, for the bootstrap. `draws`: how many resamples; `seed`: which.
    * `span` [m, k]: directions as columns; by default the whole algebra.
    """
    m = forms.signal.shape[-1]
    span = np.eye(m) if span is None else np.linalg.qr(span)[0]
    local, seen = forms.within(span), span.T @ moved @ span
    if (still := np.linalg.eigvalsh(seen) < UNSEEN * max(np.linalg.eigvalsh(moved)[-1], 1e-300)).any():
        return _with_unseen(forms, moved, unit, span, seen, int(still.sum()), seed, draws)
    ridge = _ridge(forms.mean()[2])  # of the whole algebra: a span may hold nothing but directions that no answer depends on
    columns = solve(*local.mean(), ridge)
    values, noise = _values(local, columns)
    rng = np.random.default_rng([seed, 0xB007])
    pooled = local.pooled()
    boots = [solve_values(pooled, rows, ridge) for rows in _resampled(unit, rng, draws)]
    drawn = np.array([b[0] for b in boots])
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0) if draws else (values, values)
    # Ordered values are biased by their ordering; an interval that does not hold the estimate says nothing.
    low, high = np.minimum(low, values), np.maximum(high, values)
    null = float(np.quantile([_smallest_null(pooled, rows, ridge) for rows in _resampled(unit, rng, draws)], 0.01)) if draws else 1.0
    correlation = values / np.maximum(values + noise, 1e-300)
    words, levels = _words(values, low, high, noise, correlation), _levels(values, low, high, noise, correlation)
    count = _inner(words, levels)
    spread = np.array([_largest_angle(b[1][:, :count], columns[:, :count]) for b in boots]) if count else np.zeros(0)
    withdrawn = count if len(spread) and float(np.quantile(spread, 0.95)) > WIDEST else 0
    if withdrawn:
        words = tuple[Word, ...]("undetermined" if w in _HELD else w for w in words)
    return Evidence(
        directions=_normalised(span @ columns), breaking=values, low=low, high=high, noise=noise, correlation=correlation, words=words,
        levels=levels, null=null, spread=spread, by_chart=_by_chart(local, columns, ridge),
        settings={"holds": HOLDS, "blind": BLIND, "shared": SHARED, "gap": GAP, "widest": WIDEST, "draws": float(draws)},
        withdrawn=withdrawn,
    )  # fmt: skip


def solve(signal: Array, noise: Array, scale: Array, ridge: float | None = None) -> Array:
    """Directions [k, k] in columns with $S a = b (D + r) a$, smallest b first, scaled to $a^T (D + r) a = 1$.

    The noise is in the form that is solved, so that a direction is not chosen for a chance negative product of two predictors. The small
    `ridge` r is that of `scale` where none is given.
    """
    root = np.linalg.cholesky(scale + max(_ridge(scale) if ridge is None else ridge, 1e-300) * np.eye(len(scale)))
    inverse = np.linalg.inv(root)
    return np.asarray(inverse.T @ np.linalg.eigh(inverse @ (signal + noise) @ inverse.T)[1], dtype=np.float64)


def _ridge(scale: Array) -> float:
    return float(_RIDGE * np.trace(scale) / len(scale))


def solve_values(forms: Forms, rows: NDArray[np.int64], ridge: float) -> tuple[Array, Array]:
    """The breaking of every direction in a resample, and the directions."""
    signal, noise, scale = forms.mean(rows)
    columns = solve(signal, noise, scale, ridge)
    return np.einsum("ik,ij,jk->k", columns, signal, columns), columns


def _values(forms: Forms, columns: Array) -> tuple[Array, Array]:
    signal, noise, _ = forms.mean()
    return tuple(np.einsum("ik,ij,jk->k", columns, f, columns) for f in (signal, noise))  # type: ignore[return-value]


def _by_chart(forms: Forms, columns: Array, ridge: float) -> Array:
    """The breaking in each chart, in units of that chart's own scale."""
    signal, scale = forms.signal.mean(0), forms.scale.mean(0)
    above = np.einsum("ik,cij,jk->ck", columns, signal, columns)
    return above / np.maximum(np.einsum("ik,cij,jk->ck", columns, scale, columns) + ridge * np.sum(columns**2, 0), 1e-300)


def _smallest_null(forms: Forms, rows: NDArray[np.int64], ridge: float) -> float:
    scale = _mean_of(forms.scale, rows)
    null = _mean_of(forms.null, rows) + ridge * np.eye(len(scale))
    columns = solve(null, np.zeros_like(scale), scale, ridge)
    return float(np.einsum("i,ij,j->", columns[:, 0], null, columns[:, 0]))


def _words(values: Array, low: Array, high: Array, noise: Array, correlation: Array) -> tuple[Word, ...]:
    """A word for every direction; from the first that does not hold on, none does."""
    open_still = True
    found: list[Word] = []
    for b, below, above, n, r in zip(values, low, high, noise, correlation, strict=True):
        holds = open_still and above <= HOLDS and n <= BLIND
        open_still = holds
        if holds:
            found.append("approximate" if r > SHARED and b > 1e-6 else "exact")
        else:
            found.append("broken" if below > HOLDS and r > 0.5 else "undetermined")
    return tuple(found)


def _levels(values: Array, low: Array, high: Array, noise: Array, correlation: Array) -> tuple[int, ...]:
    """Numbers of directions before the gaps: where what follows is larger by `GAP`, and known to be broken more than its noise says.

    Larger with the noise in both, or, as noise of the predictors hides what they agree on, in what they agree on, intervals apart.
    """
    total, agreed = np.maximum(values, 0) + noise, np.maximum(values, 1e-12)
    apart = [
        total[k] >= GAP * max(total[k - 1], 1e-12) or (values[k] >= GAP * agreed[:k].max() and low[k] > high[:k].max())
        for k in range(1, len(total))
    ]
    return tuple(k for k, gap in enumerate(apart, 1) if gap and correlation[k] > SHARED)


def _holding(words: tuple[Word, ...]) -> int:
    return next((k for k, w in enumerate(words) if w not in _HELD), len(words))


def _inner(words: tuple[Word, ...], levels: tuple[int, ...]) -> int:
    """Of what holds, the exact directions before a gap, where there are any."""
    holding = _holding(words)
    return next((k for k in levels if k < holding and all(w == "exact" for w in words[:k])), holding)


def _resampled(unit: NDArray[np.int64], rng: np.random.Generator, draws: int) -> list[NDArray[np.int64]]:
    """Row numbers of bootstraps over whole units."""
    names, at = np.unique(unit, return_inverse=True)
    if len(names) == len(unit):
        return [rng.integers(len(unit), size=len(unit)) for _ in range(draws)]
    members = [np.flatnonzero(at == k) for k in range(len(names))]
    return [np.concatenate([members[k] for k in rng.integers(len(names), size=len(names))]) for _ in range(draws)]


def _largest_angle(a: Array, b: Array) -> float:
    """Largest principal angle between two spans, in degrees."""
    cosines = np.linalg.svd(np.linalg.qr(a)[0].T @ np.linalg.qr(b)[0], compute_uv=False)
    return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))


def _normalised(columns: Array) -> Array:
    return columns / np.linalg.norm(columns, axis=0)


def _with_unseen(
    forms: Forms, moved: Array, unit: NDArray[np.int64], span: Array, seen: Array, still: int, seed: int, draws: int
) -> Evidence:
    """The evidence on the directions that move data; those that do not come last and are called unseen."""
    vectors = np.linalg.eigh(seen)[1]
    rest = weigh(forms, moved, unit, span @ vectors[:, still:], seed=seed, draws=draws)
    nothing, wide = np.full(still, np.nan), lambda a: np.concatenate([a, np.full((*a.shape[:-1], still), np.nan)], -1)  # noqa: E731
    return Evidence(
        directions=np.concatenate([rest.directions, span @ vectors[:, :still]], 1), breaking=np.append(rest.breaking, nothing),
        low=np.append(rest.low, nothing), high=np.append(rest.high, nothing), noise=np.append(rest.noise, nothing),
        correlation=np.append(rest.correlation, nothing), words=(*rest.words, *("unseen" for _ in range(still))),
        levels=rest.levels, null=rest.null, spread=rest.spread, by_chart=wide(rest.by_chart), settings=rest.settings,
        withdrawn=rest.withdrawn,
    )  # fmt: skip
