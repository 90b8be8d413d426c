"""The entry point: finds the verb, reads flags and TOML into its settings, runs it, turns mistakes into exit codes."""

import contextlib
import inspect
import os
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from .._errors import OrbitscopeError
from .._expect import near
from .._version import __version__
from ._verbs import TABLE, settings

SHELLS = ("bash", "zsh", "fish")
_WORLDLY = ("audit", "train", "plan")  # verbs that take the name of an environment
_VERBS = "\n".join(f"  {verb:<11} {words}" for verb, (_, words) in TABLE.items())
_USAGE = f"""usage: orbitscope VERB [options]        (orbitscope VERB --help tells more)

{_VERBS}

orbitscope --print-completion SHELL prints the completion of all verbs and flags, for {", ".join(SHELLS)}

example:
  orbitscope simulate navier-stokes.gauss --trajectories 64 --resolution 64 --seed 0 --out ns.nc
  orbitscope train ns.nc --model unet --preset small --epochs 10 --out runs/unet
  orbitscope probe runs/unet ns.nc --group d4 --out probe.nc
  orbitscope report probe.nc --out report.html

exit codes: 0 all went well; 1 the audit refused a file, a check found damage or lost symmetry, or the run was interrupted;
            2 a mistake in what was asked for"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default the program's) and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_USAGE)
        return 0 if args else 2
    if args[0] == "--version":
        print(f"orbitscope {__version__}")
        return 0
    if args[0] == "--print-completion":
        return _completion(args[1:])
    call = _Call(args)
    try:
        return call.finish(call.attempt())
    except BrokenPipeError:  # the reader of the output went away (| head): nothing to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _completion(args: list[str]) -> int:
    """Print the completion of the whole program, every verb with its flags, for a shell."""
    if len(args) != 1 or args[0] not in SHELLS:
        print(f"error: --print-completion: one of {', '.join(SHELLS)} should follow, got {' '.join(args) or 'nothing'}.", file=sys.stderr)
        return 2
    from tyro.extras import subcommand_cli_from_dict

    from ._output import with_output

    verbs = {verb: with_output(settings(verb)) for verb in TABLE}
    try:
        with _plain_checks():
            subcommand_cli_from_dict(verbs, prog="orbitscope", args=["--tyro-print-completion", args[0]])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def _meant(args: Sequence[str], said: str) -> str:
    """What to say besides of a word that the error names as no file, no scenario, no model: mostly it is the misspelt name of one."""
    if "Did you mean" in said or not any(words in said for words in ("no file", "there is no", "is called", "holds no")):
        return ""
    from ..systems import near_names, of_environment

    verb, *rest = args
    for word in (a for a in rest if not a.startswith("-") and a in said and not Path(a).exists()):
        if of_environment(word) is not None and verb not in _WORLDLY:
            return f" {word} is an environment: {', '.join(_WORLDLY)} take its name."
        if found := near_names(word):
            return found
        if verb in _WORLDLY and "no file" in said and not Path(word).suffix and "/" not in word:
            return f" {verb} takes a file, or the name of an environment: `orbitscope scenarios` lists those, behind the scenarios."
    return ""


class _Call:
    """One command line: what it says beside its work, and what came of it."""

    def __init__(self, args: list[str]) -> None:
        self.args = args
        self.json, self.verbose = "--json" in args, "--verbose" in args  # known where the rest cannot be parsed
        self.found: dict[str, Any] = {"verb": args[0]}

    def attempt(self) -> int:
        """Run the verb; mistakes become exit codes."""
        try:
            if self.args[0] not in TABLE:
                raise OrbitscopeError(f"there is no verb {self.args[0]!r}.{near(self.args[0], TABLE)} Verbs: {', '.join(TABLE)}.")
            from ._output import speaking

            asked = _parse(self.args[0], self.args[1:])
            self.json, self.verbose = asked.output.json, asked.output.verbose
            with speaking(asked.output, self.found):
                return asked.run()
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            print("interrupted. What was finished is kept: the same command goes on from there.", file=sys.stderr)
            self.found["error"] = "interrupted"
            return 1
        except MemoryError as error:
            return self.refuse(f"there is not enough memory ({error or 'refused by the system'}).")
        except (OrbitscopeError, OSError) as error:  # OSError: names that the system does not take, folders that nobody may read
            return self.refuse(str(error) + _meant(self.args, str(error)))
        except SystemExit as stop:  # the flag parser's own way of saying no, or of having shown help
            code = stop.code if isinstance(stop.code, int) else 2
            self.json = self.json and code != 0  # help is no result
            if code:
                self.found["error"] = "the flags cannot be read; stderr says which"
            return code

    def refuse(self, words: str) -> int:
        """Say what was wrong with the command line; called while the error is handled."""
        from rich.console import Console  # imports that only a mistake needs
        from rich.markup import escape

        if self.verbose:
            traceback.print_exc()
        Console(stderr=True).print(f"[bold red]error[/]: {escape(words)}", highlight=False, soft_wrap=True)
        self.found["error"] = words
        return 2

    def finish(self, code: int) -> int:
        """Print the JSON object, if one was asked for."""
        if self.json:
            from ._output import json_line

            print(json_line({**self.found, "exit_code": code}))
        return code


def _parse(verb: str, args: list[str]) -> Any:
    import tyro

    from ._output import with_output
    from ._settings import defaults, refuse_nonfinite

    plain = settings(verb)
    cls = with_output(plain)
    args, config = _take_config(args)
    default = defaults(cls, config) if config else None
    kwargs = {} if default is None else {"default": default}
    config_words = "Settings may also stand in a TOML file, under the names of the flags: --config FILE. Flags beside it win."
    words = f"{inspect.cleandoc(plain.__doc__ or '')}\n\n{config_words}"
    with _plain_checks():
        found = tyro.cli(cls, prog=f"orbitscope {verb}", description=words, args=args, **kwargs)
    return refuse_nonfinite(found)


@contextlib.contextmanager
def _plain_checks() -> Iterator[None]:
    """tyro compares unions and tuples with their defaults through typeguard, whose import takes a third of the time of a help.

    Here those two kinds are compared by themselves. tyro's function is not public: where a release has moved it, its own way is taken.
    """
    resolver = sys.modules.get("tyro._resolver")
    usual = getattr(resolver, "is_instance", None)
    if usual is None:
        yield
        return

    def fits(kind: Any, value: Any) -> bool:
        origin, inner = get_origin(kind), get_args(kind)
        if origin is types.UnionType:
            return any(fits(one, value) for one in inner)
        if origin is tuple and inner[1:] == (...,):
            return isinstance(value, tuple) and all(fits(inner[0], one) for one in value)
        return usual(kind, value)

    setattr(resolver, "is_instance", fits)  # noqa: B010  # a module of no known attributes
    try:
        yield
    finally:
        setattr(resolver, "is_instance", usual)  # noqa: B010


def _take_config(args: list[str]) -> tuple[list[str], Path | None]:
    """Cut `--config FILE` out of the arguments."""
    rest, found = [], None
    items = iter(args)
    for item in items:
        if item == "--config":
            found = next(items, None)
            if found is None:
                raise OrbitscopeError("--config: a TOML file should follow.")
        elif item.startswith("--config="):
            found = item.removeprefix("--config=")
        else:
            rest.append(item)
    return rest, Path(found) if found else None
