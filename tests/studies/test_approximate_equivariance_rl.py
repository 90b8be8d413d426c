"""studies/approximate_equivariance_rl: the tiny study from environments to page; its rules on hand-made numbers."""

import pandas as pd
import pytest

STUDY = "approximate_equivariance_rl"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("rl")
    where = ["--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1]
    return folder, script("--config", "tiny.toml", *where), where


def test_page_figures_and_tables(study, script):
    folder, said, where = study
    page = (folder / "docs" / "approximate-equivariance-rl.md").read_text(encoding="utf-8")
    for name in ("return", "curves", "critics"):
        assert (folder / "docs" / f"approximate-equivariance-rl-{name}.png").stat().st_size > 3_000
    agents, environments, noise = (pd.read_csv(folder / "results" / f"{n}.csv") for n in ("agents", "environments", "noise"))
    assert len(agents) == 6 and set(agents["arm"]) == {"plain", "exact", "relaxed"} and set(noise["noise"]) == {"observation", "action"}
    exact = agents[agents["arm"] == "exact"]
    plain = agents[agents["arm"] == "plain"]
    assert max(exact["policy_gap"]) < 1e-6 < min(plain["policy_gap"])
    assert environments.set_index("size")["epsilon_p"].to_dict()[0.0] == 0.0 and max(environments["epsilon_p"]) > 0.01
    bounds = pd.read_csv(folder / "results" / "bounds.csv")
    assert len(bounds) == 6 and max(bounds[bounds["size"] == 0]["bound"]) == 0 < min(bounds[bounds["size"] > 0]["bound"])
    assert max(bounds[bounds["arm"] == "exact"]["asymmetry"]) < 1e-5 < min(bounds[bounds["arm"] == "plain"]["asymmetry"])
    assert len(list((folder / "out" / "agents").glob("*.safetensors"))) == 6
    assert "not judged with fewer than 3 seeds" in page and "8 of 8 planned runs" in page and "None" not in page
    before = (folder / "results" / "agents.csv").read_bytes()
    assert "CPU s" in said and "CPU s" not in script("--config", "tiny.toml", *where)
    assert (folder / "results" / "agents.csv").read_bytes() == before


def test_bars_are_judged_by_their_rules(modules):
    page = modules("bars")

    class Made(dict):
        meta = {"settings": {"steps": 100}}

    def rows(size, **returns):
        return [
            {"environment": "cart", "size": size, "arm": arm, "seed": seed, "return": value, "step_seconds": 0.01}
            for arm, values in returns.items()
            for seed, value in enumerate(values)
        ]

    found = rows(0.0, exact=[100, 100, 100], relaxed=[94, 95, 93], plain=[10, 10, 10])
    found += rows(0.1, exact=[80, 80, 80], relaxed=[90, 90, 90], plain=[85, 85, 85]) + rows(0.2, exact=[1], relaxed=[2], plain=[3])
    judged = page.bars(Made(agents=pd.DataFrame(found)))
    assert [r[-1] for r in judged] == ["missed", "met", "not judged with fewer than 3 seeds", "met"]
    assert judged[0][2] == "0.940" and judged[3][2] == "11.1 minutes" and "no middle one" in judged[2][1]
    assert judged[0][4] == "-1 (-3 to +1) to 0.95 of exact: not decided" and judged[1][4].endswith("+5 (+5 to +5) to plain: decided")
    assert judged[2][4] == "+1 to exact, -1 to plain"  # one seed has no interval
    found += rows(0.0, wider=[80, 80, 80]) + rows(0.1, wider=[95, 95, 95])
    wider = [r for r in page.bars(Made(agents=pd.DataFrame(found))) if "wider" in r[0]]
    assert [r[-1] for r in wider] == ["met", "missed"] and wider[0][2] == "1.175" and wider[1][4].endswith(": decided")
    more = rows(0.2, exact=[1] * 3, relaxed=[2] * 3, plain=[3] * 3)
    three = page.bars(Made(agents=pd.DataFrame([r for r in found if r["size"] < 0.2] + more)))
    assert [r[-1] for r in three if "broken by 0.2" in r[0]] == ["no bar; not ahead"]
    assert not [r for r in three if r[0].endswith(page.MIDDLE)]  # one middle size is not two
    few = page.bars(Made(agents=pd.DataFrame(rows(0.0, exact=[1, 1], relaxed=[1, 1], plain=[1, 1]))))
    assert few[0][-1] == "not judged with fewer than 3 seeds"


@pytest.mark.parametrize(
    ("best", "word", "how"), [([91, 95, 99], "met", "decided at 1 of 2"), ([70, 70, 70], "missed", "decided at 1 of 2")]
)
def test_ahead_takes_two_middle_sizes(modules, best, word, how):
    """The largest size counts for nothing; the interval says what three seeds decide."""
    page = modules("bars")

    class Made(dict):
        meta = {"settings": {"steps": 100}}

    relaxed = {0.1: [90, 90, 90], 0.2: best, 0.4: [0, 0, 0]}
    found = [
        {"environment": "cart", "size": size, "arm": arm, "seed": seed, "return": value, "step_seconds": 0.01}
        for size, values in relaxed.items()
        for arm, worth in (("relaxed", values), ("exact", [80, 94, 80]), ("plain", [60, 60, 60]))
        for seed, value in enumerate([80, 80, 80] if arm == "exact" and size != 0.2 else worth)
    ]
    judged = page.bars(Made(agents=pd.DataFrame(found)))
    assert [r[-1] for r in judged[:2]] == ["met", word] and judged[2][-1] == "no bar; not ahead"
    assert judged[3][0] == f"cart, {page.MIDDLE}" and judged[3][-1] == word and judged[3][4] == how
    assert judged[3][2] == f"by the mean at {1 + (word == 'met')} of 2"


def test_the_page_counts_critics_beyond_their_bound_and_names_missing_runs(modules):
    page = modules("write_page")
    wave = {"environment": "cart", "sizes": [0.0, 0.1], "arms": ["exact", "plain"], "seeds": [0, 1]}

    class Made(dict):
        meta = {"settings": {"waves": [wave]}}

    def row(size, arm, seed, asymmetry, bound):
        numbers = {"asymmetry": asymmetry, "mean_asymmetry": asymmetry / 2, "own_bound": bound, "bound": 2 * bound, "span": 4.0}
        rest = dict.fromkeys(("reward_epsilon", "step_epsilon", "regularity", "own_epsilon"), 0.0)
        return {"environment": "cart", "size": size, "arm": arm, "seed": seed, **numbers, **rest}

    rows = [row(0.0, "plain", 0, 1.0, 0.0), row(0.0, "exact", 0, 1e-6, 0.0), row(0.1, "plain", 0, 1.0, 5.0), row(0.1, "plain", 1, 1.0, 0.5)]
    found = Made(bounds=pd.DataFrame(rows), agents=pd.DataFrame(rows))
    lines = [line.split(" | ") for line in page._critics(found).splitlines() if line.startswith("| cart")]
    assert [line[2] for line in lines] == ["plain", "exact", "plain"]
    assert [line[-1].strip(" |") for line in lines] == ["1 of 1", "0 of 1", "1 of 2"]
    assert lines[0][-4] == "0.250 (0.250 to 0.250)" and "for 1 of 2" in page._critics(found)
    assert page._missing(found).endswith("cart broken by 0: exact (seed 1), plain (seed 1); cart broken by 0.1: exact (seeds 0, 1)")
