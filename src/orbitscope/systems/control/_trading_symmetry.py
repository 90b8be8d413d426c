"""The symmetries of a market of two series: long for short, one series for the other."""

from ...symmetry import FiniteGroup, Group, dihedral, parse_group
from ._env_symmetry import EnvSymmetry

WINDOW, LENGTH = 20, 252
"""Days that a trader looks back, and days of an episode."""


def trading_symmetry(group: Group | str = "reflection*swap", *, window: int = WINDOW, length: int = LENGTH) -> EnvSymmetry:
    r"""What is declared of `TradingEnv` with two series: $(r, a) \to (gr, ga)$ leaves what a position earns alone.

    * `group`: a finite group within D4, or a word of `market_group`. `window`, `length`: of the environment.

    >>> trading_symmetry("reflection", window=2).act(market_group("reflection")["r2"], [0.5, 1.0]).tolist()
    [-0.5, -1.0]
    """
    made = market_group(group) if isinstance(group, str) else group
    state = (f"returns:vector*{window + length}", "held:vector", "clock")
    return EnvSymmetry(made, (f"returns:vector*{window}", "held:vector"), "position:vector", state)


def market_group(words: str = "reflection*swap") -> Group:
    """A group of a market of two series, within D4, whose "vector" is a number for each series.

    * `words`: "reflection" (all returns and positions change sign: long for short), "swap" (the two series are exchanged), their
      product "reflection*swap", of four elements; or the word of a group of the plane, such as "d4", whose mirrors also change the sign of
      one series alone.

    >>> [g.name for g in market_group("reflection*swap")]
    ['e', 'r2', 'sr', 'sr3']
    """
    square = dihedral(4)
    half, swap = square["r2"], square["sr"]
    made = {"reflection": [half], "swap": [swap], "reflection*swap": [half, swap]}
    if words not in made:
        return parse_group(words)
    kept = FiniteGroup.generated(words, made[words])
    return FiniteGroup(words, [g for g in square if g in kept])
