"""Pictures of environments: what OpenGL raises, said in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..._errors import OrbitscopeError


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Within the block the environment `name` draws; whatever the OpenGL library at hand raises there comes as an `OrbitscopeError`."""
    try:
        yield
    except Exception as error:  # mujoco.FatalError, AttributeError, ImportError, the libraries' own types
        raise OrbitscopeError(
            f"{name}: MuJoCo cannot draw here ({error}). Set MUJOCO_GL=egl (or osmesa, with libosmesa6) before Python starts."
        ) from error
