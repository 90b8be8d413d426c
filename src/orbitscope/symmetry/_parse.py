"""How words name groups."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from .._errors import OrbitscopeError
from ._direct_product import sampled, times
from ._frames import boosts, scalings
from ._group import Group
from ._groups import cyclic, dihedral, octahedral, product, rotations, rotations_reflections, symmetric, translations
from ._lie_groups import (
    affine,
    euclidean,
    general_linear,
    lorentz,
    orthogonal,
    special_euclidean,
    special_linear,
    special_orthogonal,
)
from ._limits import SIZE, readable
from ._presented import braid, free, parse_presentation

_PLAIN: dict[str, Callable[[int], Group[Any]]] = {
    "so": special_orthogonal, "o": orthogonal, "s": symmetric, "b": braid, "f": free,
}  # fmt: skip
_RANGED: dict[str, Callable[..., Group[Any]]] = {
    "se": special_euclidean, "e": euclidean, "gl": general_linear, "sl": special_linear, "aff": affine,
}  # fmt: skip
_LORENTZ: Callable[..., Group[Any]] = lorentz
_SAID = (
    "Say c4, d4, so2, o2, so2/32, tx, ty, tx16 or a product such as d4*tx8*ty8; in three dimensions oh, o, tz too. Without a box: so3, o3, "
    "se3, e3, gl3, sl2, aff2, lorentz, so+(1,3), boosts2, scalings, s5, b3, f2, <a, b | a b = b a>; with a count of samples, so3/24; and "
    "products of independent parts, se3 x se3."
)


def parse_group(words: str, *, points: int | Sequence[int] = 32, ndim: int | None = None) -> Group[Any]:
    """A group from words: c4, d4, so2, o2, so2/32, tx, ty (`points` shifts), tx16, and products such as d4*tx8*ty8.

    * `words`: in three dimensions (`ndim`, or three `points`) also oh, o, tz. Groups that are not motions of a box: so3, o3 (any size from
      3; those of the plane are "SO(2,R)" and "O(2,R)", as so2 and o2 are sampled rotations of a grid), se2, se3, e3, gl2, sl2, aff2,
      lorentz, "O(1,3)", "SO(1,3)", "SO+(1,3)", boosts2, scalings, s5 (permutations), b3 (braids), f2 (free), presentations such as
      "<a, b | a^2, a b = b a>", "<S4>" and "<C5>" (symmetric and cyclic groups in words). "so3/24" is a sample of 24, "se3@2" draws from
      a range of 2, and "se3 x se3" has independent parts.
    * `points`: how many shifts tx, ty, tz have, one number or one per axis. `ndim`: dimensions of the box, for isometries alone.

    The name of every group that comes with the library parses back to it, "SO(2)/16" and "D4*Tx8*Ty8" too. Raises `OrbitscopeError` for
    words that mean nothing.

    >>> parse_group("D4"), parse_group("tx", points=8), parse_group("so2/8")
    (D4 (8 elements), Tx8 (8 elements), SO(2)/8 (8 elements))
    >>> parse_group("tz", points=(8, 8, 4)), parse_group("oh")
    (Tz4 (4 elements), Oh (48 elements))
    >>> parse_group("so3/24"), parse_group("se3 x s3"), parse_group("b3")
    (SO(3)/24 (24 elements), SE(3) x S3, B3)
    """
    readable(words, "group")
    if ndim is None:
        ndim = 2 if isinstance(points, int) else len(points)
    per_axis = (points,) * ndim if isinstance(points, int) else tuple(points)
    parts = _apart(words)
    if len(parts) > 1:
        return times(*(parse_group(part, points=points, ndim=ndim) for part in parts))
    text = parts[0].strip()
    if text.startswith(("(", "<")):
        return _bracketed(text, lambda inside: parse_group(inside, points=points, ndim=ndim), words)
    group = None if "*" in text else _boxless("".join(text.lower().split()), words)
    return _isometries(text, words, per_axis) if group is None else group


def _apart(words: str) -> list[str]:
    """The factors of a product of independent parts: cut at " x " outside of brackets."""
    parts, depth = [""], 0
    for piece in re.split(r"([()<>]| x )", words):
        depth += (piece in ("(", "<")) - (piece in (")", ">"))
        if piece == " x " and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _bracketed(text: str, parse: Callable[[str], Group[Any]], whole: str) -> Group[Any]:
    """ "<a | a^2>" or "(se3 x se3)", with or without a count behind."""
    match = re.fullmatch(r"(<.*>|\(.*\))(?:/(\d+))?", text)
    if match is None:
        raise _unreadable(whole)
    group = parse_presentation(match[1]) if text[0] == "<" else parse(match[1][1:-1])
    return sampled(group, int(match[2])) if match[2] else group


def _boxless(word: str, whole: str) -> Group[Any] | None:
    """A group that is no set of isometries of a box, or None for another word."""
    match = re.fullmatch(r"([^@/]+)(?:@([^/]+))?(?:/(\d+))?", word)
    if match is None:
        return None
    base, ranges, count = match.groups()
    try:
        numbers = [] if ranges is None else [float(r) for r in ranges.split(",")]
    except ValueError:
        raise _unreadable(whole) from None
    group = _infinite(base, numbers)
    if group is None and numbers:
        raise _unreadable(whole)
    return sampled(group, int(count)) if group is not None and count else group


def _infinite(base: str, numbers: list[float]) -> Group[Any] | None:
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers), default=0) > 1e9:
        raise OrbitscopeError(f"group: the range of {base!r} should be finite numbers, got {numbers}.")
    if any(int(size) > SIZE for size in re.findall(r"\d+", base)):
        raise OrbitscopeError(f"group: {base!r} is larger than {SIZE}, the largest size of matrices and words here.")
    if len(numbers) > 1 and not base.startswith(("boosts", "scalings")):
        return None
    scale = {"scale": numbers[0]} if numbers else {}
    if match := re.fullmatch(r"(so\+|so|o)\((\d+),(\d+)\)", base):
        return _LORENTZ(int(match[2]), int(match[3]), kind=match[1].upper(), **scale)
    if base == "lorentz":
        return _LORENTZ(**scale)
    if base == "scalings" and len(numbers) in (0, 3):
        return scalings(numbers[0], numbers[1], int(numbers[2])) if numbers else scalings()
    match = re.fullmatch(r"([a-z]+)\(?(\d+)(,r)?\)?", base)
    if match is None or (match[1] in ("so", "o") and match[2] == "2" and not match[3]):
        return None
    if match[1] == "boosts":
        return boosts(int(match[2]), numbers or (1.0,))
    if match[1] in _RANGED:
        return _RANGED[match[1]](int(match[2]), **scale)
    return _PLAIN[match[1]](int(match[2])) if match[1] in _PLAIN and not numbers else None


def _isometries(text: str, whole: str, points: tuple[int, ...]) -> Group[Any]:
    plain = text.translate(str.maketrans("", "", "()"))  # as printed: SO(2)/16, O(2)/8
    factors = [_isometry_factor(word.strip().lower(), whole, points) for word in plain.split("*")]
    group = factors[-1]
    for factor in reversed(factors[:-1]):
        group = product(factor, group)
    return group


def _isometry_factor(word: str, whole: str, points: tuple[int, ...]) -> Group[Any]:
    head = word.rstrip("0123456789").rstrip("/")
    tail = word[len(head) :].lstrip("/")
    if word.startswith(("so2", "o2")):
        kind, _, samples = word.partition("/")
        if kind in ("so2", "o2") and (not samples or samples.isdigit()):
            return (rotations if kind == "so2" else rotations_reflections)(int(samples or 16))
    elif head in ("c", "d") and tail:
        return (cyclic if head == "c" else dihedral)(int(tail))
    elif word in ("o", "oh"):
        return octahedral(reflections=word == "oh")
    elif head in ("tx", "ty", "tz")[: len(points)]:
        axis = "xyz".index(head[1])
        return translations(int(tail or points[axis]), axis, ndim=len(points))
    raise _unreadable(whole)


def _unreadable(whole: str) -> OrbitscopeError:
    return OrbitscopeError(f"group: cannot read {whole!r}. {_SAID}")
