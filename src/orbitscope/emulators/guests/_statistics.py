"""Statistics by the name of a field, in a dict or a stats.yaml of The Well, as a normaliser of the guest's channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Layout
from ._channels import Channels
from ._normaliser import Affine, Normaliser, Undo

LEAST = 1e-4
"""The smallest scale in a stats.yaml, as The Well's own normalisers have it."""


@dataclass(frozen=True)
class OfChange(Affine):
    """States in by mean and scale; the answer is a change, $u = \\hat u s' + m'$ with mean and scale of changes.

    * `mean`, `scale`: of the states, as of `Affine`.
    * `change_mean`: $m'$, shape [channel], in the units of the data.
    * `change_scale`: $s'$, shape [channel], in the units of the data.
    """

    change_mean: Tensor
    change_scale: Tensor
    changes = True

    def encode(self, states: Tensor) -> tuple[Tensor, Undo]:
        def undo(answer: Tensor, channels: Sequence[int]) -> Tensor:
            wide = (-1, *[1] * (answer.ndim - 2))
            scale, mean = (v.to(answer)[list(channels)].reshape(wide) for v in (self.change_scale, self.change_mean))
            return answer * scale + mean

        return super().encode(states)[0], undo


def by_field(given: Any) -> bool:
    """Whether this is a file of statistics, or a dict of them by field."""
    if isinstance(given, Path):
        return True
    if isinstance(given, str):
        return Path(given.removesuffix(":rms")).suffix.lower() in (".yaml", ".yml")
    return isinstance(given, Mapping) and bool(given) and all(isinstance(v, Mapping) for v in given.values())


def of_statistics(given: Any, argument: str, layout: Layout | None, channels: Channels, changes: bool) -> Normaliser:
    """Mean and scale of each channel of the guest, from {"mean": {field: ...}, "std": ...} or the path of a stats.yaml.

    With `changes` the answer is read by `mean_delta` and `std_delta` (`rms_delta` where the path ends in ":rms" or there is no std), where
    they are given.
    """
    table, least = (given, 0.0) if isinstance(given, Mapping) else (_read(str(given).removesuffix(":rms"), argument), LEAST)
    if layout is None:
        raise OrbitscopeError(f"{argument}: statistics go by the names of fields, so say the layout: adapt(..., layout=data.layout).")
    rms = str(given).endswith(":rms") or "std" not in table
    names = channels.full(layout.channels)
    scale = torch.tensor([_value(table, "rms" if rms else "std", k, layout, argument) for k in names], dtype=torch.float64).clamp(min=least)
    mean = torch.tensor([0.0 if rms else _value(table, "mean", k, layout, argument) for k in names], dtype=torch.float64)
    if not bool((scale > 0).all()):
        raise OrbitscopeError(f"{argument}: every scale should be positive, got {scale.tolist()}.")
    change = "rms_delta" if rms else "std_delta"
    if not changes or change not in table:
        return Affine(mean, scale)
    known = [isinstance(k, int) for k in names]  # what is filled in does not change
    moved = [_value(table, change, k, layout, argument) if ours else 1.0 for k, ours in zip(names, known, strict=True)]
    drift = [0.0 if rms or not ours else _value(table, "mean_delta", k, layout, argument) for k, ours in zip(names, known, strict=True)]
    return OfChange(mean, scale, torch.tensor(drift, dtype=torch.float64), torch.tensor(moved, dtype=torch.float64).clamp(min=least))


def _value(table: Mapping[str, Any], column: str, channel: int | str, layout: Layout, argument: str) -> float:
    field, component = (channel, 0) if isinstance(channel, str) else _place(layout, channel)
    rows = table.get(column)
    if not isinstance(rows, Mapping) or field not in rows:
        known = ", ".join(map(str, rows)) if isinstance(rows, Mapping) else f"{', '.join(map(str, table))} and no {column!r}"
        raise OrbitscopeError(f"{argument}: has no {column} of the field {field!r}. It has {known}. Fields go by the names of the layout.")
    try:
        values = torch.as_tensor(_numbers(rows[field]), dtype=torch.float64).reshape(-1)
        return float(values[component if len(values) > 1 else 0])  # one number serves all components
    except (TypeError, ValueError, IndexError, RuntimeError):
        raise OrbitscopeError(
            f"{argument}: {column} of {field!r} should be a number or one for each of its components, got {rows[field]!r}."
        ) from None


def _place(layout: Layout, channel: int) -> tuple[str, int]:
    for field in layout.fields:
        where = layout.slice(field.name)
        if where.start <= channel < where.stop:
            return field.name, channel - where.start
    raise OrbitscopeError(f"channels: the layout has {layout.channels} channels, so there is no {channel}.")


def _numbers(value: Any) -> Any:
    """Numbers in lists; YAML takes 1e-05 for a word."""
    return [_numbers(v) for v in value] if isinstance(value, list | tuple) else value if isinstance(value, Tensor) else float(value)


def _read(path: str, argument: str) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError:
        raise OrbitscopeError(f"{argument}: to read {path} install PyYAML: pip install pyyaml. Or give a dict of its tables.") from None
    try:
        table = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        words = str(error).splitlines()[0]
        raise OrbitscopeError(f"{argument}: cannot read {path}: {words}. Give the stats.yaml of a data set in The Well's form.") from None
    if not isinstance(table, Mapping) or not table or not all(isinstance(v, Mapping) for v in table.values()):
        raise OrbitscopeError(f"{argument}: {path} should hold tables mean, std, mean_delta, std_delta (or rms, rms_delta) by field.")
    return table
