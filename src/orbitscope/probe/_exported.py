"""`torch.export` files (.pt2): loaded only where nothing in them can run code.

`torch.export.load` runs what a file says in four ways: pickles (sample inputs, weights, constants) that it unpickles without limits once
the limited way has failed; shapes (`expr_str`), which sympy evaluates as Python; guards, which are compiled; and names that become source
text. So the archive is read here first and handed on as a copy that holds only what was understood: numbers, operators of torch's own,
arithmetic of symbols, plain names. Guards and the exporter's stack traces are left out of the copy; nothing here needs them.
"""

import ast
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._errors import OrbitscopeError

_PLAIN = re.compile(r"[\w.+\-]*", re.ASCII)
_TEXT = re.compile(r"[\w .,>\-]{0,200}", re.ASCII)  # an argument of an operator, such as "circular" or "bij,bjk->bik"
_OPERATOR = re.compile(
    r"(torch\.ops\.(aten|prims)\.\w+\.\w+|_operator\.\w+|math\.\w+|torch\.sym_\w+|torch\.ops\.higher_order\.wrap_with_\w+)", re.ASCII
)
_OUTWARD = re.compile(r"torch\.ops\.aten\.(save|from_file|load)\w*\.\w+", re.ASCII)  # operators that take the name of a file
_ARITHMETIC = re.compile(
    "Integer|Rational|Add|Mul|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|ModularIndexing|TruncToInt|IntTrueDiv|FloatTrueDiv|"
    "Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan|And|Or|Not"
)
_MEMBERS = re.compile(
    r"data/weights/(weight_\d+|\w+_weights_config\.json)|data/constants/(tensor_\d+|\w+_constants_config\.json)|models/\w+\.json|"
    r"data/sample_inputs/\w+\.pt|archive_format|archive_version|version|byteorder|\.data/(version|serialization_id|alignment)|"
    r"serialized_exported_program\.json|serialized_(state_dict|constants|example_inputs)\.pt",
    re.ASCII,
)
_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_ARCHIVE = "orbitscope_archive"
_EMPTIED = {"guards_code": [], "metadata": {}}


class _Unsafe(Exception):
    """What in an archive is not plainly data."""


class Exported(torch.fx.GraphModule):
    """A loaded program, which goes to another process as its archive, looked through as here, and the tensors that it holds now.

    Torch's own way of pickling a graph is its source, whose names another process does not have.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return _sent, (self.meta[_ARCHIVE], {name: value.detach() for name, value in tensors.items()}, self.__dict__.get("frames"))


def _unpacked(archive: bytes) -> nn.Module:
    """The module of an archive."""
    module = torch.export.load(io.BytesIO(archive)).module()
    if isinstance(module, torch.fx.GraphModule):
        module.meta[_ARCHIVE] = archive
        type(module).__bases__ = (Exported,)  # every graph has a class of its own, which a copy of it passes over for the first base
    return module


def _sent(archive: bytes, tensors: dict[str, torch.Tensor], frames: int | None) -> nn.Module:
    """The program in another process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, about its own format
        module = _unpacked(archive)
    for name, value in tensors.items():
        path, _, last = name.rpartition(".")
        owner = module.get_submodule(path)
        held = getattr(owner, last)
        setattr(owner, last, nn.Parameter(value, requires_grad=held.requires_grad) if isinstance(held, nn.Parameter) else value)
    if frames is not None:
        module.frames = frames  # pyright: ignore[reportArgumentType]
    return module


def load_exported(path: Path, *, trust: bool = False) -> nn.Module:
    """The module of a `torch.export` file; with `trust`, whatever the file makes Python do.

    Raises `OrbitscopeError` where there is no such file, where it is damaged, and, without `trust`, where it holds anything that could
    run code, naming what.
    """
    if not path.is_file():
        raise OrbitscopeError(f"model: there is no file {path}.")
    try:
        stream = io.BytesIO(path.read_bytes()) if trust else safe_copy(path.read_bytes())
        return _unpacked(stream.getvalue())
    except _Unsafe as error:
        raise OrbitscopeError(
            f"model: {path} is not plainly data: {error}. Loading it could run code that somebody put there. If you know where it comes "
            "from: --trust (trust=True). Or export it again with this version of torch."
        ) from error
    except Exception as error:  # torch.export raises zipfile, pickle, json and runtime errors alike for a damaged file
        raise OrbitscopeError(f"model: {path} is not a readable torch.export file: {type(error).__name__}: {error}") from error


def safe_copy(content: bytes) -> io.BytesIO:
    """The archive again, of the members that are known and were looked through; raises for one that may run code."""
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as out:
        members = archive.infolist()
        if sum(m.file_size for m in members) > len(content) or len({m.filename for m in members}) < len(members):
            raise _Unsafe("its members are compressed or there twice, which torch does not write")
        for member in members:
            head, _, rest = member.filename.partition("/")
            name = member.filename if head in ("version", "extra_files") or head.startswith("serialized_") else rest
            if name.startswith(("extra/", "extra_files/")):
                continue  # words of the exporter, for nobody here
            if not _MEMBERS.fullmatch(name) or not _PLAIN.fullmatch(head):
                raise _Unsafe(f"it has the member {member.filename!r}")
            out.writestr(member.filename, _looked_through(name, archive.read(member)))
    copy.seek(0)
    return copy


def _looked_through(name: str, content: bytes) -> bytes:
    """One member, without what is not needed; raises for what may run code."""
    if name.endswith(".pt"):
        if content:
            try:
                torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            except Exception as error:  # pickle, zip and runtime errors
                raise _Unsafe(f"{name} is a pickle of more than tensors and numbers ({type(error).__name__})") from error
        return content
    if not name.endswith(".json"):
        return content
    data = json.loads(content)
    if name.endswith("_config.json"):
        _plain(data, name)
        for entry in data["config"].values():
            if entry.get("use_pickle"):
                raise _Unsafe(f"{name} names pickles")
            if not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
                raise _Unsafe(f"{name} names the file {entry['path_name']!r}")
        return content
    return json.dumps(_program(data, name)).encode()


def _plain(data: Any, where: str) -> None:
    """Raise for any word that is more than a name."""
    for word in _words(data):
        if not _PLAIN.fullmatch(word):
            raise _Unsafe(f"{where} holds {word[:80]!r}")


def _words(data: Any) -> Iterable[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _words(value)
    elif isinstance(data, list):
        for value in data:
            yield from _words(value)


def _program(data: Any, where: str) -> Any:
    """The description of a program, with guards and metadata emptied and everything else looked at."""
    if isinstance(data, list):
        return [_program(item, where) for item in data]
    if isinstance(data, str):
        _plain(data, where)
        return data
    if not isinstance(data, dict):
        return data
    found = {}
    for key, value in data.items():
        _plain(key, where)
        if key in _EMPTIED:
            found[key] = _EMPTIED[key]
        elif isinstance(value, str):
            _one(key, value, where)
            found[key] = value
        elif key == "as_strings":
            for item in value:
                _one("as_string", item, where)
            found[key] = value
        else:
            found[key] = _program(value, where)
    return found


def _one(key: str, value: str, where: str) -> None:
    """A word by the entry that it stands in."""
    if key == "target":
        good = _OPERATOR.fullmatch(value) and not _OUTWARD.fullmatch(value)
    elif key == "expr_str":
        good = len(value) <= 4000 and _arithmetic(value)
    elif key in ("in_spec", "out_spec"):
        good = not value or _tree(value)
    else:
        good = (_TEXT if key == "as_string" else _PLAIN).fullmatch(value)
    if not good:
        raise _Unsafe(f"{where} has {key} = {value[:80]!r}")


def _arithmetic(text: str) -> bool:
    """Whether an expression is sums, products and quotients of symbols and whole numbers, as torch writes shapes."""
    try:
        return _node(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _node(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool) or (isinstance(node.value, int | float) and abs(node.value) < 2**63)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant) and _node(node.operand)
    if isinstance(node, ast.Name):
        return node.id in ("true", "false") or re.fullmatch(r"[suzf]+\d+", node.id) is not None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    name, arguments = node.func.id, node.args
    if not all(isinstance(k.value, ast.Constant) and isinstance(k.value.value, int) and k.value.value <= 64 for k in node.keywords):
        return False
    if name in ("Symbol", "Float"):
        words = [a.value for a in arguments if isinstance(a, ast.Constant)]
        return len(words) == len(arguments) == 1 and re.fullmatch(r"\w+" if name == "Symbol" else r"[\d.e+\-]+", str(words[0])) is not None
    if name == "Pow":  # of symbols: a tower of numbers would be worked out
        return (
            len(arguments) == 2 and isinstance(arguments[0], ast.Call) and getattr(arguments[0].func, "id", "") == "Symbol"
            and _node(arguments[0]) and ast.unparse(arguments[1]) in {f"Integer({n})" for n in range(-8, 9)}
        )  # fmt: skip
    return _ARITHMETIC.fullmatch(name) is not None and all(map(_node, arguments))


def _tree(text: str) -> bool:
    """Whether the shape of a program's arguments is made of tuples, lists and dicts of plain names."""
    try:
        return _branch(json.loads(text)[1])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _branch(data: Any) -> bool:
    if data["type"] not in _TREES:
        return False
    context = data["context"]
    known = context is None or all(_PLAIN.fullmatch(w) for w in _words(json.loads(context)))
    return known and all(_branch(child) for child in data["children_spec"])
