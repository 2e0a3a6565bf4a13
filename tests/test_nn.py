import copy
import json
import math
import os
import pickle
import random
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value, nn

THETA = {
    "linear": lambda s: s,
    "relu": lambda s: max(s, 0.0),
    "leaky_relu": lambda s: s if s > 0 else 0.01 * s,
    "tanh": lambda s: 1 - 2 / (math.exp(2 * s) + 1),
    "sigmoid": lambda s: 1 / (1 + math.exp(-s)),
    "softplus": lambda s: math.log(1 + math.exp(s)),
    "gelu": lambda s: s * statistics.NormalDist().cdf(s),
    "silu": lambda s: s / (1 + math.exp(-s)),
}


def forward(model, x, activation):
    """A network's outputs, worked out on plain lists of floats: the last layer is linear."""
    for layer in model.layers:
        theta = THETA["linear" if layer is model.layers[-1] else activation]
        x = [theta(n.bias.data + sum(w.data * v for w, v in zip(n.weights, x, strict=True))) for n in layer.neurons]
    return x


def as_list(output):
    return [v.data for v in (output if isinstance(output, list) else [output])]


@pytest.fixture
def model():
    random.seed(0)
    return nn.MLP(2, [3, 1], activation="tanh")


# ---- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(1, [1]), (3, [2]), (2, [4, 3, 2]), (2, [1, 3, 1]), (1, [1, 1, 1])])
def test_networks_compute_what_lists_do(activation, sizes):
    random.seed(0)
    model = nn.MLP(*sizes, activation=activation)
    for parameter in model.parameters():
        parameter.data = random.uniform(-2, 2)  # biases too
    x = [random.uniform(-2, 2) for _ in range(sizes[0])]
    expected = pytest.approx(forward(model, x, activation), rel=1e-12)
    assert as_list(model(x)) == expected
    assert as_list(model(tuple(map(Value, x)))) == expected


def test_every_activation_has_its_formula_here():
    assert THETA.keys() == nn.ACTIVATIONS.keys()


def test_one_output_comes_alone_several_come_in_a_list():
    assert isinstance(nn.MLP(2, [3, 1])([1, 2]), Value)
    assert [type(v) for v in nn.MLP(2, [2])([1, 2])] == [Value, Value]
    assert isinstance(nn.Layer(2, 1)([1, 2]), Value)


def test_a_neuron_is_its_signal_and_its_activation():
    neuron = nn.Neuron(2, activation="tanh")
    x = [Value(0.5), Value(-1.5)]
    signal = neuron.signal(x)
    out = neuron(x)
    assert signal.op.name == "dot"
    assert out.op.name == "tanh"
    assert [p.data for p in out.parents] == [signal.data]


@pytest.mark.parametrize("x", [[], [1.0], [1.0, 2.0, 3.0], 1.0, [Value(1.0)]])
def test_a_wrong_number_of_inputs(model, x):
    with pytest.raises(ValueError, match=f"got {len(x) if isinstance(x, list) else 1} inputs but 2 weights"):
        model(x)


@pytest.mark.parametrize("x", ["ab", [1.0, None], [1.0, "2"], [[1.0, 2.0], [3.0, 4.0]], [1.0, math.nan]])
def test_inputs_that_are_no_numbers(model, x):
    with pytest.raises((TypeError, ValueError), match="got"):
        model(x)


@pytest.mark.parametrize("array", [False, True])
def test_a_batch_in_the_place_of_a_sample(model, array):
    batch = [[1.0, 2.0], [3.0, 4.0]]
    if array:
        batch = pytest.importorskip("numpy").array(batch)
    with pytest.raises(TypeError, match=r"got a list of lists; a batch is run sample by sample: see accumulate"):
        model(batch)


def test_inputs_are_the_same_in_any_order():
    v = Value(1.0)
    for mixed in ([v, 2.0], [2.0, v], (v, 2.0)):
        found = nn.inputs(mixed)
        assert sorted(i.role for i in found) == ["input", "parameter"]
        assert v in found
        assert nn.inputs(found) is found


def test_inputs_from_arrays(model):
    np = pytest.importorskip("numpy")
    expected = model([0.5, 1.5]).data
    assert model(np.array([0.5, 1.5])).data == expected
    assert model(np.array([0.5, 1.5], dtype=np.float32)).data == expected
    assert nn.MLP(np.int64(2), [np.int64(3)])(np.array([1, 2]))


def test_inputs_are_inputs_to_pictures(model):
    signal = model.layers[0].neurons[0].signal([1.0, 2.0])
    assert [p.role for p in signal.parents] == ["parameter"] * 2 + ["input"] * 2 + ["parameter"]


@pytest.mark.parametrize("sizes", [(2, []), (0, [1]), (2, [0]), (2, [3, -1]), (2.0, [1]), ("2", [1])])
def test_sizes_are_whole_and_positive(sizes):
    with pytest.raises((TypeError, ValueError), match=r"^n(in|outs|outs\[[01]\]) must "):
        nn.MLP(*sizes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Neuron(-1),
        lambda: nn.Neuron(0),
        lambda: nn.Layer(2, 0),
        lambda: nn.Embedding(0, 2),
        lambda: nn.Embedding(3, -2),
    ],
)
def test_units_without_inputs_and_layers_without_units(make):
    with pytest.raises(ValueError, match="got"):
        make()


@pytest.mark.parametrize("sizes", [[1], [3, 1]])
@pytest.mark.parametrize(("kind", "name"), [("activation", "Relu"), ("init", "zeros"), ("activation", None)])
def test_unknown_names(kind, name, sizes):
    with pytest.raises(ValueError, match=f"{kind} must be one of .*, got {name!r}"):
        nn.MLP(2, sizes, **{kind: name})


# ---- initial weights -------------------------------------------------------------------------------------------------


def test_weights_are_drawn_in_order_from_the_global_random():
    random.seed(42)
    expected = [[[random.uniform(-1, 1) for _ in range(nin)] for _ in range(nout)] for nin, nout in ((3, 4), (4, 2))]
    after = random.random()
    random.seed(42)
    model = nn.MLP(3, [4, 2])
    assert random.random() == after
    assert [[[w.data for w in n.w] for n in layer.neurons] for layer in model.layers] == expected
    assert {n.b.data for layer in model.layers for n in layer.neurons} == {0.0}


@pytest.mark.parametrize(
    ("init", "variance", "bound"),
    [
        ("uniform", 1 / 3, 1.0),
        ("he", 2 / 50, math.inf),
        ("xavier", 2 / (50 + 40), math.sqrt(6 / (50 + 40))),
    ],
)
def test_initial_weights_have_their_variance(init, variance, bound):
    random.seed(1)
    weights = [w.data for n in nn.Layer(50, 40, init=init).neurons for w in n.weights]
    assert max(map(abs, weights)) <= bound
    assert statistics.fmean(weights) == pytest.approx(0, abs=4 * math.sqrt(variance / len(weights)))
    assert statistics.pvariance(weights) == pytest.approx(variance, rel=0.1)


# ---- parameters ------------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    """A module of one's own: values, modules, lists, tuples and dicts of them, one of them used twice."""

    def __init__(self):
        self.scale = Value(1.0)
        self.encoder = nn.Neuron(2)
        self.decoder = {"weights": self.encoder.weights, "bias": Value(3.0)}
        self.extra = [(Value(4.0), [Value(5.0)])]
        self.offset = Value(6.0, role="constant")
        self.doubled = self.scale * 2
        self.name, self.none, self.width = "tied", None, 3


def names(module):
    return [name for name, _ in module.named_parameters()]


def test_names_are_paths_of_attributes_and_indices(model):
    found = dict(model.named_parameters())
    assert found["layers.0.neurons.2.weights.1"] is model.layers[0].neurons[2].weights[1]
    assert names(model)[:3] == [f"layers.0.neurons.0.{x}" for x in ("weights.0", "weights.1", "bias")]
    assert list(found.values()) == model.parameters()
    assert len(found) == 3 * 3 + 4


def test_modules_of_ones_own_with_shared_parameters():
    module = Tied()
    assert names(module) == [
        "scale",
        "encoder.weights.0",
        "encoder.weights.1",
        "encoder.bias",
        "decoder.bias",
        "extra.0.0",
        "extra.0.1.0",
    ]
    assert len(set(module.parameters())) == len(module.parameters()) == 7


def test_subclasses_that_list_their_parameters_themselves():
    class Listed(nn.Module):
        def __init__(self):
            self.w, self.frozen = Value(1.0), Value(2.0)

        def parameters(self):
            return [self.w]

    module = Listed()
    module.w.grad = module.frozen.grad = 1.0
    module.zero_grad()
    assert (module.w.grad, module.frozen.grad) == (0.0, 1.0)


def test_modules_may_refer_to_each_other():
    child, parent = nn.Neuron(1), nn.Module()
    parent.child, child.parent = child, parent
    assert names(parent) == ["child.weights.0", "child.bias"]


def test_two_parameters_of_one_name():
    module = nn.Module()
    module.table = {1: Value(1.0), "1": Value(2.0)}
    with pytest.raises(ValueError, match=r"table\.1"):  # a state would silently hold but one of them
        module.state_dict()


def test_parameters_in_object_arrays_are_found():
    np = pytest.importorskip("numpy")
    module = nn.Module()
    module.w = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    module.pixels = np.zeros((2, 2))
    assert names(module) == ["w.0.0", "w.0.1", "w.1.0", "w.1.1"]
    assert [p.data for p in module.parameters()] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("kind", [set, frozenset])
def test_parameters_in_a_set_are_refused(kind):
    module = nn.Module()
    module.names = kind({"a", "b"})
    assert names(module) == []
    module.layer = {"w": kind({Value(1.0), Value(2.0)})}
    with pytest.raises(TypeError, match=r"^layer\.w is a set.*order.*list"):
        module.parameters()


def test_an_mlp_names_its_parameters_at_once(model):
    assert [p.label for _, p in model.named_parameters()] == names(model)
    module = nn.Module()
    module.net = model
    assert [p.label for p in module.parameters()] == [f"net.{name}" for name in names(model)]


def test_labels_are_names_unless_given():
    module = Tied()
    module.scale.label = "my scale"
    assert [p.label for p in module.parameters()] == ["my scale", *names(module)[1:]]


def test_labels_are_those_of_the_whole_model_though_a_layer_was_asked_first(model):
    for layer in model.layers:
        layer.zero_grad()
    assert [p.label for p in model.parameters()] == names(model)


def test_zero_grad(model):
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * 13


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_copies(activation, clone):
    model = nn.MLP(2, [3, 1], activation=activation)
    twin = clone(model)
    assert twin.state_dict() == model.state_dict()
    assert twin([0.5, -0.5]).data == model([0.5, -0.5]).data
    assert not set(twin.parameters()) & set(model.parameters())


def test_repr():
    assert repr(nn.MLP(2, [2, 1])) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    assert repr(nn.Layer(3, 1, activation="leaky_relu")) == "Layer of [LeakyReluNeuron(3)]"
    assert repr(nn.Neuron(4, nonlin=False)) == "LinearNeuron(4)"


@pytest.mark.parametrize(("name", "value"), [("activation", "tanh"), ("nonlin", False)])
def test_an_activation_changed_later_is_the_one_applied(name, value):
    neuron = nn.Neuron(1)
    neuron.w = [Value(-2.0)]
    setattr(neuron, name, value)
    assert neuron([1.0]).data == (math.tanh(-2.0) if value == "tanh" else -2.0)


# ---- modules from parts ----------------------------------------------------------------------------------------------


def same_weights(model, other):
    for parameter, twin in zip(model.parameters(), other.parameters(), strict=True):
        twin.data = parameter.data
    return other


@pytest.mark.parametrize("theta", ["tanh", Value.tanh, lambda s: 2 * (2 * s).sigmoid() - 1])
def test_a_sequential_is_the_mlp_it_spells_out(theta):
    mlp = nn.MLP(2, [3, 2], activation="tanh")
    model = same_weights(mlp, nn.Sequential(nn.Linear(2, 3), theta, nn.Linear(3, 2)))
    assert [v.data for v in model([0.5, -1.0])] == pytest.approx([v.data for v in mlp([0.5, -1.0])], rel=1e-14)
    assert names(model)[-1] == "parts.2.neurons.1.bias"
    assert model.parameters()[0].label == "parts.0.neurons.0.weights.0"


def test_a_sequential_of_single_numbers():
    model = nn.Sequential(nn.Linear(1, 1), "relu", nn.Linear(1, 1), "sigmoid")
    assert model(0.5).data == model([0.5]).data == model.forward([Value(0.5)]).data
    assert [v.data for v in nn.Sequential("relu")([1.0, -1.0])] == [1.0, 0.0]


@pytest.mark.parametrize("activation", ["tanh", Value.tanh])
def test_an_activation_by_name_or_as_a_function(activation):
    plain = nn.MLP(2, [3, 1], activation="tanh")
    for model in (
        nn.MLP(2, [3, 1], activation=activation, last_activation=activation),
        nn.Sequential(nn.Layer(2, 3, activation=activation), nn.Layer(3, 1, activation=activation)),
    ):
        same_weights(plain, model)
        assert model([0.5, -1.0]).data == math.tanh(plain([0.5, -1.0]).data)
        assert pickle.loads(pickle.dumps(model))([0.5, -1.0]).data == model([0.5, -1.0]).data
        assert "Layer of [TanhNeuron(3)]" in repr(model)


def test_forward_is_what_a_call_computes():
    class Line(nn.Module):
        def __init__(self):
            self.slope = Value(2.0)

        def forward(self, x, shift=0.0):
            return self.slope * x + shift

    assert Line()(3.0, shift=1.0).data == 7.0

    class Doubled(nn.MLP):
        def forward(self, x):
            return 2 * super().forward(x)

    plain = nn.MLP(2, [1])
    doubled = same_weights(plain, Doubled(2, [1]))
    assert doubled([1.0, 2.0]).data == 2 * plain([1.0, 2.0]).data
    for module in (plain, plain.layers[0], plain.layers[0].neurons[0]):
        assert module.forward([1.0, 2.0]).data == module([1.0, 2.0]).data
    assert [v.data for v in nn.Embedding(3, 2).forward(1)]


def test_dropout_is_the_mask_of_the_sample():
    values = [Value(1.0), Value(2.0)]
    assert [v.data for v in nn.dropout(values, [0.0, 4.0])] == [0.0, 8.0]
    assert nn.dropout(values, None) == values


# ---- state and files -------------------------------------------------------------------------------------------------


def test_a_state_fits_another_model_of_the_same_shape(model):
    other = nn.MLP(2, [3, 1])
    assert other.state_dict() != model.state_dict()
    other.load_state_dict(model.state_dict())
    assert other.state_dict() == model.state_dict()


FIRST = "layers.0.neurons.0.weights.0"
UNFIT_STATES = {
    "empty": (lambda _: {}, "missing .* and 10 more"),
    "one missing": (lambda state: {k: v for k, v in state.items() if k != FIRST}, f"missing {FIRST}"),
    "one too many": (lambda state: {**state, "extra": 1.0}, "not in the model extra"),
    "another shape": (lambda _: nn.MLP(2, [4, 1]).state_dict(), "not in the model"),
    "text": (lambda state: {**state, FIRST: "1.5"}, f"{FIRST}.* got '1.5'"),
    "null": (lambda state: {**state, FIRST: None}, f"{FIRST}.* got None"),
    "nan": (lambda state: {**state, FIRST: math.nan}, f"{FIRST}.* got nan"),
    "infinity": (lambda state: {**state, FIRST: math.inf}, f"{FIRST}.* got inf"),
    "out of range": (lambda state: {**state, FIRST: 10**400}, f"{FIRST}.* range of a float"),
    "true": (lambda state: {**state, FIRST: True}, f"{FIRST}: expected a number, got True"),
    "a list": (lambda state: list(state.values()), "names to numbers"),
}
unfit = pytest.mark.parametrize(("change", "message"), UNFIT_STATES.values(), ids=UNFIT_STATES)


@unfit
def test_a_state_that_does_not_fit_changes_nothing(model, change, message):
    before = model.state_dict()
    with pytest.raises((TypeError, ValueError), match=message):
        model.load_state_dict(change(before))
    assert model.state_dict() == before


def test_a_state_with_names_that_are_no_text(model):
    with pytest.raises(ValueError, match="not in the model 3"):
        model.load_state_dict({**model.state_dict(), 3: 1.0})


@unfit
def test_a_file_that_does_not_fit_changes_nothing(model, change, message, tmp_path):
    path = tmp_path / "model.json"
    model.save(path)
    before, content = model.state_dict(), json.loads(path.read_text())
    path.write_text(json.dumps({**content, "parameters": change(before)}))
    with pytest.raises(ValueError, match=f"model.json: .*{message}"):
        model.load(path)
    assert model.state_dict() == before


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\x89PNG\xff", b'{"format": "other"}', b"1", b"[" * 100_000])
def test_a_foreign_file_changes_nothing(model, content, tmp_path):
    path, before = tmp_path / "model.json", model.state_dict()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.json"):
        model.load(path)
    assert model.state_dict() == before


def test_a_file_that_does_not_say_it_is_ours(model, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"format": "other 1", "parameters": model.state_dict()}))
    with pytest.raises(ValueError, match=r"model\.json holds no parameters saved by micrograd"):
        model.load(path)


def test_a_truncated_file_changes_nothing(tmp_path):
    model, path = nn.Neuron(1), tmp_path / "model.json"
    model.save(path)
    whole, before = path.read_bytes(), model.state_dict()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="expected a JSON file"):
            model.load(path)
    assert model.state_dict() == before


def test_a_file_that_is_not_there(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        model.load(tmp_path / "model.json")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_files_keep_every_bit(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bits.json"
    neuron, other = nn.Neuron(1), nn.Neuron(1)
    for parameter, number in zip(neuron.parameters(), data, strict=True):
        parameter.data = number
    neuron.save(path)
    other.load(str(path))
    assert [p.data.hex() for p in other.parameters()] == [number.hex() for number in data]


def fill_disk(*_, **__):
    raise OSError("the disk is full")


@pytest.mark.parametrize(("owner", "name"), [(Path, "chmod"), (os, "fsync"), (Path, "replace")])
def test_a_failure_while_writing_leaves_the_old_file_and_no_litter(model, tmp_path, monkeypatch, owner, name):
    path = tmp_path / "model.json"
    model.save(path)
    old = path.read_bytes()
    model.parameters()[0].data = 77.0
    monkeypatch.setattr(owner, name, fill_disk)
    with pytest.raises(OSError, match="disk is full"):
        model.save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_parameter_that_is_not_finite_is_not_saved(model, tmp_path, bad):
    path = tmp_path / "model.json"
    path.write_text("old")
    model.parameters()[0].data = bad
    with pytest.raises(ValueError, match=FIRST):
        model.save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_saving_leaves_one_file(model, tmp_path):
    path = tmp_path / "model.json"
    model.save(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_with_a_name_twice(tmp_path):
    neuron, path = nn.Neuron(1), tmp_path / "model.json"
    neuron.save(path)
    before = neuron.state_dict()
    path.write_text(path.read_text().replace('"weights.0"', '"bias": 7.0, "weights.0"'))
    with pytest.raises(ValueError, match="'bias' stands there twice"):
        neuron.load(path)
    assert neuron.state_dict() == before


def test_a_file_keeps_its_access_rights(model, tmp_path):
    path = tmp_path / "model.json"
    model.save(path)
    usual = path.stat().st_mode
    for mode in (0o600, 0o664):
        path.chmod(mode)
        model.save(path)
        assert path.stat().st_mode & 0o777 == mode
    path.unlink()
    model.save(path)
    assert path.stat().st_mode == usual


def test_a_link_is_replaced_and_what_it_points_to_stays(model, tmp_path):
    """Be it in the place of the file, or planted where an old version wrote its partial file."""
    path, other = tmp_path / "model.json", tmp_path / "other"
    other.write_text("precious")
    path.symlink_to(other)
    path.with_name(f"model.json.{os.getpid()}.partial").symlink_to(other)
    model.save(path)
    assert other.read_text() == "precious"
    assert not path.is_symlink()
    model.load(path)


def test_threads_that_save_to_one_path(tmp_path):
    path, models = tmp_path / "model.json", [nn.Neuron(50) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda model: [model.save(path) for _ in range(10)], models))
    found = nn.Neuron(50)
    found.load(path)
    assert found.state_dict() in [model.state_dict() for model in models]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*absent; create it first"):
        model.save(tmp_path / "absent" / "model.json")
