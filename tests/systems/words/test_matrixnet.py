"""MatrixNet against products taken letter by letter, and what its matrices obey exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call, grad, jvp, vmap

import orbitscope as osc
from orbitscope import OrbitscopeError
from orbitscope.nn import EquivariantConv, Features
from orbitscope.symmetry import FromMatrices, GridAction, Words, braid, dihedral
from orbitscope.systems.words import (
    MatrixNet,
    WordLoss,
    WordLSTM,
    WordMLP,
    WordTransformer,
    commutant,
    coxeter,
    exact_representation,
    presentation,
    read_out,
)

KINDS = ("expm", "free", "orthogonal", "cayley", "unitary", "householder", "permutation")
S4 = coxeter("A3")


def net_of(kind, group=S4, seed=0, **options):
    torch.manual_seed(seed)
    return MatrixNet(group, 2, kind=kind, size=4, channels=2, **options).double()


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_scan_is_the_product_letter_by_letter(kind, rows):
    net = net_of(kind)
    letters = net.matrices().detach()
    words = torch.tensor(rows)
    wanted = []
    for row in rows:
        at = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
        for k in row:
            at = at @ letters[k]
        wanted.append(at)
    assert torch.allclose(net.product(words), torch.stack(wanted), atol=1e-10, rtol=1e-10)
    assert torch.allclose(net(words), net.head(torch.stack(wanted).flatten(1)), atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", ["linear", "two-layer", "tanh", "silu"])
def test_inverse_letters_are_inverse(kind, block):
    made = net_of(kind, block=block).matrices()
    one = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    for k in range(3):
        assert torch.allclose(made[2 * k + 1] @ made[2 * k + 2], one, atol=1e-10)
    if kind in ("orthogonal", "cayley", "unitary", "householder", "permutation"):
        assert torch.allclose(made @ made.mT, one.expand_as(made), atol=1e-10)
    if kind == "householder":
        assert torch.allclose(made[1] @ made[1], one, atol=1e-10)


def test_reflections_obey_their_squares_exactly():
    errors = net_of("householder").relation_errors()
    squares = [errors[f"{s}^2"] for s in S4.generators]
    assert max(squares) <= 1e-12 and max(errors.values()) > 1e-2


def test_given_matrices_are_a_representation_to_rounding():
    exchanges = {}
    for i, s in enumerate(S4.generators):
        order = list(range(4))
        order[i], order[i + 1] = order[i + 1], order[i]
        exchanges[s] = np.eye(4)[order]
    net = MatrixNet(S4, 3, matrices=exchanges)
    assert max(net.relation_errors().values()) <= 1e-6 and net.kind == "fixed"
    found = read_out(net.representation(), S4)
    assert found.commutant == 2 and found.unitarity < 1e-12 and abs(found.growth - 1) < 1e-12  # the constants and the rest: two irreps
    assert not [p for p in net.generators.parameters()]
    act = Words(S4, 3)
    same = net(act.encode(["s1 s2 s1", "s2 s1 s2"]))
    assert torch.equal(same[0].round(decimals=5), same[1].round(decimals=5))


def test_multiplicities_of_irreps():
    """The permutation matrices of three things hold the trivial irrep once, the plane's once, the sign not at all."""
    s3 = coxeter("A2")
    words = [s3.word(w) for w in ("e", "s1", "s2", "s1 s2", "s2 s1", "s1 s2 s1")]
    sign = [1, -1, -1, 1, 1, -1]
    plane = [2, 0, 0, -1, -1, 0]
    table = {n: dict(zip(words, v, strict=True)) for n, v in {"trivial": [1] * 6, "sign": sign, "plane": plane}.items()}
    matrices = {"s1": np.eye(3)[[1, 0, 2]], "s2": np.eye(3)[[0, 2, 1]]}
    found = read_out(MatrixNet(s3, 1, matrices=matrices).representation(), s3, characters=table)
    assert np.allclose([found.multiplicities[n] for n in ("trivial", "sign", "plane")], [1, 0, 1], atol=1e-12)
    assert "1.00 x trivial" in str(found)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_commutant_of_copies(count):
    turn = np.array([[0.0, -1], [1, 0]])
    flip = np.diag([1.0, -1])
    rng = np.random.default_rng(count)
    change = np.linalg.qr(rng.normal(size=(2 * count, 2 * count)))[0]
    matrices = [change @ np.kron(np.eye(count), m) @ change.T for m in (turn, flip)]
    assert commutant(matrices, 1e-9) == count**2


def test_a_head_without_biases_scales():
    net = net_of("expm", homogeneous=True)
    product = torch.randn(3, 32, dtype=torch.float64)
    assert torch.allclose(net.head(2.5 * product), 2.5 * net.head(product), atol=1e-12)


@pytest.mark.parametrize(("vectors", "homogeneous"), [(0, True), (2, True), (1, False)])
def test_an_even_head_does_not_see_the_sign(vectors, homogeneous):
    net = net_of("expm", homogeneous=homogeneous, vectors=vectors, even=True)
    seen = torch.randn(5, 2 * 4 * (vectors or 4), dtype=torch.float64)
    assert torch.allclose(net.head(-seen), net.head(seen), atol=1e-12)
    assert not torch.allclose(net.head(2 * seen), net.head(seen), atol=1e-3)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_vectors_are_acted_on_letter_by_letter_from_the_right(word):
    net = net_of("free", vectors=2)
    assert net.vectors is not None
    at = net.vectors.detach()
    for k in reversed(word):
        at = net.matrices().detach()[k] @ at
    assert torch.allclose(net(torch.tensor([word])), net.head(at.flatten()[None]), atol=1e-10)


@given(st.lists(st.integers(0, 6), max_size=5), st.lists(st.integers(0, 6), max_size=4))
def test_traces_of_powers_are_those_of_the_product_and_do_not_see_conjugation(word, other):
    net = net_of("free", traces=3)
    product = net.product(torch.tensor([word], dtype=torch.long)).detach()[0]
    slow = [float(np.trace(np.linalg.matrix_power(m.numpy(), k))) for m in product for k in (1, 2, 3)]
    with torch.no_grad():
        assert torch.allclose(net(torch.tensor([word], dtype=torch.long)), net.head(torch.tensor([slow], dtype=torch.float64)), atol=1e-10)
        back = [x + 1 if x % 2 else max(x - 1, 0) for x in reversed(other)]
        moved = net(torch.tensor([other + word + back], dtype=torch.long))
        assert torch.allclose(moved, net(torch.tensor([word], dtype=torch.long)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [{"homogeneous": True}, {"homogeneous": True, "vectors": 1}, {"vectors": 1, "even": True}])
def test_what_fixes_the_vector_changes_no_answer(options):
    """With matrices of permutations and a vector that s1 keeps, w and w s1 have one answer; a head that sees the whole product has two."""
    exchanges = {f"s{i + 1}": np.eye(4)[[*range(i), i + 1, i, *range(i + 2, 4)]] for i in range(3)}
    torch.manual_seed(0)
    net = MatrixNet(S4, 2, matrices=exchanges, **options)
    if net.vectors is not None:
        net.vectors.data[0, :, 0] = torch.tensor([0.5, 0.5, -0.3, 0.9])
    act = Words(S4, 3)
    one, other = net(act.encode(["s3 s2", "s3 s2 s1"]))
    assert torch.allclose(one, other, atol=1e-6) == (net.vectors is not None)


def test_the_relation_error_joins_the_loss_in_training_only():
    net = net_of("free", relation_weight=0.5)
    words, y = Words(S4, 2).encode(["s1 s2", "s3"]), torch.zeros(2, 2, dtype=torch.float64)
    matrices = net.matrices().detach()
    gaps = []
    for left, right in S4.relations:
        sides = []
        for side in (left, right):
            at = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
            for letter in side.letters:
                at = at @ matrices[Words(S4, 1).vocabulary.index(letter)]
            sides.append(at)
        gaps.append(float((sides[0] - sides[1]).norm()))
    loss = WordLoss("mse")
    with_relations = float(loss(net.train()(words), y).detach())
    plain = float(loss(net.eval()(words), y).detach())
    assert abs(with_relations - plain - 0.5 * np.mean(gaps)) < 1e-10


@given(st.integers(0, 1000))
def test_permutation_matrices_are_permutations(seed):
    made = net_of("permutation", seed=seed, block="linear").matrices().detach()
    assert set(made.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(made.sum(-1), torch.ones(7, 2, 4)) and torch.equal(made.sum(-2), torch.ones(7, 2, 4))


@pytest.mark.parametrize("kind", ["expm", "householder"])
def test_gradients_of_each_example_and_forward_derivatives(kind):
    net = net_of(kind)
    weights = {k: v.detach() for k, v in net.named_parameters()}
    words = torch.tensor([[1, 2, 3], [5, 0, 1]])

    def loss(w, word):
        return functional_call(net, w, (word[None],)).square().sum()

    each = vmap(grad(loss), (None, 0))(weights, words)
    for n, word in enumerate(words):
        one = grad(loss)(weights, word)
        assert all(torch.allclose(each[k][n], one[k], atol=1e-10) for k in weights)
    ahead = {k: torch.ones_like(v) for k, v in weights.items()}
    slope = jvp(lambda w: loss(w, words[0]), (weights,), (ahead,))[1]
    assert abs(float(slope) - sum(float(each[k][0].sum()) for k in weights)) < 1e-8


@pytest.mark.parametrize(
    "make",
    [lambda: WordLSTM(7, 3, 8), lambda: WordTransformer(7, 3, 8, 2, 1), lambda: WordMLP(7, 6, 3, 16)],
    ids=["lstm", "transformer", "mlp"],
)
def test_places_without_letters_change_no_answer(make):
    torch.manual_seed(0)
    net = make().double().eval()
    words = torch.tensor([[1, 4, 2], [3, 0, 0], [0, 0, 0]])
    longer = torch.nn.functional.pad(words, (0, 3))
    assert net(words).shape == (3, 3) and torch.allclose(net(words), net(longer), atol=1e-10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_learnt_representation_becomes_a_layer(seed):
    """Reflections that were found from words of the square's group are hidden fields of a convolution that commutes with the square."""
    torch.manual_seed(seed)
    words = presentation("<D4>")
    found = exact_representation(MatrixNet(words, 3, kind="householder", block="linear", size=3))
    assert max(words.check_relations(found.generators).values()) <= 1e-10
    d4 = dihedral(4)
    s, t = d4["s"], d4["s"] @ d4["r"]
    square = FromMatrices({s: found.generators["s"], t: found.generators["t"]})
    assert square.homomorphism_error(d4) <= 1e-9
    hidden = Features.of("d4", square, "vector")
    conv = EquivariantConv(Features.of("d4", "vector"), hidden, 3).double()
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    grid = osc.Grid.square(8)
    for g in d4:
        moved = GridAction(osc.Layout.of("velocity:vector"), grid)(g, x)
        after = torch.einsum("ij,bjxy->bixy", torch.as_tensor(hidden.matrix(g)), _places(g, conv(x), grid))
        assert torch.allclose(conv(moved), after, atol=1e-9)


def _places(g, fields, grid):
    """Every channel moved as a scalar."""
    act = GridAction(osc.Layout.of("value:scalar"), grid)
    return torch.cat([act(g, fields[:, c : c + 1]) for c in range(fields.shape[1])], 1)


def test_relations_that_cannot_be_reached_are_refused():
    torch.manual_seed(0)
    with pytest.raises(OrbitscopeError, match="still broken"):
        exact_representation(MatrixNet(presentation("a | a^2, a^3"), 1, kind="householder", size=3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: MatrixNet(braid(3), 3, size=0), "`size`"),
        (lambda: MatrixNet(braid(3), 3, kind="best"), "`kind`"),  # pyright: ignore[reportArgumentType]
        (lambda: MatrixNet(braid(3), 3, block="deep"), "`block`"),  # pyright: ignore[reportArgumentType]
        (lambda: MatrixNet(braid(3), 3, kind="unitary", size=5), "even `size`"),
        (lambda: MatrixNet(braid(3), 3, relation_weight=-1), "`relation_weight`"),
        (lambda: MatrixNet(braid(3), 3, vectors=-1), "`vectors`"),
        (lambda: MatrixNet(braid(3), 3, traces=-1), "`traces`"),
        (lambda: MatrixNet(braid(3), 3, traces=2, vectors=1), "without `vectors`"),
        (lambda: MatrixNet(braid(3), 3, matrices={"s1": [[1.0]]}), "one matrix for each"),
        (lambda: MatrixNet(braid(3), 3, matrices={"s1": [[1.0]], "s2": [[1.0, 0.0]]}), "square"),
        (lambda: WordMLP(5, 3, 2)(torch.zeros(1, 4, dtype=torch.long)), "cannot read longer"),
        (lambda: WordTransformer(5, 2, 9, 3), "`width`"),
        (lambda: read_out(MatrixNet(braid(3), 1).representation(), braid(4)), "generators|matrices of"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()
