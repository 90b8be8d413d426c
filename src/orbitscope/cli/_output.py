"""What a verb says and where: words for people, one JSON object for programs, warnings of other libraries.

All verbs have these flags without knowing of them: `with_output` adds them to their settings, and while a verb runs (`speaking`) stdout and
stderr are where the flags want them. A verb adds what it found with `record`, which shows with --json alone.
"""

import contextlib
import dataclasses
import json
import math
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

_RECORD: ContextVar[dict[str, Any] | None] = ContextVar("record", default=None)
_OF_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)  # about somebody's code, not about the data


@dataclass(frozen=True)
class Output:
    """What is printed."""

    json: bool = False
    """Print one JSON object on stdout when all is done, and everything else on stderr. Numbers that are not finite are null."""
    quiet: bool = False
    """Print errors only (and the JSON object, with --json)."""
    verbose: bool = False
    """Also print what libraries say about their own future, and where in the code a mistake was found."""


def with_output(cls: type) -> type:
    """The settings of a verb with the flags of `Output` behind its own."""
    last = ("output", tyro.conf.OmitArgPrefixes[Output], field(default_factory=Output))
    return dataclasses.make_dataclass(cls.__name__, [last], bases=(cls,))


def record(**values: Any) -> None:
    """Add to the JSON object of this call. Paths, arrays and data sets are turned into what JSON knows; without --json nothing is done."""
    found = _RECORD.get()
    if found is not None:
        found.update({name: plain(value) for name, value in values.items()})


@contextlib.contextmanager
def several(count: int) -> Iterator[None]:
    """Within the block, what is recorded belongs to one of `count` files; of several, the JSON object has a list `files`."""
    whole = _RECORD.get()
    if whole is None or count == 1:
        yield
        return
    mine: dict[str, Any] = {}
    token = _RECORD.set(mine)
    try:
        yield
    finally:
        _RECORD.reset(token)
        whole.setdefault("files", []).append(mine)


@contextlib.contextmanager
def speaking(output: Output, found: dict[str, Any]) -> Iterator[None]:
    """Within the block, stdout and stderr are where the flags want them, and `found` takes what is recorded if --json is given."""
    token = _RECORD.set(found if output.json else None)
    try:
        with contextlib.ExitStack() as stack:
            if output.quiet:
                nothing = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stdout(nothing))
                stack.enter_context(contextlib.redirect_stderr(nothing))
            elif output.json:
                stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            stack.enter_context(warnings.catch_warnings())
            warnings.showwarning = _long if output.verbose else _short
            yield
    finally:
        _RECORD.reset(token)


def _long(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
    print(f"{filename}:{lineno}: {category.__name__}: {message}", file=sys.stderr)


def _short(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """One line of a warning about the data; none of one about code, which nobody at a command line can change."""
    if not issubclass(category, _OF_CODE):
        print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def about_run(run: Any) -> dict[str, Any]:
    """A trained emulator (`emulators.Run`) in the words of its run.json."""
    kept = ("path", "seed", "epoch", "finished", "parameters", "metrics", "history")
    return {**{name: getattr(run, name) for name in kept}, "config": run.config.to_dict()}


def about_probe(tree: Any) -> dict[str, Any]:
    """The verdicts of a probe by group, with their numbers and intervals, and what was probed."""
    kept = ("title", "model", "model_path", "data_path", "data_description")
    groups = {name: node["verdict"].to_dataset() for name, node in tree.children.items() if "verdict" in node}
    return {**{name: tree.attrs.get(name) for name in kept}, "groups": groups}


def plain(value: Any) -> Any:
    """The same in what strict JSON knows: NaN and infinity are null, arrays are lists, data sets their dictionaries.

    >>> plain({"a": (1, float("nan")), Path("b"): [Path("c")]})
    {'a': [1, None], 'b': ['c']}
    """
    if hasattr(value, "data_vars"):  # an xarray.Dataset, which is not imported for this; a mapping, too, of much less
        return plain(value.to_dict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # arrays and numbers of numpy and torch
        return plain(value.tolist())
    return str(value)


def json_line(found: Mapping[str, Any]) -> str:
    """The object on one line."""
    return json.dumps(found, allow_nan=False, ensure_ascii=False)
