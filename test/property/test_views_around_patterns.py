"""Views inserted anywhere in the patterns that fusion knows: what they mean is kept.

Every step of a pattern may work on other dimensions than fusion expects: on a reshaped, transposed
or reversed tensor that is brought back afterwards, or is brought back in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_cases import Draw, Shape
from oracle import refusal
from sampling import LONG, sample

Step = Callable[[str], str]


class Views:
    """Writes steps, some of them between views."""

    def __init__(self, draw: Draw):
        self.draw = draw
        self.left = draw.integer(0, 3)
        """How many more steps may get views."""

    def shape(self, x: str) -> Shape:
        return self.draw.shapes[x]

    def write(self, kind: str, *inputs: str, shape: Shape | None = None, **attributes: Any) -> str:
        y = self.draw.node(kind, *inputs, **attributes)
        self.draw.shapes[y] = self.shape(inputs[0]) if shape is None else shape
        return y

    def reshape(self, x: str, shape: Shape) -> str:
        return self.write("Reshape", x, self.draw.ints(shape), shape=shape)

    def transpose(self, x: str, order: list[int]) -> str:
        shape = tuple(self.shape(x)[i] for i in order)
        return self.write("Transpose", x, shape=shape, perm=order)

    def reverse(self, x: str, axis: int) -> str:
        ends = np.iinfo(np.int64)
        bounds = ([ends.max], [ends.min], [axis], [-1])
        return self.write("Slice", x, *map(self.draw.ints, bounds))

    def step(self, x: str, work: Step) -> str:
        """`work` on x, perhaps between views."""
        if self.left == 0 or not self.draw.flag():
            return work(x)
        self.left -= 1
        d, original = self.draw, self.shape(x)
        undo: list[Step] = []
        for _ in range(d.integer(1, 2)):
            shape, how = self.shape(x), d.choice(("reshape", "transpose", "reverse"))
            if how == "reshape":
                target = self._factors(math.prod(shape))
                undo.append(lambda y, s=shape: self.reshape(y, s))
                x = self.reshape(x, target)
            elif how == "transpose":
                order = list(d.data.draw(st.permutations(range(len(shape)))))
                back = [order.index(i) for i in range(len(order))]
                undo.append(lambda y, b=back: self.transpose(y, b))
                x = self.transpose(x, order)
            else:
                axis = d.integer(0, len(shape) - 1)
                undo.append(lambda y, a=axis: self.reverse(y, a))
                x = self.reverse(x, axis)
        y = work(x)
        if d.integer(0, 3) == 0:
            return self.reshape(y, original)
        for back_again in reversed(undo):
            y = back_again(y)
        return y

    def _factors(self, size: int) -> Shape:
        """A shape of so many elements."""
        shape: list[int] = []
        for _ in range(self.draw.integer(0, 3)):
            divisors = [n for n in range(1, size + 1) if size % n == 0]
            shape.append(self.draw.choice(divisors))
            size //= shape[-1]
        shape.append(size)
        return tuple(self.draw.data.draw(st.permutations(shape)))

    # region steps

    def unary(self, kind: str, **attributes: Any) -> Step:
        return lambda x: self.write(kind, x, **attributes)

    def number(self, kind: str, value: float) -> Step:
        constant = self.draw.constant(value, np.float32)
        return lambda x: self.write(kind, x, constant)

    def row(self, kind: str) -> Step:
        """An operation with a constant row, as wide as x is then."""

        def work(x: str) -> str:
            return self.write(kind, x, self.draw.weight(self.shape(x)[-1:]))

        return work

    def either_way(self, kind: str, x: str, y: str) -> str:
        return self.write(kind, *((x, y) if self.draw.flag() else (y, x)))

    def matmul(self, x: str, y: str) -> str:
        shape = (*self.shape(x)[:-1], self.shape(y)[-1])
        return self.write("MatMul", x, y, shape=shape)

    def mean(self, x: str) -> str:
        shape = (*self.shape(x)[:-1], 1)
        return self.write("ReduceMean", x, shape=shape, axes=[-1])

    # endregion


def attention(v: Views) -> str:
    d = v.draw
    batch, heads, tokens, size = (
        d.choice((1, 2)),
        d.choice((1, 2)),
        d.choice((2, 4, 6)),
        d.choice((2, 4)),
    )
    x = d.activation((batch, tokens, heads * size))
    parts: list[str] = []
    for _ in range(3):
        y = v.matmul(x, d.weight((heads * size, heads * size)))
        y = v.reshape(v.step(y, v.row("Add")), (batch, tokens, heads, size))
        parts.append(v.transpose(y, [0, 2, 1, 3]))
    q, k, values = parts
    scores = v.step(v.matmul(q, v.transpose(k, [0, 1, 3, 2])), v.number("Mul", size**-0.5))
    if d.flag():
        shape = d.choice(
            ((tokens,), (tokens, tokens), (1, 1, tokens, tokens), (batch, 1, 1, tokens))
        )
        mask = d.constant(np.where(d.random.random(shape) < 0.3, -1e9, 0).astype(np.float32))
        scores = (
            v.step(scores, lambda y: v.write("Add", y, mask))
            if len(shape) == 1
            else v.write("Add", scores, mask)
        )
    p = v.step(scores, v.unary("Softmax", axis=-1))
    out = v.transpose(v.matmul(p, values), [0, 2, 1, 3])
    out = v.reshape(out, (batch, tokens, heads * size))
    return v.step(v.matmul(out, d.weight((heads * size, 6))), v.row("Add"))


def gelu(v: Views) -> str:
    d = v.draw
    x = d.activation((d.choice((1, 2)), 4, 6))
    if d.flag():
        x = v.step(v.matmul(x, d.weight((6, 6))), v.row("Add"))
    if d.flag():
        inner = v.step(v.step(x, v.number("Mul", 0.5**0.5)), v.unary("Erf"))
    else:
        cube = v.step(v.write("Mul", v.write("Mul", x, x), x), v.number("Mul", 0.044715))
        inner = v.step(v.either_way("Add", x, cube), v.number("Mul", 0.7978845608))
        inner = v.step(inner, v.unary("Tanh"))
    y = v.step(inner, v.number("Add", 1.0))
    if d.flag():
        return v.step(v.either_way("Mul", x, y), v.number("Mul", 0.5))
    return v.either_way("Mul", v.step(x, v.number("Mul", 0.5)), y)


def silu(v: Views) -> str:
    d = v.draw
    x = d.activation((2, 4, 6))
    factor = d.choice((1.0, 1.702))
    y = v.step(v.step(x, v.number("Mul", factor)), v.unary("Sigmoid"))
    y = v.step(v.either_way("Mul", x, y), v.row("Mul"))
    return v.step(v.matmul(y, d.weight((6, 3))), v.row("Add"))


def norm(v: Views) -> str:
    d = v.draw
    x = d.activation((2, 4, 6))
    if d.flag():
        x = v.step(x, v.unary("Identity"))
    centred = d.flag()
    if centred:
        x = v.step(x, lambda y: v.write("Sub", y, v.mean(y)))
    square = v.write("Mul", x, x) if d.flag() else v.step(x, v.number("Pow", 2.0))
    root = v.write("Sqrt", v.step(v.mean(square), v.number("Add", 1e-5)))
    y = v.write("Div", x, root)
    y = v.step(y, v.row("Mul"))
    return v.step(y, v.row("Add")) if d.flag() else y


def layer_norm(v: Views) -> str:
    d = v.draw
    x = d.activation((2, 4, 6))

    def work(y: str) -> str:
        width = v.shape(y)[-1:]
        return v.write("LayerNormalization", y, d.weight(width), d.weight(width))

    d.opset = 17
    return v.step(v.step(x, work), v.row("Mul"))


def linear(v: Views) -> str:
    d = v.draw
    x = d.activation((2, 4, 6))
    y = v.step(x, v.row("Mul"))
    y = v.step(v.matmul(y, d.weight((6, 6))), v.row("Add"))
    y = v.step(y, v.unary(d.choice(("Relu", "Tanh", "Sigmoid", "Exp", "Identity"))))
    y = v.step(y, v.row(d.choice(("Mul", "Add", "Sub"))))
    y = v.step(y, lambda z: v.write("Add", z, d.activation(v.shape(z))))
    return v.either_way("Add", x, y)


def parts(v: Views) -> str:
    """A product whose columns are used in parts."""
    d = v.draw
    x = d.activation((2, 4, 6))
    y = v.step(v.matmul(x, d.weight((6, 8))), v.row("Add"))
    axis = d.choice((-1, -1, 0))
    half = v.shape(y)[axis] // 2
    shape = list(v.shape(y))
    shape[axis] = half
    d.node("Split", y, d.ints([half, half]), outputs=2, axis=axis)
    first, second = d.nodes[-1].output
    d.shapes |= {first: tuple(shape), second: tuple(shape)}
    first = v.step(first, v.row(d.choice(("Mul", "Add"))))
    return v.either_way("Mul", first, v.step(second, v.unary("Sigmoid")))


def pooling(v: Views) -> str:
    d = v.draw
    x = d.activation((d.choice((1, 2)), 4, 6))
    axes = d.choice(([1], [1, 2], [0], [2], [0, 1]))
    keep = d.choice((0, 1))
    y = v.step(x, v.unary("Relu"))
    shape = tuple(1 if i in axes else n for i, n in enumerate(v.shape(y)) if keep or i not in axes)
    y = v.write("ReduceMean", y, shape=shape, axes=axes, keepdims=keep)
    return v.step(y, v.number("Mul", 2.0)) if shape else y


PATTERNS = [attention, gelu, silu, norm, layer_norm, linear, parts, pooling]


@pytest.mark.matrix
@pytest.mark.parametrize("pattern", PATTERNS)
def test_views_around(pattern: Callable[[Views], str]) -> None:
    @sample(25, share=10 * len(PATTERNS))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        draw = Draw(data, 13)
        views = Views(draw)
        model = draw.model(pattern(views))
        refusal(model, draw.inputs, simulate=LONG)

    check()


@pytest.mark.parametrize("parts", [(2, 12), (1, 24), (24, 1)])
def test_softmax_over_part_of_the_keys(parts: tuple[int, int]) -> None:
    """Softmax over other dimensions than the keys is not attention."""
    d = _given(17)
    v = Views(d)
    v.left = 0
    q, k, values = (d.activation((1, 2, 24, 4)) for _ in range(3))
    scores = v.matmul(q, v.transpose(k, [0, 1, 3, 2]))
    p = v.write("Softmax", v.reshape(scores, (1, 2, 24, *parts)), axis=-1)
    model = d.model(v.matmul(v.reshape(p, (1, 2, 24, 24)), values))
    assert not refusal(model, d.inputs)


def _given(opset: int) -> Draw:
    """A `Draw` that leaves nothing open."""

    class Fixed:
        def draw(self, strategy: Any) -> Any:
            return 0

    return Draw(Fixed(), opset)  # type: ignore[arg-type]
