"""Nothing in a run folder or a .pt2 file chooses code to run, unless the caller says so."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import orbitscope as osc
from orbitscope.cli import main
from orbitscope.emulators import second_moments


class Opens:
    """Unpickled without limits, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, small."""
    random = torch.Generator().manual_seed(0)
    data = osc.Trajectories(torch.randn(4, 3, 2, 8, 8, generator=random), osc.Layout.of("velocity:vector"), osc.Grid.square(8), 0.1)
    folder = tmp_path_factory.mktemp("trust")
    osc.save(data, folder / "flow.nc")
    config = osc.TrainConfig(model="resnet", overrides={"width": 2, "depth": 1}, epochs=1, keep="all")
    return osc.train(data, config, folder / "run", progress=None, tensorboard=False)


def test_a_run_folder_names_no_code(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar, mark = run / "run.json", tmp_path / "mark"
    clean = sidecar.read_text()
    said = json.loads(clean)
    said["config"] |= {"model": "subprocess:Popen", "overrides": {"args": f"touch {mark}", "shell": True}}
    sidecar.write_text(json.dumps(said))
    doors: list[Callable[[], object]] = [
        lambda: osc.load_run(run), lambda: osc.load_runs(run), lambda: osc.load_model(run), lambda: second_moments(run),
        lambda: osc.load_run(run, trust="subprocess:run"),
    ]  # fmt: skip
    for door in doors:
        with pytest.raises(osc.OrbitscopeError, match=r"'subprocess:Popen', which is neither built in nor registered.*--trust"):
            door()
    flow, out = str(run.parent / "flow.nc"), str(tmp_path / "o.nc")
    for words in (["info", str(run)], ["audit", flow, "--splits", str(run)], ["probe", str(run), flow, "--out", out],
                  ["epochs", str(run), flow, "--out", out], ["transfer", str(run), flow, "--out", out]):  # fmt: skip
        assert main(words) == 2 and "--trust" in capsys.readouterr().err
    assert not mark.exists()
    # Whoever trusts it, or named it on the command line, gets it.
    said["config"] |= {"model": "torch.nn:Identity", "overrides": {}}
    sidecar.write_text(json.dumps(said))
    with pytest.raises(osc.OrbitscopeError, match="does not fit the model"):
        osc.load_run(run, trust=True)
    with pytest.raises(osc.OrbitscopeError, match="does not fit the model"):
        osc.load_run(run, trust="torch.nn:Identity")
    sidecar.write_text(clean)
    assert osc.load_run(run).finished and main(["info", str(run)]) == 0


def _guarded(code: str) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(json.loads(content) | {"guards_code": [code]}).encode()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with products of a symbol in its shapes, and a guard."""
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), torch.nn.Conv2d(4, 2, 1), torch.nn.Flatten(0, 1)
    )
    model = torch.nn.Sequential(model, torch.nn.Unflatten(0, (-1, 2))).eval()
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(torch.export.export(model, (torch.randn(3, 2, 8, 8),), dynamic_shapes=({0: torch.export.Dim("b", max=64)},)), path)
    x = torch.randn(5, 2, 8, 8)
    assert torch.equal(osc.load_model(path)(x), model(x)) and torch.equal(osc.load_model(path, trust=True)(x), model(x))
    return path


def _changed(path: Path, out: Path, member: str, change: Callable[[bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith(member) else old.read(name))
        if not any(name.endswith(member) for name in old.namelist()):
            new.writestr(f"{path.stem}/{member}", change(b""))
    return out


def _text(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old.encode() in content, old
        return content.replace(old.encode(), new.encode(), 1)

    return change


def test_an_exported_program_runs_no_code_on_loading(exported: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    touch = f"__import__('os').system('touch {mark}')"
    pickled, saved = pickle.dumps(Opens(mark)), io.BytesIO()
    torch.save(Opens(mark), saved)
    model, symbol = "models/model.json", "Symbol('s"
    changes: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("sample_inputs/model.pt", lambda _: saved.getvalue()),
        (model, _text(symbol, f"{touch} or Symbol('s")),
        (model, _text(symbol, f"Pow(Integer(9), Pow(Integer(9), Integer(99999))) + {symbol}")),
        (model, _text("torch.ops.aten.conv2d.default", "torch.hub.load")),
        (model, _text("torch.ops.aten.conv2d.default", "torch.ops.aten.save.default")),
        (model, _text('"name": "input"', f'"name": "input=[{touch}]"')),
        (model, _text('"0.0.weight"', f'"0.0.weight\\"), {touch}#"')),
        (model, _text("builtins.tuple", "subprocess.Popen")),
        ("weights/model_weights_config.json", _text('"use_pickle": false', '"use_pickle": true')),
        ("weights/model_weights_config.json", _text('"weight_0"', '"../weight_0"')),
        ("constants/model_constants_config.json", lambda _: b'{"config": {"c": {"path_name": "opaque_obj_0", "use_pickle": true}}}'),
        ("constants/opaque_obj_0", lambda _: pickled),
        ("weights/model.pt", lambda _: saved.getvalue()),
        ("data/aotinductor/net/net.so", lambda _: b"\x7fELF"),
    ]  # fmt: skip
    for k, (member, change) in enumerate(changes):
        path = _changed(exported, tmp_path / f"{k}.pt2", member, change)
        with pytest.raises(osc.OrbitscopeError, match=r"not plainly data.*--trust"):
            osc.load_model(path)
        assert not mark.exists(), (k, member)
    # Guards are left out instead: they are compiled, and every exported program with bounds has some.
    path = _changed(exported, tmp_path / "guards.pt2", model, _guarded(touch))
    assert osc.load_model(path)(torch.randn(2, 2, 8, 8)).shape == (2, 2, 8, 8) and not mark.exists()
