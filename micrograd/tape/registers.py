"""Vectors of a few numbers that a processor holds in its registers, for the inner loops of ``kernels``.

In compiled code, ``load`` takes from memory as many numbers as the vector has that it is told to be like,
``multiply_add`` works on all of them at once, and ``store`` puts them back. Numba has no such type; LLVM, which it
compiles with, has. Addresses are whole numbers, in bytes.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

_NUMBER, _WHOLE = ir.DoubleType(), ir.IntType(64)


class Vector(types.Type):
    """The type of ``size`` numbers side by side."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(name=f"Vector({size})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, _llvm(kind))


def _llvm(kind: Vector) -> Any:
    return ir.VectorType(_NUMBER, kind.size)


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


def _zeros(kind: Vector) -> Any:
    return intrinsic(lambda _: (kind(), lambda *_: ir.Constant(_llvm(kind), [0.0] * kind.size)))


one, four, eight = (_zeros(Vector(size)) for size in (1, 4, 8))  # so many zeros


@intrinsic
def size_of(_: Any, vector: Any) -> Any:
    """The number of bytes that a vector takes."""
    return types.int64(vector), lambda *_: ir.Constant(_WHOLE, 8 * vector.size)


@intrinsic
def whole(_: Any, address: types.Integer) -> Any:
    """The whole number at an address. An array's index costs more, as it may be from the end."""
    return types.int64(address), lambda _, builder, __, args: builder.load(_at(builder, args[0], _WHOLE))


@intrinsic
def load(_: Any, address: types.Integer, like: Any) -> Any:
    """The numbers at an address."""
    code = lambda _, builder, __, args: builder.load(_at(builder, args[0], _llvm(like)), align=8)
    return like(address, like), code


@intrinsic
def spread(_: Any, address: types.Integer, like: Any) -> Any:
    """The number at an address, in all places."""

    def code(_: Any, builder: Any, __: Any, args: Any) -> Any:
        number = builder.load(_at(builder, args[0], _NUMBER))
        first = builder.insert_element(ir.Constant(_llvm(like), ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
        return _shuffled(builder, first, first, [0] * like.size)

    return like(address, like), code


@intrinsic
def store(_: Any, address: types.Integer, vector: Any) -> Any:
    def code(context: Any, builder: Any, __: Any, args: Any) -> Any:
        builder.store(args[1], _at(builder, args[0], _llvm(vector)), align=8)
        return context.get_dummy_value()

    return types.void(address, vector), code


@intrinsic
def add(_: Any, a: Any, b: Any) -> Any:
    return a(a, b), lambda _, builder, __, args: builder.fadd(*args)


@intrinsic
def multiply_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once on processors that can."""

    def code(_: Any, builder: Any, __: Any, args: Any) -> Any:
        return builder.fadd(builder.fmul(args[0], args[1], flags=["contract"]), args[2], flags=["contract"])

    return c(a, b, c), code


@intrinsic
def totals(_: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """The sum of each of four vectors of four numbers, or of one, as a vector of four."""

    def code(_: Any, builder: Any, __: Any, args: Any) -> Any:
        pairs = [args[:2], args[2:]]
        if a.size == 1:
            ab, cd = [_shuffled(builder, *pair, [0, 1]) for pair in pairs]
            return _shuffled(builder, ab, cd, [0, 1, 2, 3])
        ab, cd = [
            builder.fadd(_shuffled(builder, *pair, [0, 4, 2, 6]), _shuffled(builder, *pair, [1, 5, 3, 7]))
            for pair in pairs
        ]
        return builder.fadd(_shuffled(builder, ab, cd, [0, 1, 4, 5]), _shuffled(builder, ab, cd, [2, 3, 6, 7]))

    return Vector(4)(a, b, c, d), code
