"""Mistakes in words are found before the data are read."""

import subprocess

import pytest

import orbitscope.cli._words as words_module
from orbitscope.cli import main
from orbitscope.cli._main import SHELLS

OUT = ["--out", "x.nc"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["audit", "d.nc", "--group", "dihedral4"], "dihedral4"),
        (["audit", "d.nc", "--group", "d4", "p4m"], "p4m"),
        (["audit", "d.nc", "--law", "magnetism"], "magnetism"),
        (["audit", "d.nc", "--law", "navier-stokes:speed=3"], "speed"),
        (["audit", "d.nc", "--out", "there.nc"], "there.nc exists"),
        (["audit", "d.nc", "--fix", "there.nc/mended.nc"], "no room"),
        (["train", "d.nc", "--model", "unett", "--out", "r"], "unett"),
        (["train", "d.nc", "--preset", "tiny", "--out", "r"], "tiny"),
        (["train", "d.nc", "--model", "no.such:net", "--out", "r"], "no.such"),
        (["train", "d.nc", "--model", "equivariant_unet", "--group", "q8", "--out", "r"], "q8"),
        (["train", "d.nc", "--augment", "q8", "--out", "r"], "q8"),
        (["probe", "torch.nn:Identity", "d.nc", "--group", "q8", *OUT], "q8"),
        (["probe", "torch.nn:Identity", "d.nc", "--law", "magnetism", *OUT], "magnetism"),
        (["probe", "torch.nn:Identity", "d.nc", "--out", "there.nc"], "there.nc exists"),
        (["probe", "torch.nn:Nothing", "d.nc", *OUT], "torch.nn:Nothing"),
        (["probe", "torch.nn:Identity", "d.nc", "--metric", "euclid", *OUT], "euclid"),
        (["probe", "runs/none", "d.nc", *OUT], "runs/none"),
        (["epochs", "runs/none", "d.nc", "--group", "q8", *OUT], "q8"),
        (["epochs", "runs/none", "d.nc", *OUT, "--picture", "there.nc"], "there.nc exists"),
        (["transfer", "runs/none", "d.nc", "--group", "q8", *OUT], "q8"),
        (["report", "none.nc", "--out", "there.nc"], "there.nc exists"),
    ],
)
def test_words_are_read_before_the_data(args, said, tmp_path, monkeypatch, capsys):
    def touched(*_, **__):
        raise AssertionError("the data were read")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.nc").write_text("keep")
    for module in ("_audit", "_actions", "_epochs", "_transfer", "_words"):  # the last one is where the others take it from
        monkeypatch.setattr(f"{words_module.__package__}.{module}.load_words", touched)
    assert main(args) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "there.nc").read_text() == "keep"


@pytest.mark.parametrize("words", ["tx", "tz", "oh", "d4*tx*ty", "so2/16", "se3 x se3", "b3", "tx16"])
def test_good_words_pass_whatever_the_dimension(words):
    from orbitscope.cli._early import read_groups

    assert read_groups([words]) == (words,)


def test_the_completion_knows_verbs_flags_and_choices(tmp_path, capsys):
    for shell in SHELLS:
        assert main(["--print-completion", shell]) == 0
        script = capsys.readouterr().out
        assert "transfer" in script and "--influence-elements" in script and "--json" in script
        if shell == "bash":
            (tmp_path / "completion.bash").write_text(script)
    asked = 'source completion.bash; COMP_WORDS=({}); COMP_CWORD={}; _tyro_orbitscope; echo "${{COMPREPLY[@]}}"'
    for line, last, wanted in (("orbitscope tr", 1, "train transfer"), ('orbitscope train --schedule ""', 3, "cosine constant")):
        done = subprocess.run(["bash", "-c", asked.format(line, last)], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.split() == wanted.split(), done.stderr
    assert main(["--print-completion", "csh"]) == 2 and "bash, zsh, fish" in capsys.readouterr().err
