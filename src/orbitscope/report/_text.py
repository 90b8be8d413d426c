"""Numbers, lists and verdict words, as a person writes them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from markupsafe import Markup

Level: TypeAlias = Literal["holds", "partly", "chance", "broken", "unknown"]
"""How far a symmetry holds: the five states that the report draws, each with its own colour and its own shape."""

MISSING = "not available"
CONTRADICTS = "file contradicts its declared convention"
"""The audit's verdict that makes everything downstream doubtful."""
BREAKS = "file breaks its laws"
"""The audit's verdict on a file that obeys its equation under no reading."""

_LEVELS: dict[str, Level] = {
    "holds": "holds",
    "shared": "holds",
    "learnt": "holds",
    "exact": "holds",
    "exact up to rounding": "holds",
    "costs nothing": "holds",
    "consistent": "holds",
    "symmetry of the physics and of the file": "holds",
    "approximate": "partly",
    "approximate symmetry of the physics": "partly",
    "approximately": "partly",
    "partly": "partly",
    "partly shared": "partly",
    "symmetry of the physics, not of this file's distribution": "partly",
    "symmetry of the physics; too few trajectories to test the file": "partly",
    "no more than chance": "chance",
    "broken": "broken",
    "costs": "broken",
    "opposed": "broken",
    "not shared": "broken",
    "not learnt": "broken",
    "not a symmetry": "broken",
    "not a symmetry of this file's distribution; physics unchecked": "chance",
    "file breaks its laws": "broken",
    CONTRADICTS: "broken",
}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def level(word: str) -> Level:
    """The state that a verdict word stands for; a word that the report does not know is "unknown", never guessed.

    >>> level("Not shared"), level("undetermined")
    ('broken', 'unknown')
    """
    return _LEVELS.get(" ".join(str(word).lower().split()), "unknown")


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` significant digits, "not available" for what is missing or not finite.

    >>> number(0.00001234), number(1.0), number(float("nan")), number(12345678)
    ('1.23 × 10⁻⁵', '1', 'not available', '1.23 × 10⁷')
    """
    value = as_float(value)
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        plain = f"{value:.{digits}g}"
        return (f"{value:.0f}" if "e" in plain else plain).replace("-", "−")
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa).replace("-", "−")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def as_float(value: Any) -> float:
    """A float, NaN where `value` is none."""
    try:
        return float(np.asarray(value).reshape(-1)[0]) if np.size(value) == 1 else math.nan
    except (TypeError, ValueError):
        return math.nan


def span(values: Any, digits: int = 3) -> str:
    """The range of the finite values: "0.98 to 1.02", or one number.

    >>> span([1.5, float("nan"), 2]), span([])
    ('1.5 to 2', 'not available')
    """
    array = np.asarray(values, dtype=float).reshape(-1)
    array = array[np.isfinite(array)]
    if not array.size:
        return MISSING
    low, high = number(array.min(), digits), number(array.max(), digits)
    return low if low == high else f"{low} to {high}"


def count(n: int, one: str, many: str = "") -> str:
    """ "1 case", "3 cases"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def join(words: Sequence[str], word: str = "and") -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {word} {words[-1]}" if words else ""


def quoted(name: str) -> str:
    """A name for a sentence: in quotation marks where it holds a comma or a blank, which could be read as the sentence's own.

    >>> quoted("unet"), quoted("Euler, UNet")
    ('unet', '“Euler, UNet”')
    """
    return f"“{name}”" if any(c in name for c in " ,;") else name


def percent(share: Any) -> str:
    """A share in per cent with two digits; "not available" for what is not finite.

    >>> percent(0.344), percent(0.0123), percent(-16.4)
    ('34 %', '1.2 %', '−1640 %')
    """
    value = 100 * as_float(share)
    return MISSING if not math.isfinite(value) else f"{value:.0f} %".replace("-", "−") if abs(value) >= 10 else f"{number(value, 2)} %"


def element_list(names: Iterable[str], total: int = 0, limit: int = 9) -> str:
    """Element names for a sentence: runs of shifts are folded, long lists are cut.

    >>> element_list("0123"), element_list(["e", "r2"]), element_list("0123", total=4)
    ('0–3', 'e, r2', 'all 4')
    """
    names = list(names)
    if total > limit and len(names) == total:
        return f"all {total}"
    if total and len(names) == total and all(n.isdigit() for n in names):
        return f"all {total}"
    if names and all(n.isdigit() for n in names):
        names = _runs(sorted(int(n) for n in names))
    if len(names) > limit:
        return f"{', '.join(names[: limit - 2])}, … ({len(names)} in all)"
    return ", ".join(names)


def _runs(numbers: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return [f"{r[0]}–{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs]


def code(text: str) -> Markup:
    """Text with `names` in code type; everything else is escaped."""
    parts = str(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(p) if i % 2 and i + 1 < len(parts) else Markup.escape(p) for i, p in enumerate(parts)
    )
