"""Forecasts that cost nothing, in every study that asks whether a network has skill."""

import torch
from torch import Tensor

#: By name, and what they are called on pages.
TRIVIAL = {"persistence": "last state", "increment": "last increment", "parabola": "parabola"}


def trivial_forecasts(known: Tensor, steps: int) -> dict[str, Tensor]:
    r"""The last state, the last increment repeated, a parabola in time through the last three: what of it the known states allow.

    $x_h = x_0 + h (x_0 - x_{-1}) + \tfrac12 h (h + 1) (x_0 - 2 x_{-1} + x_{-2})$, the parabola; the others are its first one and two terms.
    `known` [N, frames, C, *space], oldest first; the forecasts are [N, steps, C, *space].
    """
    frames = known.unbind(1)
    ahead = torch.arange(1, steps + 1, dtype=known.dtype).reshape(-1, *[1] * (known.ndim - 2))
    made = {"persistence": frames[-1][:, None].expand(-1, steps, *frames[-1].shape[1:])}
    if len(frames) > 1:
        made["increment"] = frames[-1][:, None] + ahead * (frames[-1] - frames[-2])[:, None]
    if len(frames) > 2:
        bend = frames[-1] - 2 * frames[-2] + frames[-3]
        made["parabola"] = made["increment"] + ahead * (ahead + 1) / 2 * bend[:, None]
    return made
