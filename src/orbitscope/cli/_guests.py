"""Words on the convention of somebody else's model, as `adapt` takes them."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..data import Trajectories
from ..emulators import adapt
from ._words import parse_words


def adapted(
    cases: list[tuple[Path, nn.Module, dict[str, Any], Trajectories]],
    data: Trajectories,
    like: str | None,
    words: Sequence[str],
    frames: int | None,
) -> list[tuple[Path, nn.Module, dict[str, Any], Trajectories]]:
    """The models with their conventions said, and what was said in the results."""
    said = parse_words(words, "--adapt")
    if frames is not None:
        said.setdefault("frames", frames)
    if "mean" in said or "std" in said:
        said["normaliser"] = {k: said.pop(k) for k in ("mean", "std") if k in said}
    known = {k: said.pop(k) for k in list(said) if k in inspect.signature(adapt).parameters and k not in ("model", "layout", "like")}
    if isinstance(known.get("fill"), str):  # fill=density:1,pressure:0
        known["fill"] = dict(pair.partition(":")[::2] for pair in known["fill"].split(","))
    extra = {**known.pop("kwargs", {}), **said}
    return [
        (out, guest := adapt(module, like=like, layout=data.layout, kwargs=extra, **known), {**about, "adapt": guest.describe()}, part)
        for out, module, about, part in cases
    ]
