"""Build networks of Values: neurons, layers, multi-layer perceptrons, and your own modules with named parameters.

>>> random.seed(0)
>>> model = MLP(2, [3, 1], activation="tanh")
>>> len(model.parameters()), next(name for name, _ in model.named_parameters())
(13, 'layers.0.neurons.0.weights.0')

``Linear`` and ``Sequential`` build the same from layers; a class with a ``forward`` is a module too.

A neuron is two nodes, the lecture's symbols: its input signal s = bias + Σ wᵢxᵢ (after ``backward()``, ``s.grad`` is δ)
and its output θ(s). Weights are drawn from the global ``random``, so ``random.seed`` fixes them.
"""

import json
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

from micrograd.engine import NOT_REACHED, Value, dot, number, pick, set_data

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "MLP",
    "Embedding",
    "Layer",
    "Linear",
    "Module",
    "Neuron",
    "Sequential",
    "dropout",
    "inputs",
]

#: θ by name. "linear" is the identity and makes no node.
ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": lambda s: s,
    "relu": Value.relu,
    "leaky_relu": lambda s: s.maximum(0.01 * s),
    "tanh": Value.tanh,
    "sigmoid": Value.sigmoid,
    "softplus": Value.softplus,
    "gelu": lambda s: 0.5 * s * (1 + (s / math.sqrt(2)).erf()),
    "silu": lambda s: s * s.sigmoid(),
}

#: One weight of a unit with ``nin`` inputs in a layer of ``nout`` units, by the name of the initialiser.
INITIALISERS: dict[str, Callable[[int, int], float]] = {
    "uniform": lambda nin, nout: random.uniform(-1, 1),
    # He et al. 2015, "Delving deep into rectifiers": keeps the variance of signals through relu layers.
    "he": lambda nin, nout: random.gauss(0, math.sqrt(2 / nin)),
    # Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks": for tanh.
    "xavier": lambda nin, nout: random.uniform(-1, 1) * math.sqrt(6 / (nin + nout)),
}


# A name in ACTIVATIONS, or a function of one Value.
Activation: TypeAlias = str | Callable[[Value], Value]


def _named(choices: Mapping[str, Any], name: Any, what: str) -> Any:
    if not isinstance(name, str) or name not in choices:
        raise ValueError(f"{what} must be one of {', '.join(choices)}, got {name!r}")
    return choices[name]


def _theta(activation: Activation) -> Callable[[Value], Value]:
    return activation if callable(activation) else ACTIVATIONS[activation]


def _require_activation(activation: Any) -> None:
    """Raises TypeError or ValueError, with what to write instead, for what is no θ: no function from Value to Value."""
    if not callable(activation) or isinstance(activation, type):
        _named(ACTIVATIONS, activation, "activation")
        return
    try:
        answer = activation(Value(0.5))
    except ValueError:  # undefined there
        return
    except TypeError as cause:
        raise TypeError(f"activation must be a function of one Value, got {activation!r:.60}: {cause}") from cause
    if not isinstance(answer, Value):  # from math.tanh, say: the layers before it would never learn
        raise TypeError(
            f"activation must return a Value, got {answer!r:.60} ({type(answer).__name__}) from {activation!r:.60}; "
            "write a name, activation='tanh', or a method of Value, activation=Value.tanh"
        )


class Inputs(list[Value]):
    """A sample's numbers as Values: what ``inputs`` returns, and what it need not go through again."""


def inputs(x: Iterable[Any]) -> Inputs:
    """A sample's numbers as input nodes; Values among them, a layer's outputs say, stay as they are.

    Raises TypeError for what is no list of numbers, ValueError for a number that is not finite.

    >>> [x.role for x in inputs([1.0, Value(2.0)])]
    ['input', 'parameter']
    """
    if type(x) is Inputs:
        return x
    if not isinstance(x, Iterable) or isinstance(x, (str, bytes, Mapping, Set)):
        raise TypeError(f"a sample's inputs must be a list of numbers, got {x!r:.80} ({type(x).__name__})")
    numbers = list(x)
    try:
        return Inputs([v if isinstance(v, Value) else _input(v) for v in numbers])
    except TypeError as cause:
        if not any(isinstance(v, Iterable) and not isinstance(v, str) for v in numbers):
            raise
        raise TypeError(
            "a sample's inputs must be a list of numbers, got a list of lists; a batch is run sample by sample: "
            "see accumulate"
        ) from cause


def _input(x: Any) -> Value:
    node = Value(x, role="input")
    if node.data - node.data != 0.0:
        raise ValueError(f"a sample's inputs must be finite, got {node.data}")
    return node


class Module:
    """Anything with parameters: a subclass assigns leaf Values, modules, and lists, dicts or arrays of them.

    It defines ``forward``, which a call of the module passes its arguments to:

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> Line()(3.0)
    Value(data=7.0, grad=0)

    What is computed is no parameter: ``Value(1.0) * 0.5`` is a result, and training leaves it as it is. Compute the
    number first, ``Value(1.0 * 0.5)``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in vars(cls) and "__call__" not in vars(cls):  # directly: two calls cost a fifth of a neuron
            cls.__call__ = cls.forward  # type: ignore[method-assign]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter once, with its path of attributes and indices (``layers.0.neurons.3.weights.1``)."""
        names: set[str] = set()
        for name, value in _walk(self, "", set()):
            if isinstance(value, Value):
                if name in names:
                    raise ValueError(f"two parameters are named {name}; a state can hold one of them only")
                names.add(name)
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """The module itself as "", and each one below it once, after those that hold it (``layers.0.neurons.3``)."""
        return ((name, module) for name, module in _walk(self, "", set()) if isinstance(module, Module))

    def parameters(self) -> list[Value]:
        """The parameters in order. One without a label is given its name as label, for messages and pictures."""
        found = []
        for name, parameter in self.named_parameters():
            if not parameter.label or name.endswith(f".{parameter.label}"):  # its name in a part of this module
                parameter.label = name
            found.append(parameter)
        return found

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, for the next batch."""
        for parameter in self.parameters():
            parameter.grad = NOT_REACHED

    def state_dict(self) -> dict[str, float]:
        """The numbers of the parameters by name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set the parameters from ``state``; names or numbers that do not fit raise, and then none is set."""
        if not isinstance(state, Mapping):
            raise TypeError(f"a state must map names to numbers, got {type(state).__name__}")
        own = dict(self.named_parameters())
        if own.keys() != state.keys():
            missing, unknown = list(own.keys() - state.keys()), list(state.keys() - own.keys())
            raise ValueError(
                f"the state does not fit this model of {len(own)} parameters: "
                f"missing {_some(missing)}; not in the model {_some(unknown)}"
            )
        set_data(list(own.values()), [_finite(name, state[name]) for name in own])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters as JSON, which ``load`` reads.

        The file appears whole or not at all, whatever interrupts it, and of several that save to one path at once the
        last wins. A file in its place is replaced and keeps its access rights. Raises ValueError, and writes nothing,
        if a parameter is not finite.
        """
        numbers = {name: _finite(name, data) for name, data in self.state_dict().items()}
        _write(Path(path), json.dumps({"format": _FORMAT, "parameters": numbers}, indent=1, allow_nan=False))

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters from a file by ``save``. A file that is truncated, foreign or of another shape raises
        ValueError and leaves the model as it was.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_once)
        except (ValueError, RecursionError) as cause:
            raise ValueError(
                f"{path}: expected a JSON file as save() writes it, got something else: {cause}"
            ) from cause
        if not (isinstance(content, dict) and content.get("format") == _FORMAT):
            raise ValueError(f"{path} holds no parameters saved by micrograd: expected 'format': {_FORMAT!r}")
        try:
            self.load_state_dict(content.get("parameters", {}))
        except (TypeError, ValueError) as cause:
            raise ValueError(f"{path}: {cause}") from cause


_FORMAT = "micrograd parameters 1"


def _write(path: Path, text: str) -> None:
    """Write beside the path, to a name that nobody else can know, and then put the file in its place."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}; create it first")
    partial = path.with_name(f"{os.urandom(8).hex()}.partial")
    try:
        with partial.open("x", encoding="utf-8") as file:  # "x": if somebody had made it, they would keep it
            if path.is_file() and not path.is_symlink():
                partial.chmod(path.stat().st_mode & 0o777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON file. Raises ValueError for a name that stands there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _finite(name: str, data: Any) -> float:
    if isinstance(data, bool):
        raise TypeError(f"{name}: expected a number, got {data}")
    try:
        result = number(data)
    except (TypeError, ValueError) as cause:
        raise type(cause)(f"{name}: {cause}") from cause
    if not math.isfinite(result):
        raise ValueError(f"{name}: expected a finite number, got {result}")
    return result


def _some(names: list[str]) -> str:
    return ", ".join(sorted(map(str, names))[:3]) + f" and {len(names) - 3} more" * (len(names) > 3) or "nothing"


def _walk(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Value | Module]]:
    if id(thing) in seen:  # shared, or on the way round a circle
        return
    if isinstance(thing, (Value, Module, dict, list, tuple)):
        seen.add(id(thing))
    if isinstance(thing, Value):
        if thing.role == "parameter":
            yield path, thing
        return
    if isinstance(thing, Module):
        yield path, thing
        children: Iterable[tuple[Any, Any]] = vars(thing).items()
    elif isinstance(thing, dict):
        children = thing.items()
    elif isinstance(thing, (list, tuple)):
        children = enumerate(thing)
    elif getattr(getattr(thing, "dtype", None), "kind", "") == "O":  # an array of objects: Values, say
        children = enumerate(thing if thing.ndim else [thing.item()])
    elif isinstance(thing, (set, frozenset)) and any(isinstance(child, (Value, Module)) for child in thing):
        raise TypeError(f"{path} is a set, which keeps no order; put its parameters in a list")
    else:
        return
    for key, child in children:
        yield from _walk(child, f"{path}.{key}" if path else f"{key}", seen)


def _size(name: str, size: Any) -> None:
    if not isinstance(size, Integral) or isinstance(size, bool):
        raise TypeError(f"{name} must be a whole number, got {size!r} ({type(size).__name__})")
    if int(size) < 1:
        raise ValueError(f"{name} must be at least 1, got {size}")


def _alias(name: str) -> Any:
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


class Neuron(Module):
    """A unit with ``nin`` weights, a bias (0 at first), and an activation, or none if not ``nonlin``.

    >>> neuron = Neuron(2, activation="tanh")
    >>> len(neuron.parameters()), neuron([0.0, 0.0]).data  # 2 weights + a bias; tanh(0)
    (3, 0.0)

    Args:
        nin: the number of inputs.
        nonlin: whether the activation is applied.
        activation: θ, by its name in ``ACTIVATIONS`` or as a function of one Value: ``Value.sin``.
        init: how weights are drawn, a name in ``INITIALISERS``.
        nout: the width of the layer, which matters to some initialisers.

    ``neuron(x)`` takes ``nin`` numbers or Values and returns θ(s). A wrong number of inputs raises ValueError.
    """

    def __init__(
        self, nin: int, nonlin: bool = True, activation: Activation = "relu", init: str = "uniform", nout: int = 1
    ) -> None:
        draw = _named(INITIALISERS, init, "init")
        if isinstance(nonlin, str) or callable(nonlin):
            raise TypeError(f"nonlin must be True or False, got {nonlin!r:.60}; write activation={nonlin!r:.60}")
        _require_activation(activation)
        _size("nin", nin)
        self.weights = [Value(draw(nin, nout)) for _ in range(nin)]
        self.bias = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation

    w, b = _alias("weights"), _alias("bias")  # the names in micrograd 0.1.0

    def signal(self, x: Iterable[Any]) -> Value:
        """The input signal s = bias + Σ wᵢxᵢ."""
        return dot(self.weights, inputs(x), self.bias)

    def forward(self, x: Iterable[Any]) -> Value:
        """θ(s), or s if not ``nonlin``."""
        s = self.signal(x)
        if not self.nonlin:
            return s
        return (ACTIVATIONS.get(self.activation) or _theta(self.activation))(s)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        name = _shown(self.activation) if self.nonlin else "linear"
        return f"{'ReLU' if name == 'relu' else name.title().replace('_', '')}Neuron({len(self.weights)})"


def _shown(activation: Activation) -> str:
    return activation if isinstance(activation, str) else getattr(activation, "__name__", "function").strip("<>")


class Embedding(Module):
    """A vector of ``size`` parameters for each of ``count`` tokens; ``embedding(token)`` returns the token's list.

    >>> embedding = Embedding(count=27, size=4)
    >>> len(embedding(3)), len(embedding.parameters())
    (4, 108)
    """

    def __init__(self, count: int, size: int, scale: float = 1.0) -> None:
        _size("count", count)
        _size("size", size)
        self.vectors = [[Value(random.gauss(0, scale)) for _ in range(size)] for _ in range(count)]

    def forward(self, token: Any) -> list[Value]:
        """The vector of a token, a whole number from 0 to ``count`` - 1."""
        return [pick(column, token) for column in zip(*self.vectors)]

    def __repr__(self) -> str:
        return f"Embedding of {len(self.vectors)} tokens in {len(self.vectors[0])} numbers"


class Layer(Module):
    """``nout`` neurons on the same ``nin`` inputs; returns the list of their outputs, or the output of a single one.

    Further arguments go to each ``Neuron``.

    >>> layer = Layer(2, 3, activation="tanh")
    >>> len(layer([1.0, -1.0])), len(layer.parameters())  # 3 · (2 weights + a bias)
    (3, 9)
    """

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        _size("nout", nout)
        self.neurons = [Neuron(nin, nout=nout, **kwargs) for _ in range(nout)]

    def forward(self, x: Iterable[Any]) -> Any:
        """The outputs of the neurons, for ``nin`` numbers or Values."""
        x = inputs(x)
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class Linear(Layer):
    """A layer without activation: ``nout`` input signals s = bias + Σ wᵢxᵢ.

    >>> [s.op.name for s in Linear(2, 3)([1.0, -1.0])]
    ['dot', 'dot', 'dot']
    """

    def __init__(self, nin: int, nout: int, init: str = "uniform") -> None:
        super().__init__(nin, nout, nonlin=False, init=init)

    def __repr__(self) -> str:
        return f"Linear({len(self.neurons[0].weights)}, {len(self.neurons)})"


class Sequential(Module):
    """Modules one after another, and activations, by name or as functions of one Value, which each output goes through.

    >>> model = Sequential(Linear(2, 3), "tanh", Linear(3, 1), Value.sigmoid)
    >>> model
    Sequential(Linear(2, 3), tanh, Linear(3, 1), sigmoid)
    """

    def __init__(self, *parts: Module | Activation) -> None:
        if not parts:
            raise ValueError("Sequential: expected one module at least, got none")
        for part in parts:
            if isinstance(part, (list, tuple)):
                raise TypeError("Sequential: expected modules, got a list of them; write Sequential(*modules)")
            if not isinstance(part, Module):
                _require_activation(part)
        self.parts = list(parts)
        self.parameters()  # which names them

    def forward(self, x: Any) -> Any:
        """The last part's output for the first part's input ``x``."""
        for part in self.parts:
            if isinstance(part, Module):
                x = part(x if isinstance(x, Iterable) else [x])
            elif isinstance(x, Iterable):
                x = list(map(_theta(part), inputs(x)))
            else:
                x = _theta(part)(x)
        return x

    def __repr__(self) -> str:
        return f"Sequential({', '.join(str(p) if isinstance(p, Module) else _shown(p) for p in self.parts)})"


class MLP(Module):
    """Layers one on the other: ``nin`` inputs, then ``nouts`` units.

    >>> model = MLP(2, [16, 1], activation="tanh")
    >>> len(model.parameters())                 # 16 · (2 + 1) + 1 · (16 + 1)
    65

    Args:
        nin: the number of inputs.
        nouts: the widths of the layers, e.g. ``[16, 16, 1]``.
        activation: θ of all layers but the last, by its name in ``ACTIVATIONS`` or as a function of one Value.
        init: a name in ``INITIALISERS``.
        last_activation: θ of the last layer, likewise. The losses take scores without one.

    ``model(x)`` returns a list of the last layer's outputs, or the output itself of a single one.
    """

    def __init__(
        self,
        nin: int,
        nouts: list[int],
        activation: Activation = "relu",
        init: str = "uniform",
        last_activation: Activation = "linear",
    ) -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(f"nouts must be a list of the layers' widths, got {nouts!r}; write [{nouts!r}]")
        sizes = [nin, *nouts]
        if len(sizes) < 2:
            raise ValueError("nouts must hold the width of one layer at least, got none")
        _size("nin", nin)
        for k, size in enumerate(sizes[1:]):
            _size(f"nouts[{k}]", size)
        thetas = [activation] * (len(sizes) - 2) + [last_activation]
        _require_activation(activation)
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=theta != "linear", activation=theta, init=init)
            for i, theta in enumerate(thetas)
        ]
        self.parameters()  # which names them: pictures and formulas show w₁₁⁽¹⁾ from the start

    def forward(self, x: Any) -> Any:
        """The outputs of the last layer, for ``nin`` numbers or Values."""
        out: Any = x
        for layer in self.layers:
            out = layer(out if isinstance(out, Iterable) else [out])
        return out

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


def dropout(values: Sequence[Any], mask: Sequence[float] | None) -> list[Any]:
    """The values times the mask's numbers; the values themselves without a mask, as when a model is evaluated.

    A mask is part of a sample, so that a sample's loss is a function of the sample, whoever computes it. See
    ``data.DropoutLoader``, which draws them. Raises ValueError for a mask of another length.

    >>> dropout([1.0, 2.0, 3.0], [2.0, 0.0, 2.0])
    [2.0, 0.0, 6.0]
    """
    if mask is None:
        return list(values)
    if not (hasattr(values, "__len__") and hasattr(mask, "__len__")):
        raise TypeError(
            f"dropout: expected a list of values and a mask, a list of numbers, got {values!r:.60} and {mask!r:.60}; "
            "masks are drawn by data.DropoutLoader(loader, size, p)"
        )
    if len(values) != len(mask):
        raise ValueError(f"dropout: got {len(values)} values but a mask of {len(mask)}")
    return [v * m for v, m in zip(values, mask)]
