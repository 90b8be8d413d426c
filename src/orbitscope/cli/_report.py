"""`orbitscope report`: which page the files ask for."""

from collections.abc import Sequence
from pathlib import Path

import h5py
from rich.console import Console

from .._errors import OrbitscopeError
from ..discover import holds_discovery
from ..probe import command, kind_of, open_probe
from ..report import summary_table, write_report
from ..systems import is_system_run, of_file
from ._discover import discovery_page
from ._early import check_out
from ._output import about_probe, record


def report_to_file(probes: Sequence[Path], out: Path, *, title: str | None, force: bool) -> int:
    """Write the page and print where it is."""
    check_out(force, out=out)
    if gone := [p for p in probes if not p.exists()]:
        raise OrbitscopeError(f"probes: there is no file or folder {gone[0]}. Give what another verb has written, such as `probe`.")
    if any(p.is_dir() and is_system_run(p, "agent") for p in probes):
        from ._environments import report_agents

        return report_agents(probes, out, title=title, force=force)
    kinds = [kind_of(p) or "" for p in probes if p.is_file() and h5py.is_hdf5(p)]
    if any(kind.endswith("of an environment") for kind in kinds):
        from ._environments import report_audit

        return report_audit(probes, out, title=title, force=force)
    if any(kind.endswith("of a plan") for kind in kinds):
        from ._plan import report_plans

        return report_plans(probes, out, title=title, force=force)
    if any(holds_discovery(p) for p in probes):
        return discovery_page(probes, out, title=title, force=force)
    if len(probes) == 1 and (system := of_file(probes[0])) is not None:
        from ._systems import story_page

        return story_page(probes[0], system, out, title=title, force=force)
    trees = [open_probe(p) for p in probes]
    write_report(trees, out, title=title or "Symmetry report", force=force, command=command())
    record(file=out, probes=[{"file": path, **about_probe(tree)} for path, tree in zip(probes, trees, strict=True)])
    Console().print(summary_table(trees))
    print(out)
    return 0
