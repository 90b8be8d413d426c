"""The lower bounds of pyproject.toml as constraints for pip: `python tests/versions.py > lowest.txt`.

torch is left out: below the pinned version there are only wheels for GPUs, gigabytes each, so both ends are tried with the pinned one.
"""

import re
import tomllib
from pathlib import Path

LEFT_OUT = ("torch",)


def lowest(requirements: list[str]) -> list[str]:
    """Each requirement at its bound.

    >>> lowest(["numpy>=1.26", "torch>=2.6"])
    ['numpy==1.26.*']
    """
    parts = [re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement.split(";")[0].strip()) for requirement in requirements]
    return [f"{found[1]}=={found[2]}.*" for found in parts if found and found[1] not in LEFT_OUT]


def main() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(lowest(project["dependencies"])))


if __name__ == "__main__":
    main()
