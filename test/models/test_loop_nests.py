"""Loop nests on the cores: the program's bits are the evaluator's, which are near numpy's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, TensorType, bf16, f32, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.linalg.ops import GenericOp, IndexOp
from xdsl.ir import Block, Region
from xdsl.ir.affine import AffineExpr

from softex_mlir.abi import Port
from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.generic_builder import (
    PARALLEL,
    REDUCTION,
    dimension_map,
    elementwise,
    generic,
    i1,
    reduction,
)
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.compiler.transforms.transformer.fuse_generics import FuseGenericsPass
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.general_bench import PAIRS, cycles
from softex_mlir.runtime.reference import evaluate

BF16 = ml_dtypes.bfloat16


@dataclass
class Case:
    """Inputs' shapes, what builds the results, and what they are in float32."""

    shapes: list
    make: object
    expected: object
    tolerance: float = 1e-2


def model_of(case):
    block = Block(arg_types=[TensorType(bf16, shape) for shape in case.shapes])

    def add(ops):
        block.add_ops(ops)
        return ops[-1].results[0]

    results = case.make(add, block.args)
    block.add_op(ReturnOp(*results))
    inputs = [Port(f"x{i}", shape, "float32") for i, shape in enumerate(case.shapes)]
    outputs = [Port(f"y{i}", v.type.get_shape(), "float32") for i, v in enumerate(results)]
    main = FuncOp(
        "main",
        ([a.type for a in block.args], [v.type for v in results]),
        Region(block),
        arg_attrs=ArrayAttr([port_attributes(p) for p in inputs]),
        res_attrs=ArrayAttr([port_attributes(p) for p in outputs]),
    )
    return Model(ModuleOp([main]), WeightStore(), "nests")


def check(case, tcdm_bytes=262144):
    machine = Machine.load("paper").with_tcdm_bytes(tcdm_bytes)
    model = model_of(case)
    model.module.verify()
    compilation = Compilation.of(model, machine)
    random = np.random.default_rng(7)
    values = [random.normal(size=shape).astype(BF16) for shape in case.shapes]
    inputs = {f"x{i}": value for i, value in enumerate(values)}
    exact = evaluate(compilation.model.module, model.weights, inputs, machine=machine)
    result = compilation.program().run(inputs)
    expected = case.expected(*[v.astype(np.float32) for v in values])
    for (name, bits), want in zip(exact.items(), expected, strict=True):
        found = np.asarray(result.outputs[name])
        np.testing.assert_array_equal(found.view(np.uint16), bits.view(np.uint16), name)
        scale = max(np.abs(want).max(), 1e-6)
        assert np.abs(bits.astype(np.float32) - want).max() <= case.tolerance * scale, name


def binary(shape_a, shape_b):
    return Case(
        [shape_a, shape_b],
        lambda add, x: [add(elementwise(x, bf16, lambda e, v: e.sub(e.mul(v[0], v[0]), v[1])))],
        lambda a, b: [a * a - b],
    )


@pytest.mark.parametrize("tcdm_bytes", [16384, 262144])
def test_all_broadcasts_of_two_dimensions(tcdm_bytes):
    sizes = (1, 3, 17)
    pairs = [
        ((a, b), (c, d))
        for a, b, c, d in product(sizes, repeat=4)
        if 1 in (a, c) or a == c
        if 1 in (b, d) or b == d
    ]
    shapes = [shape for pair in pairs for shape in pair]

    def make(add, x):
        return [
            add(elementwise(x[2 * i : 2 * i + 2], bf16, lambda e, v: e.div(v[0], v[1])))
            for i in range(len(pairs))
        ]

    check(
        Case(shapes, make, lambda *v: [v[2 * i] / v[2 * i + 1] for i in range(len(pairs))]),
        tcdm_bytes,
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 5, 3, 17), (5, 1, 17)),
        ((2, 1, 3, 1), (1, 17, 1, 9)),
        ((3, 17, 40), (3, 1, 40)),
        ((600, 33), (1, 33)),
        ((1, 20000), (3, 1)),
        ((), (4,)),
    ],
)
def test_broadcasts(a, b):
    check(binary(a, b), 32768)


@pytest.mark.parametrize(
    ("shape", "axes", "keep"),
    [
        ((7, 300), (1,), True),
        ((600, 64), (0,), False),
        ((3, 50, 5, 6), (1, 3), True),
        ((30, 70), (0, 1), False),
        ((2, 3000, 24), (1,), False),
    ],
)
def test_sums(shape, axes, keep):
    def make(add, x):
        total = add(reduction(x[0], axes, f32, 0.0, lambda e, v: e.add(v[1], v[0]), keep=keep))
        return [add(elementwise([total], bf16, lambda e, v: v[0]))]

    check(Case([shape], make, lambda a: [a.sum(axes, keepdims=keep)]), 65536)


def test_transposed_operand_and_reversed_rows():
    d0, d1 = AffineExpr.dimension(0), AffineExpr.dimension(1)

    def make(add, x):
        turned = dimension_map(2, [d1, d0])
        reversed_rows = dimension_map(2, [AffineExpr.constant(32) - d0, d1])
        target = ((33, 20), bf16, dimension_map(2, [d0, d1]))
        return [
            add(
                generic(
                    x,
                    [turned, reversed_rows],
                    [target],
                    [PARALLEL] * 2,
                    lambda e, v: e.add(v[0], v[1]),
                )
            )
        ]

    check(Case([(20, 33), (33, 20)], make, lambda a, b: [a.T + b[::-1]]))


def test_windows_with_strides():
    """Largest value and average of windows of 3 columns, two apart."""

    def make(add, x):
        d = [AffineExpr.dimension(i) for i in range(3)]
        window = dimension_map(3, [d[0], d[1] * 2 + d[2]])
        # the third loop has no operand of its own: an operand of three ones bounds it
        ones = add(elementwise([], bf16, lambda e, _: e.number(1.0), shape=(3,)))
        bound = dimension_map(3, [d[2]])
        target = ((5, 12), f32, dimension_map(3, d[:2]))
        iterators = [PARALLEL, PARALLEL, REDUCTION]
        top = add(
            generic(
                [x[0], ones],
                [window, bound],
                [target],
                iterators,
                lambda e, v: e.maximum(v[2], v[0]),
                initial=[float("-inf")],
            )
        )
        return [add(elementwise([top], bf16, lambda e, v: v[0]))]

    def expected(a):
        return [np.stack([a[:, 2 * i : 2 * i + 3].max(1) for i in range(12)], 1)]

    check(Case([(5, 25)], make, expected, 0.0))


def test_integers_comparisons_and_indices():
    """The position of the largest element of each row, and a causal mask."""

    def make(add, x):
        d = [AffineExpr.dimension(i) for i in range(2)]
        row, whole = dimension_map(2, d[:1]), dimension_map(2, d)

        def largest(e, v):
            value, best, where = v
            column = e.insert(arith.IndexCastOp(e.insert(IndexOp(1)), i32))
            better = e.compare("ogt", value, best)
            return e.select(better, value, best), e.select(better, column, where)

        ops = generic(
            x,
            [whole],
            [((9,), f32, row), ((9,), i32, row)],
            [PARALLEL, REDUCTION],
            largest,
            initial=[float("-inf"), -1],
        )
        add(ops)
        position = add(elementwise([ops[-1].results[1]], bf16, lambda e, v: e.to_float(v[0])))
        mask = add(
            generic(
                [],
                [],
                [((9, 70), i1, whole)],
                [PARALLEL] * 2,
                lambda e, _: e.insert(
                    arith.CmpiOp(e.insert(IndexOp(1)), e.insert(IndexOp(0)), "sle")
                ),
            )
        )
        kept = elementwise([mask, x[0]], bf16, lambda e, v: e.select(v[0], v[1], e.number(-1.0)))
        return [position, add(kept)]

    def expected(a):
        return [a.argmax(1).astype(np.float32), np.where(np.tri(9, 70) > 0, a, -1)]

    check(Case([(9, 70)], make, expected, 0.0))


def test_functions_in_one_body():
    def make(add, x):
        def body(e, v):
            power = e.insert(math.ExpOp(v[0]))
            return e.add(e.insert(math.LogOp(e.plus(power, 1.0))), e.insert(math.SinOp(v[1])))

        return [add(elementwise(x, bf16, body))]

    check(
        Case([(11, 45), (45,)], make, lambda a, b: [np.log1p(np.exp(a)) + np.sin(b)]),
        32768,
    )


def largest(e, v):
    return e.insert(arith.MaximumfOp(v[1], v[0]))


def chain(random, shape):
    """A random program of nests that follow each other, some read by two."""
    rows, columns = shape
    bodies = {
        "exp": lambda e, v: e.insert(math.ExpOp(e.neg(e.magnitude(v[0])))),
        "sub": lambda e, v: e.sub(v[0], v[-1]),
        "mul": lambda e, v: e.mul(v[0], v[-1]),
        "choose": lambda e, v: e.select(e.compare("olt", v[0], 0.0), v[-1], v[0]),
        "tanh": lambda e, v: e.insert(math.TanhOp(v[0])),
    }
    steps = [
        (str(random.choice(list(bodies))), random.integers(0, 4, 2).tolist(), random.integers(2))
        for _ in range(8)
    ]

    def make(add, x):
        known = [x[0], x[1]]
        for name, read, wide in steps:
            operands = [known[-1 - i % len(known)] for i in read]
            known.append(add(elementwise(operands, f32 if wide else bf16, bodies[name])))
        total = add(reduction(known[-1], [1], f32, 0.0, lambda e, v: e.add(v[1], v[0])))
        top = add(reduction(known[-2], [0], f32, -np.inf, largest))
        last = [known[-3], total, top]
        return [add(elementwise(last, bf16, lambda e, v: e.sub(e.add(v[0], v[1]), v[2])))]

    return Case([(rows, columns), (rows, columns)], make, None)


@pytest.mark.parametrize("columns", [1, 2, 19, 3000])
def test_largest_of_rows_with_special_values(columns):
    def make(add, x):
        top = add(reduction(x[0], [1], f32, -np.inf, largest))
        return [add(elementwise([top], bf16, lambda e, v: v[0]))]

    model = model_of(Case([(9, columns)], make, None))
    x = (-np.abs(np.random.default_rng(3).normal(size=(9, columns)))).astype(BF16)
    x[0, -1], x[1, 0], x[2, columns // 2] = np.nan, np.inf, -np.inf
    x[3], x[4], x[5] = -np.inf, -0.0, np.nan
    x[6, 0], x[6, -1] = -np.inf, np.inf
    x[7, 0], x[7, -1] = 0.0, -0.0
    exact = evaluate(model.module, model.weights, {"x0": x})["y0"]
    machine = Machine.load("paper").with_tcdm_bytes(32768)
    found = np.asarray(Compilation.of(model, machine).program().run({"x0": x}).outputs["y0"])
    np.testing.assert_array_equal(found.view(np.uint16), exact.view(np.uint16))
    np.testing.assert_array_equal(found[:, 0].astype(np.float32), x.astype(np.float32).max(1))


@pytest.mark.parametrize("seed", range(12))
def test_fusing_changes_no_bit(seed):
    random = np.random.default_rng(seed)
    model = model_of(chain(random, (5, 9)))
    values = [random.normal(size=(5, 9)).astype(BF16) for _ in range(2)]
    values[0][0, :3] = np.nan, -np.inf, -0.0
    inputs = {f"x{i}": value for i, value in enumerate(values)}
    before = evaluate(model.module, model.weights, inputs)["y0"]
    count = sum(isinstance(op, GenericOp) for op in model.module.walk())
    FuseGenericsPass().apply(CompilationContext(weights=model.weights), model.module)
    model.module.verify()
    assert sum(isinstance(op, GenericOp) for op in model.module.walk()) < count
    after = evaluate(model.module, model.weights, inputs)["y0"]
    np.testing.assert_array_equal(before.view(np.uint16), after.view(np.uint16))
    if seed % 4 == 0:
        result = Compilation.of(model, Machine.load("paper")).program().run(inputs)
        found = np.asarray(result.outputs["y0"])
        np.testing.assert_array_equal(found.view(np.uint16), after.view(np.uint16))


@pytest.mark.parametrize("name", PAIRS)
def test_a_nest_costs_at_most_twice_what_a_kernel_costs(name):
    by_hand, general = cycles(Machine.load("paper"), name, 80, 768)
    assert general <= 2 * by_hand
