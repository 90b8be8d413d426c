"""Models that see several past states: every instrument, against hand-written references."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.nn import Galilean, frames_of
from orbitscope.probe import (
    GaussNewtonFull,
    Unrolled,
    boost_curve,
    equivariance_by_step,
    generator,
    influence_by_step,
    lie_derivative,
    lie_layers,
    load_model,
    shift_curve,
    spectrum,
    step_test,
)
from orbitscope.probe._gradients import output_probes
from orbitscope.probe._sample import sample_transitions
from orbitscope.probe._subject import Subject

Make = Callable[..., osc.Trajectories]


class Toy(nn.Module):
    """Two states of two channels, mixed by a circular convolution; nothing symmetric about it but shifts."""

    frames = 2

    def __init__(self, channels: int = 2, frames: int = 2) -> None:
        super().__init__()
        self.frames = frames
        self.first = nn.Conv2d(frames * channels, 3, 3, padding=1, padding_mode="circular")
        self.last = nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)))


class Attention(nn.Module):
    """Cells of all states as tokens; forward mode goes through attention."""

    frames = 2

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.drop = nn.Linear(4, 6), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.lift(x.flatten(2).mT).unsqueeze(1).chunk(3, -1)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).squeeze(1)
        return x[:, 2:] + self.drop(mixed).mT.reshape(x[:, 2:].shape)


def toy(kind: Callable[[], nn.Module] = Toy) -> nn.Module:
    torch.manual_seed(3)
    return kind().double().eval()


def windows(data: osc.Trajectories, frames: int, lead: int = 1) -> tuple[Tensor, Tensor]:
    """All transitions by hand, time-major."""
    v = data.tensor()
    x, y = [], []
    for t in range(frames - 1, data.times - lead):
        for i in range(data.trajectories):
            x.append(torch.cat([v[i, t - back] for back in reversed(range(frames))]))
            y.append(v[i, t + lead])
    return torch.stack(x), torch.stack(y)


def moved(action: osc.GridAction, g: osc.Isometry, x: Tensor, frames: int) -> Tensor:
    """Each state by itself."""
    return torch.cat([action(g, part) for part in x.chunk(frames, dim=1)], 1)


def equivariant(frames: int) -> nn.Module:
    layout = osc.Layout.of("velocity:vector")
    torch.manual_seed(1)
    net = osc.build(
        "equivariant_resnet", channels_in=2 * frames, channels_out=2, layout=layout, grid=osc.Grid.square(8), group="d4", width=2, depth=1
    )
    scale = torch.full((2,), 1.5)
    return osc.Emulator(net, torch.zeros(2), scale, scale / 3, residual=True, frames=frames).double().eval()


@pytest.mark.parametrize(("frames", "metric"), [(1, "gauss_newton"), (3, "gauss_newton"), (3, "euclidean")])
def test_an_equivariant_model_commutes_and_coheres(random_data: Make, frames: int, metric: str) -> None:
    """Exactly, however many states it sees; its plain counterpart does not."""
    data, model = random_data(points=8, times=6), equivariant(frames)
    error = osc.equivariance(model, data, "d4", trajectories=None, times=None)
    assert error["commutator"].max() < 1e-12
    np.testing.assert_allclose(error["relative_error"], 1, atol=1e-10)
    assert error.sizes["transition"] == 3 * (6 - frames) and error.attrs["frames"] == frames
    shared = osc.influence(model, data, "d4", trajectories=2, times=2, metric=metric, control=True)
    own = np.einsum("etiti->eti", shared["coherence"].values)
    np.testing.assert_allclose(own, 1, atol=1e-7)
    np.testing.assert_allclose(shared["response"], 1, atol=1e-7)
    np.testing.assert_allclose(shared["control"], 1, atol=1e-8)
    plain = Toy(frames=frames).double()
    assert osc.equivariance(plain, data, "d4")["commutator"].sel(element="r").median() > 0.1
    assert float(osc.influence(plain, data, "d4", trajectories=2, times=2, metric=metric)["response"].sel(element="r")) < 0.99


def test_the_error_is_the_formula(random_data: Make) -> None:
    """Every frame moved, the answer moved once, skill against the last known state."""
    data, model, action = random_data(points=6, times=5), toy(), osc.GridAction(osc.Layout.of("velocity:vector"), osc.Grid.square(6))
    found = osc.equivariance(model, data, "d4", trajectories=None, times=None)
    x, y = windows(data, 2)
    assert found["time"].values.tolist() == np.repeat([1, 2, 3], 3).tolist()
    with torch.no_grad():
        for name in ("r", "sr"):
            g = osc.dihedral(4)[name]
            gap, size = model(moved(action, g, x, 2)) - action(g, model(x)), model(x)
            expected = gap.flatten(1).norm(dim=1) / size.flatten(1).norm(dim=1)
            np.testing.assert_allclose(found["commutator"].sel(element=name), expected, rtol=1e-12)
        skill = [hand_loss(model(a[None]), b[None]) / hand_loss(a[None, 2:], b[None]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found["skill"], skill, rtol=1e-5)  # the library's loss adds a constant under the root


def hand_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """SMSE of one example, by its formula."""
    rms = target[0].square().mean((-2, -1)).sqrt()
    return ((prediction[0] - target[0]).square().mean((-2, -1)) / (rms + 1e-6)).mean()


class Dense:
    """Gradients at x and at gx and the Jacobian by plain autograd, one number at a time."""

    def __init__(self, model: nn.Module, data: osc.Trajectories, frames: int) -> None:
        self.parameters, self.model = list(model.parameters()), model
        self.action, self.frames = osc.GridAction(data.layout, data.grid), frames
        self.x, self.y = windows(data, frames)
        self.kets = self.gradients(self.x, self.y)
        self.jacobian = np.stack([self.row(o) for o in model(self.x).flatten()])

    def row(self, value: Tensor) -> np.ndarray:
        return torch.cat([p.flatten() for p in torch.autograd.grad(value, self.parameters, retain_graph=True)]).numpy()

    def gradients(self, x: Tensor, y: Tensor) -> np.ndarray:
        return np.stack([self.row(hand_loss(self.model(a[None]), b[None])) for a, b in zip(x, y, strict=True)])

    def bras(self, name: str) -> np.ndarray:
        g = osc.dihedral(4)[name]
        return self.gradients(moved(self.action, g, self.x, self.frames), self.action(g, self.y))

    def inverse(self, damping: float, span: np.ndarray | None = None) -> np.ndarray:
        """(J'J / M + damping)^-1, or its restriction to the span of some rows."""
        metric = self.jacobian.T @ self.jacobian / len(self.jacobian) + damping * np.eye(self.jacobian.shape[1])
        if span is None:
            return np.linalg.inv(metric)
        left, singular, _ = np.linalg.svd(span.T, full_matrices=False)
        basis = left[:, singular > 1e-7 * singular[0]]
        return basis @ np.linalg.inv(basis.T @ metric @ basis) @ basis.T


METRICS: list[tuple[str, str | osc.Metric, float | None]] = [
    ("euclidean", "euclidean", None),
    ("1e-6", "gauss_newton", 1e-6),
    ("1e-4", "gauss_newton", 1e-4),
    ("orbit", osc.GaussNewton(1e-3, span="orbit"), None),
    ("full", GaussNewtonFull(1e-3, tolerance=1e-11), None),
]


@pytest.mark.parametrize("kind", [Toy, Attention])
@pytest.mark.parametrize(("which", "metric", "damping"), METRICS, ids=[m[0] for m in METRICS])
def test_influence_is_the_dense_computation(
    random_data: Make, kind: type[nn.Module], which: str, metric: str | osc.Metric, damping: float | None
) -> None:
    """Every number within 1e-8 of itself, or 1e-9 of the largest."""
    data, model, names = random_data(points=4, trajectories=2, times=4), toy(kind), ["e", "r", "s", "sr3"]
    found = osc.influence(model, data, "d4", metric=metric, damping=damping, elements=names, trajectories=None, times=None, chunk=3)
    by_hand = Dense(model, data, 2)
    n, bras = len(by_hand.x), {name: by_hand.bras(name) for name in names}
    everything = np.concatenate([by_hand.kets, *bras.values()])
    for name in names:
        if which == "euclidean":
            inverse = np.eye(by_hand.kets.shape[1])
        elif damping is not None:
            inverse = by_hand.inverse(damping, np.concatenate([by_hand.kets, bras[name]]))
        else:
            inverse = by_hand.inverse(1e-3, everything if which == "orbit" else None)
        one = found.sel(element=name)
        for values, expected in (
            (one["influence"].values.reshape(n, n), bras[name] @ inverse @ by_hand.kets.T),
            (one["ket_self"].values.ravel(), np.einsum("np,pq,nq->n", by_hand.kets, inverse, by_hand.kets)),
            (one["bra_self"].values.ravel(), np.einsum("np,pq,nq->n", bras[name], inverse, bras[name])),
        ):
            np.testing.assert_allclose(values, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


def test_kronecker_blocks_know_the_outputs(random_data: Make) -> None:
    """Its curvature per output number, in the mean over many probes: the trace of J'J / M over the first tensor."""
    data, model = random_data(points=4, trajectories=2, times=3), toy()
    by_hand = Dense(model, data, 2)
    subject = Subject.of(model)
    rows = output_probes(subject, by_hand.x, 400, 0, 8)
    sketched = rows.square().sum() / (400 * subject.outputs(by_hand.x))
    assert float(sketched) == pytest.approx((by_hand.jacobian**2).sum() / len(by_hand.jacobian), rel=0.03)
    assert osc.influence(model, data, "c2", metric="kronecker")["coherence"].notnull().all()


def test_a_sketch_agrees_with_the_exact_metric(random_data: Make) -> None:
    data, model = random_data(points=4, trajectories=3, times=3), toy()
    exact, drawn = (osc.influence(model, data, "c4", damping=1e-3, sketch=s) for s in (None, 400))
    gap = abs(exact["coherence"] - drawn["coherence"])
    assert float((gap / (drawn["coherence_error"] + 1e-6)).median()) < 2 and float(gap.max()) < 0.1


def test_losses_that_see_the_state_see_the_last_one(random_data: Make) -> None:
    """A drift of momentum is against the newest state."""
    data, model = random_data(points=4, trajectories=2, times=3), toy()
    found = osc.influence(model, data, "c2", metric="euclidean", bra_loss="momentum", trajectories=None, times=None)
    x, _ = windows(data, 2)
    with torch.no_grad():
        p = model(x)
    drift = (p.mean((2, 3)) - x[:, 2:].mean((2, 3))).square().sum(1) / x[:, 2:].square().sum(1).mean((1, 2))
    np.testing.assert_allclose(found["loss"].sel(element="e").values.ravel(), drift, rtol=1e-10)


def test_steps_are_predicted(random_data: Make) -> None:
    for metric in ("gauss_newton", "euclidean"):
        found = step_test(toy(), random_data(points=4, times=4), "c4", metric=metric, relative=1e-5)
        assert float(found["correlation"]) > 0.9999 and abs(float(found["slope"]) - 1) < 1e-2


def test_the_spectrum_is_that_of_the_dense_jacobian(random_data: Make) -> None:
    data, model = random_data(points=4, trajectories=2, times=3), toy()
    x, y = windows(data, 2)
    parameters = list(model.parameters())
    rows = [torch.cat([p.flatten() for p in torch.autograd.grad(o, parameters, retain_graph=True)]) for o in model(x).flatten()]
    jacobian = torch.stack(rows).numpy()
    values, vectors = np.linalg.eigh(jacobian @ jacobian.T / len(jacobian))
    residual = (y - model(x)).detach().flatten().numpy()
    for method in ("dense", "lanczos"):
        found = spectrum(model, data, trajectories=None, times=None, modes=4, method=method, vectors=1)
        np.testing.assert_allclose(found["eigenvalue"], values[::-1][:4], rtol=1e-8)
        np.testing.assert_allclose(found["alignment"][0], (vectors[:, -1] @ residual) ** 2 / (residual @ residual), rtol=1e-6)
        assert found.sizes["channel"] == 2


def test_roll_outs_feed_predictions_back(random_data: Make) -> None:
    """f(f) by hand, the moved start, persistence of the last known state."""
    data, model = random_data(points=6, times=6), toy()
    found = equivariance_by_step(model, data, "c4", 3, elements=["r"], trajectories=None)
    values, action, r = data.tensor(), osc.GridAction(data.layout, data.grid), osc.cyclic(4)["r"]

    def rolled(old: Tensor, new: Tensor) -> list[Tensor]:
        states = [old, new]
        for _ in range(3):
            states.append(model(torch.cat(states[-2:], 1)))
        return states[2:]

    with torch.no_grad():
        plain, other = rolled(values[:, 0], values[:, 1]), rolled(action(r, values[:, 0]), action(r, values[:, 1]))
    for k in range(3):
        expected = (other[k] - action(r, plain[k])).flatten(1).norm(dim=1) / plain[k].flatten(1).norm(dim=1)
        np.testing.assert_allclose(found["commutator"].sel(element="r", step=k + 1), expected, rtol=1e-12)
        skill = osc.smse(plain[k], values[:, k + 2], "none") / osc.smse(values[:, 1], values[:, k + 2], "none")
        np.testing.assert_allclose(found["skill"].sel(step=k + 1), skill, rtol=1e-10)
    assert found.attrs["frames"] == 2
    assert equivariance_by_step(model, data, "c4", elements=["r"]).sizes["step"] == 4
    assert equivariance_by_step(equivariant(3), random_data(points=8, times=7), "d4")["commutator"].max() < 1e-11
    with pytest.raises(osc.OrbitscopeError, match="from 1"):
        equivariance_by_step(model, data, "c4", 1, start=0)


def test_influence_of_a_roll_out(random_data: Make) -> None:
    """Two applications against a module written for them, on the states two later."""
    data, model = random_data(points=4, times=5), toy()

    class Twice(nn.Module):
        frames = 2

        def __init__(self) -> None:
            super().__init__()
            self.f = model

        def forward(self, x: Tensor) -> Tensor:
            return self.f(torch.cat([x[:, 2:], self.f(x)], 1))

    x, y = windows(data, 2, lead=2)
    torch.testing.assert_close(Unrolled(model, 2)(x), Twice()(x))
    pairs = sample_transitions(data, dtype=torch.float64, frames=2, lead=2)
    assert torch.equal(pairs.x, x) and torch.equal(pairs.y, y) and pairs.times == (1, 2)
    found = influence_by_step(model, data, "c2", (1, 2), times=2, metric="euclidean")
    for k, one in ((1, model), (2, Twice())):
        expected = osc.influence(one, data, "c2", times=2, lead=k, metric="euclidean")
        np.testing.assert_allclose(found["response"].sel(step=k), expected["response"], rtol=1e-10)


# Small moves


def test_moving_observers_see_the_past_further_back(random_data: Make) -> None:
    """The frame at -k dt is carried by -c k dt: a model built in the co-moving frame commutes with boosts, small and large."""
    torch.manual_seed(0)
    data = random_data(points=9, times=5)
    model = Galilean(Toy(frames=3), data.layout, data.grid, dt=data.dt, frames=3).double()
    small = lie_derivative(model, data, ["boost_x", "boost_y"], trajectories=2, times=2)
    assert float(small["relative"].max()) < 1e-9
    large = boost_curve(model, data, (0.1, 1.0), directions=3, trajectories=2, times=2)
    assert float(large["commutator"].max()) < 1e-12
    assert float(lie_derivative(Toy(frames=3).double(), data, "boost_x", trajectories=2, times=2)["relative"].max()) > 1e-2


@pytest.mark.parametrize("name", ["tx", "rotation", "boost_y"])
def test_the_lie_derivative_is_a_small_difference(random_data: Make, name: str) -> None:
    """L_X f = (f(x + h X x) - f(x - h X x)) / 2h - X f(x), X x written out per frame."""
    data, model = random_data(points=8, trajectories=2, times=3), toy()
    g, h = generator(name, data), 1e-5
    found = lie_derivative(model, data, name, trajectories=None, times=None)
    x, _ = windows(data, 2)
    old, new = x[:, :2], x[:, 2:]
    drift = g.after(old) - g.before(old)
    tangent = torch.cat([g.before(old) - drift, g.before(new)], 1)
    with torch.no_grad():
        defect = (model(x + h * tangent) - model(x - h * tangent)) / (2 * h) - g.after(model(x))
        mask = torch.ones(8, 8, dtype=torch.double) if g.window is None else g.window.double()
        expected = (defect * mask).flatten(1).norm(dim=1) / (model(x) * mask).flatten(1).norm(dim=1)
    np.testing.assert_allclose(found["lie"][0], expected, rtol=1e-6)
    if name != "boost_y":
        layers = lie_layers(model, data, name, trajectories=None, times=None)
        np.testing.assert_allclose(layers["share"].sum("layer"), 1, atol=1e-9)
        np.testing.assert_allclose(layers["lie"], found["lie"][0], rtol=1e-9)


def test_shifts_of_every_size(random_data: Make) -> None:
    curve = shift_curve(toy(), random_data(points=6, times=4), trajectories=2, times=1)
    assert float(curve["commutator"].sel(shift=[0, 1, 2, 3, 4, 5]).max()) < 1e-13 and int(curve["dominant_period"]) == 1


# The group average, the whole probe, mistakes


def test_the_group_average_of_such_a_model(random_data: Make) -> None:
    data, model = random_data(points=4, times=4), toy()
    average = osc.symmetrize(model, osc.dihedral(4), osc.GridAction(data.layout, data.grid))
    assert average.frames == 2 and osc.equivariance(average, data, "d4")["commutator"].max() < 1e-13
    by_hand, x = [], windows(data, 2)[0]
    action = osc.GridAction(data.layout, data.grid)
    for g in osc.dihedral(4):
        by_hand.append(action(g.inverse(), model(moved(action, g, x, 2))))
    torch.testing.assert_close(average(x), torch.stack(by_hand).mean(0))


def test_the_whole_probe(random_data: Make, tmp_path: Path) -> None:
    data = random_data(points=8, trajectories=10, times=6)
    tree = osc.examine(equivariant(3), data, "d4", osc.ProbeConfig(trajectories=2, times=2, control=0))
    again = osc.open_probe(osc.save_probe(tree, tmp_path / "p.nc"))
    assert again.attrs["model_frames"] == 3 and again["D4/fields"]["gx"].sizes["channel"] == 2
    assert (again["D4/verdict"]["output"] == "exact up to rounding").all() and "steps" in again["D4"].children
    np.testing.assert_allclose(again["D4/influence"]["response"], 1, atol=1e-6)


def test_an_exported_model_says_so_too(random_data: Make, tmp_path: Path) -> None:
    """A copy of an exported module forgets attributes; the instruments that copy it do not."""
    data, model = random_data(points=4, times=4, dtype=torch.float32), toy().float()
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(model, (torch.randn(3, 4, 4, 4),), dynamic_shapes=dynamic), tmp_path / "net.pt2")
    loaded = load_model(tmp_path / "net.pt2", frames=2)
    for instrument in (
        lambda m: osc.equivariance(m, data, "c4")["commutator"],
        lambda m: lie_derivative(m, data, "tx")["lie"],
        lambda m: step_test(m, data, "c4", metric="euclidean")["predicted"],
        lambda m: equivariance_by_step(m, data, "c4")["commutator"],
    ):
        np.testing.assert_allclose(instrument(loaded), instrument(model), rtol=1e-4, atol=1e-6)


def test_mistakes_are_named(random_data: Make) -> None:
    data, model = random_data(points=4, times=4), toy()
    model.__dict__["frames"] = 3
    with pytest.raises(osc.OrbitscopeError, match=r"fails on a batch of shape \(2, 6, 4, 4\).*sees 3 states \(`frames`\)"):
        osc.equivariance(model, data, "c4")
    with pytest.raises(osc.OrbitscopeError, match="5 states .*the model sees 4, .* got 3 of 4"):
        osc.influence(Toy(frames=4).double(), data, "c4")
    del model.frames
    assert frames_of(model) == 2  # the class says so
    unsaid = nn.Sequential(toy()).double()
    with pytest.raises(osc.OrbitscopeError, match=r"fails on a batch of shape \(2, 2, 4, 4\).*model\.frames = 2, or --frames 2"):
        osc.equivariance(unsaid, data, "c4")
    both = nn.Sequential(nn.Conv2d(4, 4, 1)).double()
    both.__dict__["frames"] = 2
    with pytest.raises(osc.OrbitscopeError, match=r"2 states, stacked along channels, to the next one; \(2, 4, 4, 4\) gave \(2, 4, 4, 4\)"):
        osc.influence(both, data, "c4")
    for wrong in (0, True, 1.5, nn.Identity()):
        odd = nn.Sequential(nn.Conv2d(2, 2, 1)).double()
        object.__setattr__(odd, "frames", wrong)
        with pytest.raises(osc.OrbitscopeError, match="whole number from 1 up"):
            osc.equivariance(odd, data, "c4")
    with pytest.raises(osc.OrbitscopeError, match="lead"):
        osc.influence(model, data, "c4", lead=0)
    with pytest.raises(osc.OrbitscopeError, match="frames"):
        osc.GridAction(data.layout, data.grid, frames=0)


@pytest.mark.parametrize("time", [0, 1])
def test_a_bad_value_in_the_past_is_named_with_its_time(random_data: Make, time: int) -> None:
    data = random_data(points=4, times=3)
    values = data.tensor().clone()
    values[1, time, 1, 2, 2] = float("nan")
    with pytest.raises(osc.OrbitscopeError, match=rf"trajectory 1, time {time}, channel velocity_y"):
        osc.equivariance(toy(), data.replace(values=values), "c4")


def test_a_stack_is_moved_state_by_state(random_data: Make) -> None:
    """And a single state as ever, under vmap too."""
    data = random_data("density", "velocity:vector", points=4, times=3)
    action, plain = osc.GridAction(data.layout, data.grid, frames=3), osc.GridAction(data.layout, data.grid)
    stack = data.tensor().flatten(1, 2)
    for g in osc.parse_group("d4*tx2*ty2", points=4):
        assert torch.equal(action(g, stack), plain(g, data.tensor()).flatten(1, 2))
        assert torch.equal(action(g, data.tensor()[:, 0]), plain(g, data.tensor()[:, 0]))
        assert torch.equal(torch.func.vmap(lambda s, g=g: action(g, s))(stack), action(g, stack))
    with pytest.raises(osc.OrbitscopeError, match="channels"):
        action(osc.dihedral(4)["r"], stack[:, :6])
