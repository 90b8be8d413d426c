"""The axes of somebody else's tensors, in words, and the way there and back."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import einops
from torch import Tensor

from ..._errors import OrbitscopeError

SPACE = "xyz"
_WORDS = {
    "b": "batch", "t": "time", "c": "channel", "f": "field (with c then its component)",
    "x": "first axis of space", "y": "second", "z": "third", "1": "an axis of one",
}  # fmt: skip
_TOKEN = re.compile(r"\(|\)|\.\.\.|-?[a-z]|1|\S+")


def is_pattern(word: object) -> bool:
    """Whether a word describes axes ("b t c x y"), and is no key or attribute ("output")."""
    return isinstance(word, str) and (" " in word.strip() or word.strip() in ("...", "x"))


@dataclass(frozen=True)
class Axes:
    """A pattern such as "b (t c) ..." and what it needs to know; see `adapt` for the words.

    Our own order is [b, t, f * c, x, y, z]; `...` stands for all axes of space in order, and -y for an axis that runs the other way.
    """

    text: str
    argument: str = "axes"

    def __post_init__(self) -> None:
        self.letters(2)

    @property
    def dimensions(self) -> int | None:
        """How many axes of space it names; None where it says `...`."""
        found = [letter for letter in SPACE if letter in _plain(self.text)]
        return None if "..." in self.text else len(found)

    @property
    def batched(self) -> bool:
        """Whether the tensor has an axis for the batch."""
        return "b" in _plain(self.text)

    @property
    def timed(self) -> bool:
        """Whether the tensor has room for several states."""
        return "t" in _plain(self.text)

    @property
    def stacked(self) -> bool:
        """Whether states and channels share an axis."""
        return "(t c)" in self.text

    @property
    def without_time(self) -> "Axes":
        """The same for one state."""
        return Axes(self.text.replace("(t c)", "c").replace("t ", "").replace(" t", ""), self.argument)

    def letters(self, ndim: int) -> tuple[str, tuple[int, ...]]:
        """The pattern for so many axes of space, and the axes of space that run the other way; raises if it is none."""
        tokens = _TOKEN.findall(self.text)
        space = list(SPACE[:ndim])
        at = [k for k, token in enumerate(tokens) if token == "..."]
        if len(at) == 1:
            tokens[at[0] : at[0] + 1] = space
        names = [token.lstrip("-") for token in tokens if token not in "()1"]
        depth = [tokens[: k + 1].count("(") - tokens[: k + 1].count(")") for k in range(len(tokens))]
        unknown = [name for name in names if name not in _WORDS]
        bad = (
            f"does not know {unknown[0]!r}" if unknown
            else f"has {next(n for n in names if names.count(n) > 1)!r} twice" if len(set(names)) < len(names)
            else "has brackets that do not match" if any(d not in (0, 1) for d in depth) or (depth and depth[-1])
            else f"turns {next(t for t in tokens if t[0] == '-' and t[1:] not in SPACE)!r}, which is no axis of space"
            if any(t[0] == "-" and t[1:] not in SPACE for t in tokens)
            else "names a field f without its component c" if "f" in names and "c" not in names
            else "has no axis of space" if not set(names) & set(SPACE)
            else ""
        )  # fmt: skip
        if bad:
            hint = " For h and w write x and y: x is the axis along which vector component 0 points." if {"h", "w"} & set(names) else ""
            words = ", ".join(f"{k} {v}" for k, v in _WORDS.items())
            raise OrbitscopeError(
                f"{self.argument}: the pattern {self.text!r} {bad}. Words: {words}; (t c) for axes made one, -y for an axis that runs the "
                f"other way, ... for all axes of space. Example: 'b t c x y'.{hint}"
            )
        turned = tuple(SPACE.index(t[1]) for t in tokens if t[0] == "-")
        return " ".join(token.lstrip("-") for token in tokens).replace("( ", "(").replace(" )", ")"), turned

    def there(self, values: Tensor, sizes: Mapping[str, int]) -> Tensor:
        """From our [b, t, channel, *space] to the guest's axes; `sizes` gives f."""
        ndim = values.ndim - 3
        pattern, turned = self._for(ndim)
        ours = _ours(pattern, ndim)
        self._check(values.shape, pattern)
        values = values.flip([3 + k for k in turned]) if turned else values
        known = {"f": sizes.get("f", 1)} if "f" in pattern else {}
        return self._rearranged(values, f"{ours} -> {pattern}", known)

    def back(self, values: Tensor, ndim: int, sizes: Mapping[str, int]) -> Tensor:
        """From the guest's axes to our [b, t, channel, *space]; `sizes` gives the letters that a bracket hides."""
        pattern, turned = self._for(ndim)
        known = {k: v for k, v in sizes.items() if k in pattern and (k in SPACE or k == "f" or _hidden(pattern, k))}
        found = self._rearranged(values, f"{pattern} -> {_ours(pattern, ndim)}", known)
        return found.flip([3 + k for k in turned]) if turned else found

    def _for(self, ndim: int) -> tuple[str, tuple[int, ...]]:
        if self.dimensions is not None and self.dimensions != ndim:
            raise OrbitscopeError(
                f"{self.argument}: {self.text!r} names {self.dimensions} axes of space, the data have {ndim}. "
                "Name them all, or write ... for all of them."
            )
        return _letters(self, ndim)

    def _check(self, shape: tuple[int, ...], pattern: str) -> None:
        """Raise where the guest's axes have no room for what we have."""
        for letter, size, what, way_out in (
            ("t", shape[1], "states", "Write t for an axis of its own, or (t c) for states stacked along channels"),
            ("c", shape[2], "channels", "Write c for them"),
        ):
            if letter not in pattern and size > 1:
                raise OrbitscopeError(f"{self.argument}: {self.text!r} has no place for {size} {what}. {way_out}.")

    def _rearranged(self, values: Tensor, pattern: str, sizes: dict[str, int]) -> Tensor:
        try:
            return einops.rearrange(values, pattern, **sizes)
        except einops.EinopsError as error:
            known = ", ".join(f"{k} = {v}" for k, v in sizes.items())
            raise OrbitscopeError(
                f"{self.argument}: a tensor of shape {tuple(values.shape)} does not fit {self.text!r}{f' with {known}' if known else ''}. "
                "Say its axes in their order."
            ) from error


@functools.lru_cache
def _letters(axes: Axes, ndim: int) -> tuple[str, tuple[int, ...]]:
    return axes.letters(ndim)


def _plain(text: str) -> list[str]:
    return [token.lstrip("-") for token in _TOKEN.findall(text)]


def _hidden(pattern: str, letter: str) -> bool:
    """Whether a letter stands in brackets with others, so that its size has to be said."""
    return any(letter in group.split() for group in re.findall(r"\(([^()]*)\)", pattern))


def _ours(pattern: str, ndim: int) -> str:
    """Our order for what the pattern has; what it lacks is an axis of one."""
    channel = "(f c)" if "f" in pattern else "c" if "c" in pattern else "1"
    return " ".join(["b" if "b" in pattern else "1", "t" if "t" in pattern else "1", channel, *SPACE[:ndim]])
