"""What the report draws of single states: pictures of fields, answers against each other, one example of a cloud, a vector or a word."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..data import Examples, Trajectories
from ..symmetry import Action, FieldAction, Group, Nodes, PartsAction, Symmetry, Values, Words, parts
from ._measure import numpy, predict
from ._sample import resolve, sample_for
from ._subject import Subject


def drawn(
    node: str, model: nn.Module, data: Trajectories | Examples, asked: Symmetry | Group, error: xr.Dataset, seed: int
) -> dict[str, xr.Dataset]:
    """What the report draws of single states: fields on a plane as pictures, all other answers against each other."""
    if isinstance(data, Trajectories) and data.grid.ndim == 2:
        return {f"{node}/fields": pictures(model, data, asked, error, seed=seed)}
    found = {f"{node}/answers": answers(model, data, asked, error, seed=seed)}
    if isinstance(data, Examples) and isinstance(asked, Symmetry) and (one := example(data, asked, error)) is not None:
        found[f"{node}/example"] = one
    return found


def pictures(
    model: nn.Module, data: Trajectories, group: Symmetry | Group, error: xr.Dataset, *, count: int = 3, seed: int = 0
) -> xr.Dataset:
    """x, gx, f(gx), g f(x) and their difference for one transition: the elements with the smallest, middle and largest error.

    Of a model that sees several states, x is the last of them.
    """
    subject = Subject.of(model)
    _, every, symmetry = resolve(data, group, None, subject.frames)
    pair = sample_for(subject, data, trajectories=1, times=1, seed=seed)
    chosen = telling(every, error, count)
    with torch.no_grad():
        plain = model(pair.x)
        gx = torch.cat([symmetry.input(g, pair.x) for g in chosen])
        f_gx = torch.cat([model(x[None]) for x in gx])
        g_fx = torch.cat([symmetry.output(g, plain) for g in chosen])
    dims = ("element", "channel", "x", "y")

    def single(values: torch.Tensor) -> np.ndarray:
        return values.float().cpu().numpy()

    return xr.Dataset(
        {
            "state": (dims[1:], single(subject.last(pair.x)[0])),
            "next_state": (dims[1:], single(pair.y[0])),
            "gx": (dims, single(subject.last(gx))),
            "f_gx": (dims, single(f_gx)),
            "g_fx": (dims, single(g_fx)),
            "difference": (dims, single(f_gx - g_fx)),
        },
        coords={"element": [g.name for g in chosen], "channel": list(data.layout.channel_names)},
        attrs={"trajectory": pair.trajectories[0], "time": pair.times[0]},
    )


def telling(every: Sequence[Any], error: xr.Dataset, count: int) -> list[Any]:
    """The elements with the smallest, the middle and the largest relative error; the identity if there is no other."""
    known = {g.name: g for g in every}
    names = [str(n) for n in error["element"].values]
    ranked = sorted((n for n in names if not known[n].is_identity), key=lambda n: float(error["relative_error"].sel(element=n).median()))
    picks = np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int)) if ranked else []
    return [known[ranked[i]] for i in picks] or [g for g in every if g.is_identity]


def answers(
    model: nn.Module, data: Trajectories | Examples, asked: Symmetry | Group, error: xr.Dataset, *, count: int = 3, seed: int = 0,
    numbers: int = 400,
) -> xr.Dataset:  # fmt: skip
    """f(gx) and g f(x), number by number, of some examples and elements: on the diagonal of their plot where the model commutes.

    `numbers`: at most so many per channel and element, evenly spread.
    """
    subject = Subject.of(model, data)
    _, every, symmetry = resolve(data, asked, None, subject.frames)
    pair = sample_for(subject, data, trajectories=16, times=2, seed=seed)
    chosen, output = telling(every, error, count), symmetry.output
    plain = predict(subject.module, pair.x, 32)
    rows: dict[str, list[np.ndarray]] = {"f_gx": [], "g_fx": []}
    for g in chosen:
        for name, values in (("f_gx", predict(subject.module, symmetry.input(g, pair.x), 32)), ("g_fx", output(g, plain))):
            wide = [b.movedim(1, 0).flatten(1) for b in output.blocks(values)]  # [channel, example and place]
            count = min(numbers, max(b.shape[1] for b in wide))
            rows[name].append(numpy(torch.cat([b[:, torch.linspace(0, b.shape[1] - 1, count).round().long()] for b in wide])))
    dims = ("element", "channel", "number")
    return xr.Dataset(
        {name: (dims, np.stack(values)) for name, values in rows.items()},
        coords={"element": [g.name for g in chosen], "channel": list(output.channels)},
    )


def example(data: Examples, symmetry: Symmetry, error: xr.Dataset, *, count: int = 3) -> xr.Dataset | None:
    """The first x and its copies under the elements with the smallest, the middle and the largest error; None where it is no picture.

    Of a cloud or a graph `place` [copy, point, axis], the positions (or vectors) of its points; of values `place` [copy, field, axis], the
    vectors among them; of words `text` [copy]. Copy 0 is x itself. Of states of several parts the first that can be drawn.
    """
    known = {g.name: g for g in symmetry.elements()}
    chosen = telling([known[str(n)] for n in error["element"].values], error, count)
    copies = [data.take([0]).x, *(symmetry.input(g, data.take([0]).x) for g in chosen)]
    actions = symmetry.input.actions if isinstance(symmetry.input, PartsAction) else (symmetry.input,)
    for k, action in enumerate(actions):
        found = _drawable(action, [parts(c)[k] for c in copies])
        if found is not None:
            return found.assign_coords(copy=["x", *(g.name for g in chosen)])
    return None


def _drawable(action: Action, copies: Sequence[Tensor]) -> xr.Dataset | None:
    if isinstance(action, Words):
        return xr.Dataset({"text": ("copy", [repr(w) for c in copies for w in action.decode(c)])})
    if not isinstance(action, FieldAction) or action.domain.axes > 1:
        return None
    spatial = [f.name for f, size in zip(action.layout.fields, action.layout.sizes, strict=True) if size == action.layout.ndim in (2, 3)]
    if not spatial:
        return None
    if isinstance(action.domain, Values):
        rows = [np.stack([numpy(c[0, action.layout.slice(name)]) for name in spatial]) for c in copies]
        return xr.Dataset({"place": (("copy", "field", "axis"), np.stack(rows))}, coords={"field": spatial})
    rows = [numpy(c[0].movedim(action.domain.channel, -1)[..., action.layout.slice(spatial[0])]) for c in copies]
    edges = action.domain.edges if isinstance(action.domain, Nodes) else ()
    return xr.Dataset({"place": (("copy", "point", "axis"), np.stack(rows))}, attrs={"field": spatial[0], "edges": json.dumps(edges)})
