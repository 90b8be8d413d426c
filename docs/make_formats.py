"""Write the table of readers into docs/formats.md: one line per format, from the readers themselves.

python docs/make_formats.py
"""

from pathlib import Path

from orbitscope.data import Reader, readers

PAGE = Path(__file__).resolve().parent / "formats.md"
BEGIN, END = "<!-- readers: written by docs/make_formats.py -->", "<!-- end of readers -->"


def tables() -> str:
    """A line per reader: name, what it reads, whether values stay on disk, the options beyond those of every reader; then all options."""
    known = {name: reader for name, reader in readers().items() if reader.__module__.startswith("orbitscope.")}
    common, shared = Reader.options(), known["netcdf"].options()
    lines = ["| reader | files | values | options |", "|---|---|---|---|"]
    meanings = dict(common)
    for name, reader in known.items():
        own = reader.options()
        meanings = {**own, **meanings}
        words = ", ".join(f"`{k}`" for k in own if k not in common) if own != shared or name == "netcdf" else "as `netcdf`"
        lines.append(f"| `{name}` | {reader.title} | {'on disk' if reader.lazy else 'in memory'} | {words or 'none of its own'} |")
    lines += ["", "| option | meaning |", "|---|---|"]
    listed = [*common, *shared, *meanings]
    lines += [f"| `{k}`{' (every reader)' if k in common else ''} | {meanings[k]} |" for k in dict.fromkeys(listed)]
    return "\n".join(lines)


def page() -> str:
    """The page with the table of today."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
