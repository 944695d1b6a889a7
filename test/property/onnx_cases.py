"""Random applications of ONNX operators: the material of the property tests.

A *generator* writes one operator with random attributes on operands of random rank, in a random
opset, into a `Draw`. What comes out is a valid model with its inputs; nothing here knows what the
importer supports. `GENERATORS` has them by operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

SIZES = (1, 2, 3, 5, 8, 17)
OPSETS = (11, 13, 17, 18, 21, 23)
Shape = tuple[int, ...]


@dataclass
class Draw:
    """Writes a model, drawing what is left open."""

    data: st.DataObject
    opset: int
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.integer(0, 1 << 16))

    # region choices

    def integer(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))

    def choice(self, options: Sequence[Any]) -> Any:
        return self.data.draw(st.sampled_from(list(options)))

    def flag(self) -> bool:
        return self.data.draw(st.booleans())

    def shape(self, least: int = 0, most: int = 4, sizes: Sequence[int] = SIZES) -> Shape:
        rank = self.integer(least, most)
        return tuple(self.choice(sizes) for _ in range(rank))

    def axis(self, shape: Shape) -> int:
        return self.integer(-len(shape), len(shape) - 1)

    def axes(self, shape: Shape) -> list[int]:
        chosen = [i for i in range(len(shape)) if self.flag()]
        return [i - len(shape) if self.flag() else i for i in chosen]

    def broadcastable(self, shape: Shape) -> Shape:
        """A shape that broadcasts with the given one (in either direction)."""
        kept = shape[self.integer(0, len(shape)) :]
        found = tuple(1 if self.flag() else n for n in kept)
        if len(found) == len(shape) < 4 and self.integer(0, 4) == 0:
            found = (self.choice((1, 2, 3)), *found)
        return found

    def number(self) -> float:
        return float(self.choice((0.0, 1.0, -1.0, 0.5, 2.0, -3.5, 1e-3)))

    # endregion

    # region values

    def values(
        self, shape: Shape, *, positive: bool = False, dtype: Any = np.float32
    ) -> np.ndarray:
        found = self.random.standard_normal(shape)
        return np.asarray(np.abs(found) + 0.1 if positive else found).astype(dtype)

    def activation(self, shape: Shape, *, positive: bool = False) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.values(shape, positive=positive)
        self.shapes[name] = shape
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        data = np.asarray(array, dtype)
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(data, name))
        self.shapes[name] = data.shape
        return name

    def ints(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, np.int64))

    def weight(self, shape: Shape, *, positive: bool = False) -> str:
        return self.constant(self.values(shape, positive=positive))

    def either(self, shape: Shape, *, positive: bool = False) -> str:
        """An activation or a constant."""
        make = self.activation if self.flag() else self.weight
        return make(shape, positive=positive)

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]

    # endregion

    def model(self, output: str, element: int = TensorProto.FLOAT) -> Any:
        """The finished model; a result that is no float32 is cast to it."""
        if element != TensorProto.FLOAT:
            output = self.node("Cast", output, to=TensorProto.FLOAT)
        self.nodes.append(helper.make_node("Identity", [output], ["y"]))
        graph = helper.make_graph(
            self.nodes,
            "case",
            [
                helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                for n, a in self.inputs.items()
            ],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


Generator = Callable[[Draw, str], "tuple[str, int] | str"]
GENERATORS: dict[str, tuple[Generator, int]] = {}
"""Generator of each operator, and the first opset that has it."""


def generates(*kinds: str, since: int = 1) -> Callable[[Generator], Generator]:
    """Register a generator for operators: it returns the result, and its type if not float32."""

    def register(generator: Generator) -> Generator:
        for kind in kinds:
            GENERATORS[kind] = generator, since
        return generator

    return register


def build(kind: str, data: st.DataObject) -> tuple[Any, dict[str, np.ndarray]]:
    """A random model around an operator, and its inputs."""
    generator, since = GENERATORS[kind]
    known = [o for o in OPSETS if o >= since] or [since]
    draw = Draw(data, data.draw(st.sampled_from(known)))
    result = generator(draw, kind)
    output, element = result if isinstance(result, tuple) else (result, TensorProto.FLOAT)
    return draw.model(output, element), draw.inputs


# region element by element


@generates(
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Mish", "Neg", "Relu",
    "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh",
)  # fmt: skip
def unary(d: Draw, kind: str) -> str:
    if kind in ("HardSwish", "Mish"):
        d.opset = max(d.opset, 18)
    return d.node(kind, d.activation(d.shape()))


@generates("Log", "Reciprocal", "Sqrt")
def unary_of_positive(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation(d.shape(), positive=True))


@generates("Celu", "Elu", "LeakyRelu", "ThresholdedRelu", since=12)
def with_alpha(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation(d.shape()), alpha=d.choice((None, 0.5, 1.0, 2.0)))


@generates("Mod", since=13)
def remainder(d: Draw, kind: str) -> str:
    shape = d.shape()
    return d.node(
        kind, d.activation(shape), d.either(d.broadcastable(shape), positive=True), fmod=1
    )


@generates("EyeLike", since=13)
def eye_like(d: Draw, kind: str) -> str:
    x = d.activation(tuple(d.choice(SIZES) for _ in range(2)))
    return d.node("Add", x, d.node(kind, x, k=d.choice((None, -2, 0, 1))))


@generates("HardSigmoid")
def hard_sigmoid(d: Draw, kind: str) -> str:
    alpha, beta = d.choice((None, 0.1)), d.choice((None, 0.7))
    return d.node(kind, d.activation(d.shape()), alpha=alpha, beta=beta)


@generates("Selu")
def selu(d: Draw, kind: str) -> str:
    return d.node(
        kind, d.activation(d.shape()), alpha=d.choice((None, 2.0)), gamma=d.choice((None, 0.5))
    )


@generates("Gelu", since=20)
def gelu(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation(d.shape()), approximate=d.choice((None, "none", "tanh")))


@generates("Swish", since=24)
def swish(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation(d.shape()), alpha=d.choice((None, 1.0, 1.5)))


@generates("Add", "Sub", "Mul", "Div", "Pow", "PRelu")
def binary(d: Draw, kind: str) -> str:
    shape = d.shape()
    positive = kind in ("Div", "Pow")
    first, second = d.either(shape, positive=positive), d.broadcastable(shape)
    if kind == "PRelu":
        second = tuple(1 if d.flag() else n for n in shape[d.integer(0, len(shape)) :])
    if first.startswith("c"):
        return d.node(kind, first, d.activation(second, positive=positive))
    other = d.either(second, positive=positive)
    same = kind != "Pow" and d.integer(0, 5) == 0
    return d.node(kind, first, first) if same else d.node(kind, *_ordered(d, kind, first, other))


def _ordered(d: Draw, kind: str, first: str, second: str) -> tuple[str, str]:
    return (second, first) if kind != "PRelu" and d.flag() else (first, second)


@generates("Max", "Min", "Mean", "Sum")
def variadic(d: Draw, kind: str) -> str:
    shape = d.shape()
    names = [d.activation(shape)]
    for _ in range(d.choice((1, 0, 1, 2))):
        limit = d.constant(np.full((1,) * d.integer(0, 4), d.number(), np.float32))
        names.append(limit if d.flag() else d.either(d.broadcastable(shape)))
    return d.node(kind, *names)


@generates("Clip")
def clip(d: Draw, kind: str) -> str:
    low, high = d.choice((None, -1.0, 0.0, 0.25)), d.choice((None, 0.5, 6.0, 65504.0))
    x = d.activation(d.shape())
    limits = ["" if v is None else d.constant(v, np.float32) for v in (low, high)]
    while limits and not limits[-1]:
        limits.pop()
    return d.node(kind, x, *limits)


@generates("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", since=12)
def comparison(d: Draw, kind: str) -> tuple[str, int]:
    shape = d.shape()
    return d.node(kind, d.activation(shape), d.either(d.broadcastable(shape))), TensorProto.BOOL


@generates("IsNaN", "IsInf", since=10)
def test_of_kind(d: Draw, kind: str) -> tuple[str, int]:
    return d.node(kind, d.activation(d.shape())), TensorProto.BOOL


@generates("Where")
def where(d: Draw, kind: str) -> str:
    shape = d.shape()
    condition = d.constant(d.random.random(d.broadcastable(shape)) < 0.5)
    if d.flag():
        return d.node(kind, condition, d.activation(shape), d.either(d.broadcastable(shape)))
    fill = d.constant(d.choice((0.0, -1e9, -np.inf, 3.0)), np.float32)
    scores = d.activation(shape)
    names = (scores, fill) if d.flag() else (fill, scores)
    # In front of a softmax, where infinities belong.
    masked = d.node(kind, condition, *names)
    return d.node("Softmax", masked, axis=-1) if shape and d.flag() else masked


ELEMENTS = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE,
    TensorProto.INT32, TensorProto.INT64, TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL,
)  # fmt: skip


@generates("Cast")
def cast(d: Draw, kind: str) -> tuple[str, int]:
    element = d.choice(ELEMENTS)
    positive = element == TensorProto.UINT8
    saturate = d.choice((None, 0, 1)) if d.opset >= 19 else None
    return d.node(
        kind, d.activation(d.shape(), positive=positive), to=element, saturate=saturate
    ), element


@generates("CastLike", since=15)
def cast_like(d: Draw, kind: str) -> tuple[str, int]:
    element = d.choice(
        (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.BOOL)
    )
    other = d.constant(np.ones(d.shape(), helper.tensor_dtype_to_np_dtype(element)))
    return d.node(kind, d.activation(d.shape()), other), element


@generates("Dropout")
def dropout(d: Draw, kind: str) -> tuple[str, int] | str:
    x = d.activation(d.shape())
    if d.opset < 12:
        return d.node(kind, x, ratio=d.choice((None, 0.3)))
    ratio = d.constant(d.choice((0.0, 0.5)), np.float32)
    rest = [ratio, d.constant(False, np.bool_)][: d.integer(0, 2)]
    if d.flag():
        return d.node(kind, x, *rest, seed=d.choice((None, 3)))
    d.node(kind, x, *rest, outputs=2)
    return d.nodes[-1].output[d.integer(0, 1)], TensorProto.BOOL


# endregion

# region rows and reductions


@generates("Softmax", "LogSoftmax", since=13)
def softmax(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    return d.node(kind, d.activation(shape), axis=d.choice((None, d.axis(shape))))


@generates(
    "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
def reduction(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axes, keep = d.axes(shape), d.choice((None, 0, 1))
    if d.opset < (13 if kind == "ReduceSum" else 18):
        return d.node(kind, d.activation(shape), axes=axes or None, keepdims=keep)
    operands = [d.activation(shape)] + ([d.ints(axes)] if axes or d.flag() else [])
    return d.node(kind, *operands, keepdims=keep, noop_with_empty_axes=d.choice((None, 0, 1)))


@generates("ArgMax", "ArgMin", since=13)
def position_of(d: Draw, kind: str) -> tuple[str, int]:
    shape = d.shape(least=1)
    keep = d.choice((None, 0, 1))
    return d.node(kind, d.activation(shape), axis=d.axis(shape), keepdims=keep), TensorProto.INT64


@generates("CumSum", since=11)
def cumulative(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.constant(d.axis(shape), np.int64)
    flags = {"exclusive": d.choice((None, 0, 1)), "reverse": d.choice((None, 0, 1))}
    return d.node(kind, d.activation(shape), axis, **flags)


@generates("LayerNormalization", since=17)
def layer_norm(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.axis(shape)
    inner = shape[axis % len(shape) :]
    rows = [
        d.weight(inner if d.flag() else inner[-1:] if d.flag() else (1,))
        for _ in range(d.integer(1, 2))
    ]
    epsilon, given = d.choice((None, 1e-3, 1e-6)), d.choice((axis, None)) if axis == -1 else axis
    d.node(
        kind,
        d.activation(shape),
        *rows,
        outputs=d.choice((1, 1, 1, 3)),
        axis=given,
        epsilon=epsilon,
    )
    names = d.nodes[-1].output
    return names[d.choice((0, 0, 0, len(names) - 1))]


@generates("RMSNormalization", since=23)
def rms_norm(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.axis(shape)
    scale = d.weight(shape[axis % len(shape) :] if d.flag() else (1,))
    return d.node(kind, d.activation(shape), scale, axis=axis, epsilon=d.choice((None, 1e-3)))


@generates("BatchNormalization", "InstanceNormalization", since=15)
def channel_norm(d: Draw, kind: str) -> str:
    shape = (d.choice((1, 2)), d.choice((2, 3)), *d.shape(least=1, most=2, sizes=(3, 4)))
    rows = [d.weight(shape[1:2], positive=True) for _ in range(4 if kind[0] == "B" else 2)]
    return d.node(kind, d.activation(shape), *rows, epsilon=d.choice((None, 1e-3)))


@generates("LpNormalization")
def lp_norm(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    return d.node(
        kind, d.activation(shape, positive=True), axis=d.axis(shape), p=d.choice((None, 1, 2))
    )


# endregion

# region movement


@generates("Reshape")
def reshape(d: Draw, kind: str) -> str:
    shape = d.shape()
    target = list(d.data.draw(st.permutations(shape)))
    if target and d.flag():
        target[d.integer(0, len(target) - 1)] = -1
    elif target and d.flag():
        kept = [i for i, (a, b) in enumerate(zip(shape, target, strict=True)) if a == b]
        target = [0 if i in kept and d.flag() else n for i, n in enumerate(target)]
    elif d.flag():
        target.insert(d.integer(0, len(target)), 1)
    zero = d.choice((None, 0)) if d.opset >= 14 else None
    return d.node(kind, d.activation(shape), d.ints(target), allowzero=zero)


@generates("Flatten")
def flatten(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    return d.node(
        kind, d.activation(shape), axis=d.choice((None, d.integer(-len(shape), len(shape))))
    )


@generates("Squeeze", "Unsqueeze")
def squeeze(d: Draw, kind: str) -> str:
    shape = d.shape(sizes=(1, 1, 2, 3))
    if kind == "Squeeze":
        axes = [i for i in d.axes(shape) if shape[i] == 1]
        axes = axes or None
    else:
        count = d.integer(1, 2)
        axes = d.data.draw(st.permutations(range(len(shape) + count)))[:count]
        if d.opset < 13:
            axes.sort()  # the reference inserts those of older opsets one after the other
        else:
            axes = [a - len(shape) - count if d.flag() else a for a in axes]
    if d.opset < 13:
        return d.node(kind, d.activation(shape), axes=axes)
    return d.node(kind, d.activation(shape), *([] if axes is None else [d.ints(axes)]))


@generates("Transpose")
def transpose(d: Draw, kind: str) -> str:
    shape = d.shape()
    order = d.data.draw(st.permutations(range(len(shape))))
    return d.node(kind, d.activation(shape), perm=d.choice((None, list(order))) if shape else None)


@generates("Concat")
def concat(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.axis(shape)
    parts: list[str] = []
    for _ in range(d.integer(1, 3)):
        size = list(shape)
        size[axis] = d.choice(SIZES)
        parts.append(d.either(tuple(size)) if parts else d.activation(tuple(size)))
    return d.node(kind, *d.data.draw(st.permutations(parts)), axis=axis)


@generates("Expand")
def expand(d: Draw, kind: str) -> str:
    shape = d.shape(sizes=(1, 1, 2, 3, 8))
    return d.node(kind, d.activation(d.broadcastable(shape)), d.ints(shape))


@generates("Tile")
def tile(d: Draw, kind: str) -> str:
    shape = d.shape(least=1, sizes=(1, 2, 3))
    return d.node(kind, d.activation(shape), d.ints([d.integer(1, 3) for _ in shape]))


@generates("Pad")
def pad(d: Draw, kind: str) -> str:
    shape = d.shape(least=1, sizes=(2, 3, 5))
    pads = [d.choice((0, 0, 1, 2, -1)) for _ in (*shape, *shape)]
    pads = [
        p
        if shape[i % len(shape)] + pads[i % len(shape)] + pads[i % len(shape) + len(shape)] > 0
        else 1
        for i, p in enumerate(pads)
    ]
    mode = d.choice((None, "constant", "constant", "edge", "reflect"))
    if mode in ("edge", "reflect"):
        pads = [max(0, min(p, 1)) for p in pads]
    value = [d.constant(d.choice((0.0, 1.5)), np.float32)] if d.flag() else []
    return d.node(kind, d.activation(shape), d.ints(pads), *value, mode=mode)


@generates("Slice")
def slice_(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axes = [i for i in range(len(shape)) if d.flag()] or [0]
    bounds: list[tuple[int, int, int]] = []
    for axis in axes:
        step = d.choice((1, 1, 2, 3, -1, -2))
        first, last = sorted((d.integer(0, shape[axis] - 1), d.integer(0, shape[axis] - 1)))
        start, end = (first, last + 1) if step > 0 else (last, first - 1)
        if end < 0 or d.integer(0, 4) == 0:
            end = np.iinfo(np.int64).max if step > 0 else np.iinfo(np.int64).min
        elif start and d.flag():
            start -= shape[axis]
        bounds.append((start, int(end), step))
    starts, ends, steps = ([b[i] for b in bounds] for i in range(3))
    signed = [a - len(shape) if d.flag() else a for a in axes]
    return d.node(kind, d.activation(shape), *map(d.ints, (starts, ends, signed, steps)))


@generates("Split")
def split(d: Draw, kind: str) -> str:
    sizes = [d.choice((1, 2, 3)) for _ in range(d.integer(1, 4))]
    if d.flag():
        sizes = [sizes[0]] * len(sizes)
    shape = list(d.shape(least=1))
    axis = d.axis(tuple(shape))
    shape[axis] = sum(sizes)
    x = d.activation(tuple(shape))
    equal = len(set(sizes)) == 1
    if equal and d.flag():
        count = len(sizes) if d.opset >= 18 else None
        d.node(kind, x, outputs=len(sizes), axis=axis, num_outputs=count)
    elif d.opset < 13:
        d.node(kind, x, outputs=len(sizes), axis=axis, split=sizes)
    else:
        d.node(kind, x, d.ints(sizes), outputs=len(sizes), axis=axis)
    return d.choice(d.nodes[-1].output)


@generates("SplitToSequence", "SequenceAt")
def sequence(d: Draw, kind: str) -> str:
    shape = list(d.shape(least=1))
    axis = d.axis(tuple(shape))
    given: list[str] = []
    if d.flag():
        shape[axis] = 6
        given = [d.choice((d.constant(np.array(3, np.int64)), d.ints([1, 2, 3])))]
    x = d.activation(tuple(shape))
    parts = d.node("SplitToSequence", x, *given, axis=axis, keepdims=d.choice((None, 0, 1)))
    return d.node("SequenceAt", parts, d.constant(d.choice((0, -1)), np.int64))


@generates("Gather")
def gather(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.axis(shape)
    size = shape[axis]
    indices = d.shape(most=2, sizes=(1, 2, 3))
    chosen = d.random.integers(-size, size, indices)
    return d.node(kind, d.activation(shape), d.constant(chosen.astype(np.int64)), axis=axis)


@generates("GatherElements", since=13)
def gather_elements(d: Draw, kind: str) -> str:
    shape = d.shape(least=1)
    axis = d.axis(shape)
    chosen = d.random.integers(-shape[axis], shape[axis], shape)
    return d.node(kind, d.activation(shape), d.constant(chosen.astype(np.int64)), axis=axis)


@generates("Trilu", since=14)
def triangle(d: Draw, kind: str) -> str:
    shape = d.shape(least=2)
    return d.node(kind, d.activation(shape), d.ints(d.integer(-2, 2)), upper=d.choice((None, 0, 1)))  # type: ignore[arg-type]


@generates("DepthToSpace", "SpaceToDepth")
def blocks(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation((1, 8, 4, 6)), blocksize=2)


# endregion

# region products


@generates("MatMul")
def matmul(d: Draw, kind: str) -> str:
    m, n, k = (d.choice(SIZES) for _ in range(3))
    lead = d.shape(most=2, sizes=(1, 2, 3))
    other = d.broadcastable(lead)
    left = (n,) if d.integer(0, 6) == 0 else (*lead, m, n)
    right = (n,) if d.integer(0, 6) == 0 else (*other, n, k)
    first = d.either(left)
    return d.node(kind, first, d.activation(right) if first.startswith("c") else d.either(right))


@generates("Gemm")
def gemm(d: Draw, kind: str) -> str:
    m, n, k = (d.choice(SIZES) for _ in range(3))
    ta, tb = d.choice((None, 0, 1)), d.choice((None, 0, 1))
    a = d.activation((n, m) if ta else (m, n))
    b = d.either((k, n) if tb else (n, k))
    rest: list[str] = []
    if d.flag():
        rest = [d.either(d.choice(((), (k,), (1, k), (m, 1), (m, k), (1,), (1, 1))))]
    factors = {name: d.choice((None, 0.5, 2.0, 0.0)) for name in ("alpha", "beta")}
    return d.node(kind, a, b, *rest, transA=ta, transB=tb, **factors)


@generates("Conv")
def conv(d: Draw, kind: str) -> str:
    rank, group = d.integer(1, 2), d.choice((None, 1, 2))
    inner, outer = 2 * d.integer(1, 2), 2 * d.integer(1, 2)
    kernel = tuple(d.integer(1, 3) for _ in range(rank))
    size = tuple(d.choice((4, 6, 9)) for _ in range(rank))
    options: dict[str, Any] = {
        "kernel_shape": d.choice((None, list(kernel))),
        "strides": d.choice((None, [d.integer(1, 3) for _ in kernel], list(kernel))),
        "dilations": d.choice((None, [d.integer(1, 2) for _ in kernel])),
        "group": group,
    }
    how = d.choice(("none", "pads", "auto"))
    if how == "pads":
        options["pads"] = [d.integer(0, 2) for _ in range(2 * rank)]
    elif how == "auto":
        options["auto_pad"] = d.choice(("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    weights = d.weight((outer, inner // (group or 1), *kernel))
    bias = [d.weight((outer,))] if d.flag() else []
    return d.node(kind, d.activation((d.integer(1, 2), inner, *size)), weights, *bias, **options)


@generates("AveragePool", "MaxPool")
def pool(d: Draw, kind: str) -> str:
    kernel = [d.integer(1, 3), d.integer(1, 3)]
    strides = d.choice((None, [d.integer(1, 3), d.integer(1, 3)]))
    return d.node(kind, d.activation((1, 3, 6, 8)), kernel_shape=kernel, strides=strides)


@generates("GlobalAveragePool", "GlobalMaxPool")
def global_pool(d: Draw, kind: str) -> str:
    return d.node(kind, d.activation((d.integer(1, 2), 3, 4, 5)))


@generates("GRU", "LSTM", "RNN", since=14)
def recurrent(d: Draw, kind: str) -> str:
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    direction = d.choice(("forward", "reverse", "bidirectional"))
    count = 2 if direction == "bidirectional" else 1
    steps, batch, inputs, hidden = (d.integer(1, 3) for _ in range(4))
    layout = d.integer(0, 1)
    x = d.activation((batch, steps, inputs) if layout else (steps, batch, inputs))
    weights = d.weight((count, gates * hidden, inputs)), d.weight((count, gates * hidden, hidden))
    bias = d.weight((count, 2 * gates * hidden)) if d.flag() else ""
    first = (batch, count, hidden) if layout else (count, batch, hidden)
    states = [d.either(first) for _ in range(2 if kind == "LSTM" else 1)] if d.flag() else []
    options = {"linear_before_reset": d.integer(0, 1)} if kind == "GRU" else {}
    return d.node(
        kind, x, *weights, bias, "", *states,
        hidden_size=hidden, direction=direction, layout=layout, **options,
    )  # fmt: skip


@generates("GridSample", since=20)
def grid_sample(d: Draw, kind: str) -> str:
    sizes = tuple(d.choice((1, 2, 5)) for _ in range(d.integer(1, 3)))
    batch, results = d.integer(1, 2), tuple(d.integer(1, 3) for _ in sizes)
    return d.node(
        kind, d.either((batch, 3, *sizes)), d.activation((batch, *results, len(sizes))),
        # Places of the nearest mode may lie where rounding decides.
        mode=d.choice(("linear", "cubic")),
        padding_mode=d.choice(("zeros", "border", "reflection")), align_corners=d.integer(0, 1),
    )  # fmt: skip


@generates("Col2Im", since=18)
def column_to_image(d: Draw, kind: str) -> str:
    rank = d.integer(1, 2)
    block, strides, dilations, counts = ([d.integer(1, 3) for _ in range(rank)] for _ in range(4))
    pads = [0] * 2 * rank
    rests = [d.integer(0, s - 1) for s in strides]
    sizes = zip(counts, strides, block, dilations, rests, strict=True)
    image = [(n - 1) * s + (k - 1) * g + 1 + rest for n, s, k, g, rest in sizes]
    channels = int(np.prod(block)) * d.integer(1, 2)
    x = d.activation((d.integer(1, 2), channels, int(np.prod(counts))))
    return d.node(
        kind, x, d.ints(image), d.ints(block), strides=strides, dilations=dilations, pads=pads
    )


@generates("Einsum", since=12)
def einsum(d: Draw, kind: str) -> str:
    equation = d.choice(
        ("bid,bjd->bij", "ij,jk->ik", "bhqd,bkhd->bhqk", "ij,kj->ki", "bi,bi->b", "bij->bji",
         "i,j->ij", "bhqk,bkhe->bqhe", "ij, jk -> ik", "ii->i", "bid,de->bie")
    )  # fmt: skip
    sizes = {letter: d.choice((1, 2, 3, 5)) for letter in "bijkdhqe"}
    terms = equation.split("->")[0].replace(" ", "").split(",")
    operands = [d.activation(tuple(sizes[c] for c in terms[0]))]
    operands += [d.either(tuple(sizes[c] for c in term)) for term in terms[1:]]
    return d.node(kind, *operands, equation=equation)


@generates("Attention", since=23)
def attention(d: Draw, kind: str) -> str:
    batch, heads, queries, keys = (
        d.integer(1, 2),
        d.choice((1, 2)),
        d.choice((1, 3, 5)),
        d.choice((2, 5, 17)),
    )
    size, width = d.choice((2, 8)), d.choice((2, 8))
    groups = d.choice((heads, heads, 1))
    options: dict[str, Any] = {
        "is_causal": d.choice((None, 0, 1)),
        "scale": d.choice((None, 0.5)),
        "softcap": d.choice((None, None, 0.0, 2.0)),
    }
    if d.flag():
        shapes = (
            (batch, heads, queries, size),
            (batch, groups, keys, size),
            (batch, groups, keys, width),
        )
    else:
        shapes = (
            (batch, queries, heads * size),
            (batch, keys, groups * size),
            (batch, keys, groups * width),
        )
        options |= {"q_num_heads": heads, "kv_num_heads": groups}
    operands = [d.activation(shape) for shape in shapes]
    mask = d.choice((None, "float", "bool"))
    if mask is not None:
        shape = d.choice(
            (
                (queries, keys),
                (1, 1, queries, keys),
                (batch, 1, queries, keys),
                (batch, heads, queries, keys),
            )
        )
        if mask == "float":
            operands.append(d.either(shape))
        else:
            seen = d.random.random(shape) < 0.7
            seen[..., 0] = True
            operands.append(d.constant(seen))
    return d.node(kind, *operands, **options)


# endregion
