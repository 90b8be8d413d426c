"""How things show themselves in a notebook: a table each, and one line for every run of a list."""

from html.parser import HTMLParser

import torch

import orbitscope as osc


class _Text(HTMLParser):
    """The words of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags = "", set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.words += f" {data}"


def test_trajectories_runs_and_symmetries_are_tables(tmp_path):
    data = osc.Trajectories(
        torch.randn(8, 3, 2, 8, 8), osc.Layout.of("v:vector:m/s"), osc.Grid.square(8), dt=0.1, provenance={"scenario": "<b>mine</b>"}
    )
    osc.train(data, osc.TrainConfig(model="resnet", epochs=1, overrides={"width": 4, "depth": 1}), tmp_path / "run", progress=None)
    runs = osc.load_runs(tmp_path / "run")
    assert repr(list(runs)).count("\n") == 0 and "resnet small seed 0" in repr(list(runs)) and "Conv2d" not in repr(list(runs))
    for thing, words in (
        (data, ("v_x [m/s]", "8 x 8", "<b>mine</b>")),
        (runs[0], ("resnet small", "test", str(tmp_path))),
        (osc.Symmetry.of(data, "d4"), ("D4", "8: e, r", "f(g x) = g f(x)")),
        (osc.Symmetry.boosts(data), ("not finite",)),
    ):
        shown = _Text(thing._repr_html_())
        assert all(word in shown.words for word in words), shown.words
        assert shown.tags == {"table", "caption", "tbody", "tr", "th", "td"}
