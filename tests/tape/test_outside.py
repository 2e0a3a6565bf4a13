"""Numbers from outside: each place that is looked at, before and after it changes."""

import functools
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from micrograd import Value, accumulate, jit
from micrograd.tape.outside import Outside


class Settings:
    scale = 1.0

    def __init__(self, **values):
        vars(self).update(values)


class Inheriting(Settings):
    pass


class Slots:
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale


def module():
    made = ModuleType("made")
    made.scale = np.float32(1.0)
    return made


def set_scale(thing):
    thing.scale = 2.0


PLACES = {
    "attribute": (lambda: Settings(scale=1.0), set_scale),
    "attribute of a namespace": (lambda: SimpleNamespace(scale=1.0), set_scale),
    "attribute of a class, set on the object": (Settings, set_scale),
    "attribute of a base class, set on the object": (Inheriting, set_scale),
    "attribute of a class, set there": (
        type("Made", (), {"scale": 1.0}),
        lambda thing: set_scale(type(thing)),
    ),
    "of a class": (lambda: type("Made", (), {"scale": 1.0}), set_scale),
    "of a base of a class": (lambda: type("Made", (Settings,), {}), set_scale),
    "slot": (lambda: Slots(1.0), set_scale),
    "number of a module": (module, set_scale),
}


@pytest.mark.parametrize(("make", "change"), PLACES.values(), ids=PLACES)
def test_an_attribute_is_looked_at_again(make, change):
    w, thing = Value(1.0), make()
    loss = jit(lambda x: w * x * thing.scale)
    assert [accumulate(loss, [1.0]) for _ in range(5)] == [1.0] * 5
    change(thing)
    assert accumulate(loss, [1.0]) == 2.0


def test_an_attribute_of_self():
    class Scaled(Settings):
        def __call__(self, x):
            return w * x * self.scale

    w, function = Value(1.0), Scaled()
    loss = jit(function)
    assert [accumulate(loss, [1.0]) for _ in range(5)] == [1.0] * 5
    function.scale = 2.0
    assert accumulate(loss, [1.0]) == 2.0


def test_a_dict_that_is_empty_at_first():
    w, settings = Value(1.0), {}
    loss = jit(lambda x: w * x * settings.get("scale", 1.0))
    assert accumulate(loss, [1.0]) == 1.0
    settings["scale"] = 2.0
    assert accumulate(loss, [1.0]) == 2.0


def test_a_parameter_of_a_module_that_is_exchanged():
    made = module()
    made.w = Value(1.0)
    loss = jit(lambda x: made.w * x)
    assert accumulate(loss, [1.0]) == 1.0
    made.w = Value(5.0)
    assert accumulate(loss, [1.0]) == 5.0
    assert made.w.grad == 1.0


def test_what_is_in_a_value_is_no_number_from_outside():
    w = Value(1.0)
    outside = Outside(lambda x: (w * x).data)
    w.data = 2.0
    assert outside.changed() is None


def test_methods_and_properties_are_not_followed():
    class Hidden(Settings):
        @property
        def doubled(self):
            return 2 * self.scale

        def tripled(self):
            return 3 * self.scale

    thing = Hidden()
    outside = Outside(lambda x: x * thing.doubled * thing.tripled())
    thing.scale = 2.0
    assert outside.changed() is None


def test_the_place_is_named():
    thing, numbers, more = Settings(), [1.0, 2.0], Slots(3.0)
    outside = Outside(functools.partial(lambda x: x * thing.scale * numbers[0] * more.scale))
    assert outside.changed() is None
    numbers[1] = 5.0
    assert outside.changed() == "numbers[1]"
    numbers[1] = 2.0
    more.scale = 4.0
    assert outside.changed() == "more.scale"
    thing.scale = 1.5
    assert outside.changed() == "thing.scale"


def test_an_array_of_a_thousand_numbers():
    w, weights = Value(1.0), np.ones(1000)
    loss = jit(lambda x: w * x * weights[-1])
    assert [accumulate(loss, [1.0]) for _ in range(5)] == [1.0] * 5
    weights[-1] = 2.0
    assert accumulate(loss, [1.0]) == 2.0
