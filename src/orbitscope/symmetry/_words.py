"""Representations by their names."""

import re

from .._errors import OrbitscopeError
from ._combined import DirectSum, Stack, TensorProduct
from ._group import Group
from ._irreps import irrep
from ._limits import readable
from ._parse import parse_group
from ._regular import PermutationRepresentation, Regular
from ._representation import REGISTRY, Representation
from ._standard import Standard

_COPIES = re.compile(r"(.+)\*(\d+)")
_BOUND = re.compile(r"(irrep:[^()\s]+|regular)\((.+)\)")
_SIZED = re.compile(r"(standard|permutation)\((\d+)\)")


def representation(name: str | Representation, group: Group | str | None = None) -> Representation:
    """The representation of that name; what a representation prints is its name.

    * `name`: "scalar", "vector" and whatever else was registered; "irrep:2", "irrep:0-" of the plane, "irrep:2e", "irrep:1o" of space,
      "irrep:Eg" of the cube; "regular(d4)", "irrep:2(d4)" of a finite group; "standard(n)" and "permutation(n)"; "vector*3", a stack of
      three; "vector + scalar", a direct sum; "vector x vector", a tensor product; round brackets. A representation is returned as it is.
    * `group`: the group, or its word, in which "regular" and "irrep:..." are read.

    Raises `OrbitscopeError` for another name.

    >>> representation("vector"), representation("scalar*4").size(2), representation("irrep:2e x vector + scalar").size(3)
    (vector, 4, 16)
    """
    if isinstance(name, Representation):
        return name
    group = parse_group(group) if isinstance(group, str) else group
    word = readable(name, "representation").strip()
    if len(terms := _split(word, " + ")) > 1:
        return DirectSum(tuple(representation(t, group) for t in terms))
    if len(factors := _split(word, " x ")) > 1:
        *first, last = factors
        return TensorProduct(representation(" x ".join(first), group), representation(last, group))
    if word in REGISTRY:
        return REGISTRY[word]
    if match := _COPIES.fullmatch(word):
        return Stack(representation(match[1], group), int(match[2]))
    if word.startswith("(") and word.endswith(")"):
        return representation(word[1:-1], group)
    return _parametrised(word, group)


def _parametrised(word: str, group: Group | None) -> Representation:
    if match := _BOUND.fullmatch(word):
        word, group = match[1], parse_group(match[2])
    if match := _SIZED.fullmatch(word):
        return (Standard if match[1] == "standard" else PermutationRepresentation)(int(match[2]))
    if word == "regular":
        if group is None:
            raise OrbitscopeError("representation: 'regular' needs its group: say 'regular(d4)', or representation('regular', 'd4').")
        return Regular(group)
    if word.startswith("irrep:"):
        return irrep(word.removeprefix("irrep:"), group)
    raise OrbitscopeError(
        f"representation: no representation is called {word!r}. Known: {', '.join(sorted(REGISTRY))}; 'irrep:...', 'regular(group)', "
        "'standard(n)', 'permutation(n)'; append '*n' for a stack of n frames."
    )


def _split(word: str, separator: str) -> list[str]:
    """The parts between separators that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(word):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and word.startswith(separator, i):
            parts.append(word[start:i])
            start = i + len(separator)
    return [*parts, word[start:]]
