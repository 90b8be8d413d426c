"""The work of `orbitscope infer`: a run, data, chains with progress, the answer in words and numbers."""

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..systems import open_runs
from ._early import check_out
from ._output import record
from ._progress import stages
from ._verbs_infer import Infer
from ._view import SHEET_KINDS
from ._words import parse_words


def infer_to_file(asked: Infer) -> int:
    """Run the chains, write them, print each parameter with its interval."""
    fixed = parse_words(asked.fix, "--fix")
    if wrong := [n for n, v in fixed.items() if isinstance(v, bool) or not isinstance(v, int | float)]:
        raise OrbitscopeError(f"--fix: {wrong[0]} should be a number, got {fixed[wrong[0]]!r}.")
    if asked.corner is not None and asked.corner.suffix.lower() not in SHEET_KINDS:
        raise OrbitscopeError(f"corner: a picture is one of {', '.join(SHEET_KINDS)}, got {asked.corner}.")
    check_out(asked.force, out=asked.out, **({} if asked.corner is None else {"corner": asked.corner}))
    runs = open_runs(asked.run_folder)
    if len(runs) > 1:
        raise OrbitscopeError(f"run_folder: {asked.run_folder} holds {len(runs)} seeds. Name the folder of one, such as {runs[0].path}.")
    run = runs[0]
    settings = {name: getattr(asked, name) for name in ("draws", "warmup", "chains", "seed")}
    with stages() as bars:
        found = run.system.infer(
            run.model, run.examples["train"], asked.data, asked.out, settings=settings, fixed={n: float(v) for n, v in fixed.items()},
            emulator_error=asked.emulator_error, correlated=asked.correlated_noise, force=asked.force, progress=bars,
        )  # fmt: skip
    if asked.corner is not None and found.figure is not None:
        kind, figure = asked.corner.suffix.lower()[1:], found.figure()
        write_whole(asked.corner, lambda part: figure.savefig(part, format=kind, dpi=150))
    record(file=asked.out, lines=list(found.lines), numbers=dict(found.numbers))
    for line in found.lines:
        print(line)
    print(asked.out)
    return 0
