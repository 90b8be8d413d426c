"""How many past states a model sees."""

from torch import nn

from .._errors import OrbitscopeError


def frames_of(model: nn.Module) -> int:
    """The attribute `frames` of `model`: how many states it sees, stacked along channels, oldest first; 1 for a model without one.

    Raises `OrbitscopeError` for an attribute of that name that is no whole number from 1 up.

    >>> model = nn.Conv2d(6, 2, 3)
    >>> frames_of(model)
    1
    >>> model.frames = 3
    >>> frames_of(model)
    3
    """
    frames = getattr(model, "frames", 1)
    if isinstance(frames, bool) or not isinstance(frames, int) or frames < 1:
        raise OrbitscopeError(
            f"model: its attribute `frames`, the number of past states that it sees, should be a whole number from 1 up, got {frames!r}. "
            "Wrap the model in a module that says frames = 1 if the name means something else there."
        )
    return frames
