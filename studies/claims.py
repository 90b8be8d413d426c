"""What README.md and docs/results.md quote of the studies of papers, from their committed results.

    python studies/claims.py

Every study has a module `claims_of` whose `claims(results)` reads its result files (never its page) and says what they hold by the page's
own rules. What stands between the markers of the two files is written anew from them.
"""

import argparse
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

STUDIES = Path(__file__).resolve().parent
BEGIN, END = "<!-- studies:begin -->", "<!-- studies:end -->"
PAGES = {
    "equivariant_net": ("Symmetry built in", "equivariant-net.md"),
    "approximate_equivariance": ("Symmetry relaxed", "approximate-equivariance.md"),
    "cure": ("Cures", "cure.md"),
    "approximate_equivariance_rl": ("Agents in nearly symmetric worlds", "approximate-equivariance-rl.md"),
    "symmetry_influence": ("Shared in learning", "symmetry-influence.md"),
    "causal_influence": ("Does influence cause anything?", "causal-influence.md"),
    "discovery": ("Discovered", "discovery.md"),
    "symmetry_breaking": ("Broken", "symmetry-breaking.md"),
    "mesh_topology": ("On meshes", "mesh-topology.md"),
    "learned_representations": ("In words", "learned-representations.md"),
    "denoising_hamiltonian": ("In mechanics", "denoising-hamiltonian.md"),
    "equivariant_planning": ("In planning", "equivariant-planning.md"),
    "trading": ("In markets", "trading.md"),
    "hierarchical_policy": ("At the table, keypose by keypose", "hierarchical-policy.md"),
    "keyframe_transporter": ("At the table, with something in the hand", "keyframe-transporter.md"),
    "galaxy_alignments": ("Among galaxies", "galaxy-alignments.md"),
}


@dataclass(frozen=True)
class Claim:
    """One finding: what was asked, what came out with its interval, and the rule behind the word.

    README.md has one row a study, of its first claim with `first`, in the words of `brief` where `found` would be too long for it.
    """

    what: str
    found: str
    rule: str
    first: bool = False
    brief: str = ""


@contextlib.contextmanager
def loaded(study: str) -> Iterator[Callable[[str], ModuleType]]:
    """The modules of a study by their plain names, and forgotten afterwards: other studies have the same names."""
    path, before = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(STUDIES / study), str(STUDIES)]
    try:
        yield importlib.import_module
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(STUDIES):
                del sys.modules[name]


def collected(studies: Path = STUDIES) -> dict[str, tuple[list[Claim], str]]:
    """The claims of every study, and its date, machine and counts; `studies`: where their results lie."""
    return {study: claims_of(study, studies) for study in PAGES}


def claims_of(study: str, studies: Path = STUDIES) -> tuple[list[Claim], str]:
    """The claims of one study, and its date, machine and counts."""
    with loaded(study) as load:
        results = studies / study / "results" / "small"
        claims = [Claim(*line) for line in load("claims_of").claims(results)]
        meta = load("claims_of").tables_of(results).meta
    count = f"{meta['measured_runs']} of {meta['planned_runs']} planned runs"
    return claims, f"{count}, {meta['date']}, {meta['timing'].get('machine', 'machine not known')}"


def short(found: dict[str, tuple[list[Claim], str]], docs: str) -> str:
    """One row a study, of its first claim that README.md quotes."""
    rows = [["Study", "Question", "What came out"], ["---"] * 3]
    for study, (claims, _) in found.items():
        title, page = PAGES[study]
        told = next(c for c in claims if c.first)
        rows.append([f"[{title}]({docs}studies/{page})", _capital(told.what), _capital(told.brief or told.found)])
    return _table(rows)


def long(found: dict[str, tuple[list[Claim], str]], docs: str) -> str:
    """A table a study: question, numbers, rule."""
    parts = []
    for study, (claims, about) in found.items():
        title, page = PAGES[study]
        rows = [["question", "what came out", "rule"], ["---"] * 3, *([_capital(c.what), c.found, c.rule] for c in claims)]
        parts.append(f"### {title}\n\n{_table(rows)}\n\n[The study]({docs}studies/{page}): {about}.")
    return "\n\n".join(parts)


def _table(rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers; the rest of the file stays as it is."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"{path} should hold one {BEGIN} and one {END}.")
    (head, rest), part = old.split(BEGIN), path.with_name(path.name + ".part")
    part.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    part.replace(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=STUDIES.parent, help="repository whose README.md and docs/results.md are written")
    options = parser.parse_args(argv)
    found = collected()
    write_between(options.root / "README.md", short(found, "docs/"))
    write_between(options.root / "docs" / "results.md", long(found, ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
