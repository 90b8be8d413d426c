"""The same architecture with a symmetry built in."""

from typing import Any

from torch import nn

from ..._errors import OrbitscopeError
from ...symmetry import Grid, Group, Layout
from ._build import build, models


def equivariant(
    model: str,
    group: str | Group = "d4",
    preset: str = "small",
    *,
    layout: Layout,
    grid: Grid | None = None,
    frames: int = 1,
    **overrides: Any,
) -> nn.Module:
    r"""The same architecture with every layer commuting with `group`, at matched *parameters*.

    * `model`: "unet", "resnet", "fno" or "vit".
    * `group`: the group, or its word ("d4", "c8", "so2").
    * `preset`: of the plain model (small, medium, paper).
    * `overrides`: single options of the plain model that replace those of the preset, such as width=24. A vit needs its
      `resolution` here; `heads`, where given, are those of both.
    * `layout`: the fields of a state.
    * `grid`: sets what lies beyond the edge: periodic axes are circular, walls mirror; None: all circular.
    * `frames`: states that go in, stacked along channels, oldest first; one comes out.

    Depth, kernels and connections are the plain model's; the number of hidden fields is the one whose parameter count is nearest to the
    plain one's. Channels, and with them the arithmetic of a forward pass, grow by about $|G|$: a regular field has |G| channels and shares
    its weights |G|-fold, so width $\sim w / \sqrt{|G|}$ fields of |G| channels.

    Raises `OrbitscopeError` for other models, and for a group that exchanges axes of different kinds.
    """
    name = f"equivariant_{model}"
    if name not in models():
        raise OrbitscopeError(
            f"equivariant: `model` is unet, resnet, fno or vit, got {model!r}. For others: symmetrize(model, group, action)."
        )
    ends = {"channels_in": frames * layout.channels, "channels_out": layout.channels}
    target = count(build(model, preset, **ends, **overrides))
    options = {k: v for k, v in overrides.items() if k != "width"}
    step = int(options.get("heads", 4) or 1) if model in ("unet", "vit") else 1
    # Heads hold whole fields, and the coarsest level has 2^stages times as many: any width does where heads divides that.
    best: tuple[float, nn.Module] | None = None
    width = 1
    while True:
        try:
            made = build(name, preset, **ends, layout=layout, grid=grid, group=group, width=width, **options)
        except OrbitscopeError as error:
            if "heads" not in str(error) or width > 64 * step:
                raise
            width += 1
            continue
        size = count(made)
        if best is None or abs(size - target) < best[0]:
            best = (abs(size - target), made)
        if size >= target:
            return best[1]
        width += max(1, int(width * ((target / size) ** 0.5 - 1) * 0.8))


def count(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in model.parameters())
