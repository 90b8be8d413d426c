"""The code blocks of a Markdown page, and how to run them small."""

import contextlib
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbitscope.cli import main
from orbitscope.systems import of_environment, of_scenario

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = "# Not run by the tests: "
_FENCE = re.compile(r"^```(?P<lang>\w+)?(?: title=\"(?P<title>[^\"]+)\")?[ \t]*\n(?P<text>.*?)^```[ \t]*$", re.M | re.S)

# What a reader runs for minutes runs here for seconds; everything else in the command stays as it is printed.
_SMALL = {
    "simulate": {"--trajectories": "8", "--resolution": "16", "--frames": "4"},
    "train": {"--epochs": "1"},
    "transfer": {"--steps": "2"},
    "plan": {"--steps": "3", "--episodes": "1"},
    "discover": {"--epochs": "30"},
    "evaluate": {"--episodes": "1"},
    "infer": {"--draws": "20", "--warmup": "50", "--chains": "1"},
    "probe": {"--trajectories": "2", "--times": "1", "--influence-elements": "3"},
}
# Narrow networks too, where the page names no width: what the commands do is asked here, not what the network learns.
_WIDTHS = {
    "unet": 4, "vit": 8, "equivariant_unet": 1, "equivariant_resnet": 1, "equivariant_fno": 2, "equivariant_vit": 4, "relaxed_unet": 1,
    "relaxed_resnet": 1, "motion_unet": 2, "motion_resnet": 2, "magnitude_unet": 4, "magnitude_resnet": 4, "scale_unet": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """One fenced block: language, file name if it has a title, text, line of the page."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Every fenced block in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(m["lang"] or "", m["title"] or "", m["text"], text[: m.start()].count("\n") + 1) for m in _FENCE.finditer(text)]


def commands(block: Block) -> list[list[str]]:
    """The lines of a shell block as words, comments cut off."""
    return [words for line in block.text.splitlines() if (words := shlex.split(line, comments=True))]


def small(words: list[str]) -> list[str]:
    """The arguments of an orbitscope command, shrunk by replacing or adding the sizes.

    >>> small(["orbitscope", "train", "ns.nc", "--model", "unet", "--epochs", "10"])
    ['train', 'ns.nc', '--model', 'unet', '--epochs', '1', '--override', 'width=4']
    """
    verb, *rest = words[1:]
    text = " ".join([verb, *(w if " " not in w else repr(w) for w in rest)])
    sizes = _SMALL.get(verb, {})
    if verb == "simulate" and of_scenario(rest[0]) is not None:  # examples of a system have no grid and no times
        sizes = {"--trajectories": "120" if rest[0].startswith("words") else "16"}
    if verb == "train" and of_environment(rest[0]) is not None:
        sizes = {"--steps": "60"}
        text += "" if "--override" in text else " --override width=8 repeat=50 every=60 episodes=1 batch_size=8 learning_starts=20"
    for flag, size in sizes.items():
        text, found = re.subn(rf"{flag} \S+", f"{flag} {size}", text)
        if not found:
            text += f" {flag} {size}"
    return _narrow(shlex.split(text)) if verb == "train" else shlex.split(text)


def _narrow(words: list[str]) -> list[str]:
    """Training words with a small width for the model, unless one is given."""
    width = _WIDTHS.get(words[words.index("--model") + 1]) if "--model" in words else None
    if width is None or any(w.startswith("width=") for w in words):
        return words
    at = words.index("--override") + 1 if "--override" in words else len(words)
    return [*words[:at], *([] if at < len(words) else ["--override"]), f"width={width}", *words[at:]]


def run(page: Path, folder: Path, monkeypatch: Any) -> tuple[int, int]:
    """Run the blocks of a page one after the other in `folder`; return how many Python blocks and commands ran.

    Python blocks share one namespace. A block with a title is a file. Shell blocks may hold orbitscope commands and make targets.
    """
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    namespace: dict[str, Any] = {"__name__": "docs"}
    ran, called = 0, 0
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.title:
            (folder / block.title).write_text(block.text)
        elif block.language == "python" and not block.text.startswith(NOT_RUN):
            exec(compile(block.text, where, "exec"), namespace)
            ran += 1
        elif block.language == "bash":
            for words in commands(block):
                called += _call(words, where)
    return ran, called


def _call(words: list[str], where: str) -> int:
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert words[1] in targets, f"{where}: there is no target {words[1]!r} in the Makefile"
        return 0
    if words[0] in ("cp", "dd"):  # a file is copied, or damaged on purpose
        subprocess.run(words, check=True, capture_output=True)
        return 0
    assert words[0] == "orbitscope", f"{where}: the tests do not know how to run {words!r}"
    expected = 0
    if "||" in words:  # `orbitscope info broken.nc --check || echo "as expected"`
        words, expected = words[: words.index("||")], 1
    with contextlib.redirect_stdout(None):
        assert main(small(words)) == expected, f"{where}: {' '.join(words)} did not end with exit code {expected}"
    return 1
