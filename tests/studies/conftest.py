"""A study's script run in this process: a process of its own would only import torch again, seconds for every start."""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

STUDIES = Path(__file__).resolve().parent.parent.parent / "studies"


@contextlib.contextmanager
def loaded(study: str) -> Iterator[Callable[[str], ModuleType]]:
    """The study's modules by their plain names, as its script imports them, and forgotten afterwards: other studies have the same names."""
    path, before, threads = list(sys.path), set(sys.modules), torch.get_num_threads()
    sys.path[:0] = [str(STUDIES / study), str(STUDIES)]
    try:
        yield importlib.import_module
    finally:
        sys.path[:] = path
        torch.set_num_threads(threads)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(STUDIES):
                del sys.modules[name]


@pytest.fixture(scope="module")
def modules(request: pytest.FixtureRequest) -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the study that the test file names as STUDY."""
    with loaded(request.module.STUDY) as load:
        yield load


@pytest.fixture(scope="module")
def script(modules: Callable[[str], ModuleType]) -> Callable[..., str]:
    """Run the script with these arguments, one worker; what it prints."""

    def run(*arguments: object) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert modules("run").main([str(a) for a in arguments]) == 0
        return said.getvalue()

    return run


@pytest.fixture(scope="module", autouse=True)
def sketched() -> Iterator[None]:
    """Figures are laid out and painted whole, once and with few pixels: `savefig` goes through the figure twice, at the size of a page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def paint(figure: Figure, path: Path, **_: object) -> None:
        figure.set_dpi(40)
        FigureCanvasAgg(figure).print_png(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", paint)
        yield


@pytest.fixture
def undrawn(modules: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not painted: what they show was drawn before, or is not what is asked. Which there are is found out as ever."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    monkeypatch.setattr(Figure, "tight_layout", lambda *_, **__: None)
