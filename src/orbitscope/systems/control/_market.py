"""Daily returns of a market, and walk-forward splits of their days: what is learnt from ends before what is judged begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError
from ..._expect import expect_number

Array = NDArray[np.float64]
TRADING_DAYS = 252
"""Days of trade in a year."""


@dataclass(frozen=True, eq=False)
class Market:
    r"""Simple returns $r_t = p_t / p_{t-1} - 1$ of some series on the same days.

    * `returns` [days, series]: fractions, 0.01 is one per cent. `days` [days]: dates (datetime64), the one on which a return is complete.
    * `names`: of the series.

    Raises `OrbitscopeError` for NaN, returns of -1 or less, days out of order, and lengths that differ. Use `of_prices` for prices.
    """

    returns: Array
    days: NDArray[np.datetime64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        given = np.array(self.returns, dtype=np.float64)
        days = np.asarray(self.days, dtype="datetime64[D]")
        if given.ndim != 2 or given.shape != (len(days), len(self.names)):
            raise OrbitscopeError(
                f"Market: `returns` should be [days, series], here [{len(days)}, {len(self.names)}] by `days` and `names`; got shape "
                f"{given.shape}."
            )
        if len(days) > 1 and not (np.diff(days) > np.timedelta64(0, "D")).all():
            at = int(np.argmax(np.diff(days) <= np.timedelta64(0, "D")))
            raise OrbitscopeError(f"Market: `days` should rise; {days[at + 1]} follows {days[at]}. Sort them and drop doubled ones.")
        _finite(given, days, self.names, "returns")
        if (given <= -1).any():
            raise OrbitscopeError(f"Market: `returns` hold {given.min():.3g}: a loss of everything or more. Are they per cent, or prices?")
        object.__setattr__(self, "returns", given)
        object.__setattr__(self, "days", days)
        object.__setattr__(self, "names", tuple(self.names))

    @classmethod
    def of_prices(cls, prices: ArrayLike, days: ArrayLike, names: Sequence[str]) -> "Market":
        """The returns of prices, which do not depend on the unit of a price.

        * `prices` [days, series]: above 0, in any currency. `days` [days]: dates. `names`: of the series.

        Raises `OrbitscopeError` for NaN, prices of 0 or less, and fewer than two days.
        """
        given, dates = np.array(prices, dtype=np.float64), np.asarray(days, dtype="datetime64[D]")
        if given.ndim != 2 or len(given) < 2 or given.shape != (len(dates), len(names)):
            raise OrbitscopeError(
                f"Market: `prices` should be [days, series], at least two days, here [{len(dates)}, {len(names)}]; got {given.shape}."
            )
        _finite(given, dates, tuple(names), "prices")
        if (given <= 0).any():
            raise OrbitscopeError(
                f"Market: `prices` should lie above 0, got {given.min():.3g}. Returns go into Market(returns, ...) itself."
            )
        return cls(given[1:] / given[:-1] - 1, dates[1:], tuple(names))

    def __len__(self) -> int:
        return len(self.returns)

    def between(self, first: str, last: str) -> "Market":
        """The days from `first` to `last`, both included, as "2005-01-01"; raises `OrbitscopeError` where there is none."""
        kept = (self.days >= np.datetime64(first)) & (self.days <= np.datetime64(last))
        if not kept.any():
            raise OrbitscopeError(f"Market: no day lies from {first} to {last}; there are {self.days[0]} to {self.days[-1]}.")
        return Market(self.returns[kept], self.days[kept], self.names)

    def __repr__(self) -> str:
        return f"Market({', '.join(self.names)}: {len(self)} days, {self.days[0]} to {self.days[-1]})"


def index_market() -> Market:
    """Daily returns of the S&P 500 and the NASDAQ Composite, January 1999 to December 2018: closing prices that the package arch ships.

    Raises `OrbitscopeError` where arch is not installed. Where it fails: indices cannot be bought; no dividends are in them.
    """
    try:
        from arch.data import nasdaq, sp500
    except ModuleNotFoundError as error:
        raise OrbitscopeError(
            f"index_market: the two series come with the package arch, and {error.name} is missing: pip install arch."
        ) from error
    first, second = sp500.load()["Adj Close"], nasdaq.load()["Adj Close"]
    both = first.to_frame("S&P 500").join(second.to_frame("NASDAQ"), how="inner")
    return Market.of_prices(both.to_numpy(), both.index.to_numpy(), ("S&P 500", "NASDAQ"))


@dataclass(frozen=True)
class Fold:
    """One step of a walk forward: rows [0, `cut`) of the returns are learnt from, [`cut`, `end`) are judged; `name`: its year."""

    cut: int
    end: int
    name: str


def walk_forward(market: Market, first: int, last: int) -> tuple[Fold, ...]:
    """A fold for every calendar year from `first` to `last`, learnt from all days before it.

    * `market`: the returns. `first`, `last`: years, both included.

    Raises `OrbitscopeError` for a year without days and for a first year before which there are fewer than 252 days.

    >>> days = np.arange(np.datetime64("2000-01-01"), np.datetime64("2003-01-01"))
    >>> walk_forward(Market(np.zeros((len(days), 1)), days, ("cash",)), 2001, 2002)
    (Fold(cut=366, end=731, name='2001'), Fold(cut=731, end=1096, name='2002'))
    """
    for what, value in (("first", first), ("last", last)):
        expect_number(value, f"walk_forward: `{what}`", whole=True)
    years = market.days.astype("datetime64[Y]").astype(int) + 1970
    folds = []
    for year in range(first, last + 1):
        rows = np.flatnonzero(years == year)
        if not len(rows):
            raise OrbitscopeError(f"walk_forward: no day lies in {year}; there are {market.days[0]} to {market.days[-1]}.")
        if rows[0] < TRADING_DAYS:
            raise OrbitscopeError(f"walk_forward: {rows[0]} days lie before {year}, too few to learn from. Begin a year later.")
        folds.append(Fold(int(rows[0]), int(rows[-1]) + 1, str(year)))
    if not folds:
        raise OrbitscopeError(f"walk_forward: `last` should not be before `first`, got {first} and {last}.")
    return tuple(folds)


def _finite(values: Array, days: NDArray[np.datetime64], names: tuple[str, ...], what: str) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        day, series = bad[0]
        raise OrbitscopeError(
            f"Market: `{what}` hold {len(bad)} NaN or infinite values, the first on {days[day]} in {names[series]}. Drop those days, or "
            "fill them with what was known then."
        )
