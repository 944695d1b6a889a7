"""Evaluates the core kernels' IR with exact BF16 and f32 arithmetic. Only for tests.

Values: ints for index and integers, ``np.float32`` for f32 and bf16 (a bf16 holds a value of that
format), pairs of ``np.float32`` for vector<2xbf16>; memrefs are numpy arrays.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import BFloat16Type, FloatAttr, IntegerAttr, VectorType, bf16
from xdsl.ir import Block, Operation

from softex_mlir.compiler.bodies.tables import SILU_LINES
from softex_mlir.dialects.cluster import GetGlobalOp
from softex_mlir.isa_sim.numerics import rowwise_kernels as exact

F = np.float32


@nb.njit
def fma(a, b, addend):
    return exact.fma(a, b, addend)  # pyright: ignore[reportCallIssue]


def narrow(value) -> np.float32:
    return exact.widen(np.uint16(exact.narrow(F(value))))


def _scalar(name: str, is_bf16: bool, args):
    """One arithmetic operation of one element."""
    a = args[0]
    b: Any = args[1] if len(args) > 1 else None
    with np.errstate(all="ignore"):
        match name:
            case "arith.addf":
                result = F(a + b)
            case "arith.subf":
                result = F(a - b)
            case "arith.mulf":
                if is_bf16:
                    return exact.widen(exact.mul16(a, b))
                result = F(a * b)
            case "arith.divf":
                result = F(a / b)
            case "arith.negf":
                return F(-a)
            case "arith.maxnumf":
                result = exact.fmax(a, b)
            case "arith.minnumf":
                result = exact.fmin(a, b)
            case "math.sqrt":
                result = F(np.sqrt(a))
            case "math.absf":
                return F(abs(a))
            case "math.copysign":
                return F(np.copysign(a, b))
            case "math.fma" | "vector.fma":
                if is_bf16:
                    return exact.widen(exact.fma16(*args))
                result = fma(*args)
            case _:
                raise NotImplementedError(name)
    return narrow(result) if is_bf16 else F(result)


def wrap32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


class Interpreter:
    def __init__(self, arguments: dict):
        self.values = dict(arguments)
        self.executed = 0

    def run(self, block: Block):
        for op in block.ops:
            self.executed += 1
            if isinstance(op, scf.YieldOp):
                return [self.values[v] for v in op.operands]
            self.step(op)
        return []

    def index(self, values):
        return tuple(self.values[v] for v in values)

    def step(self, op: Operation):
        args = [self.values[v] for v in op.operands]
        if isinstance(op, arith.ConstantOp):
            assert isinstance(op.value, FloatAttr | IntegerAttr)
            raw = op.value.value.data
            result = F(raw) if isinstance(op.value, FloatAttr) else raw
        elif isinstance(op, scf.ForOp):
            lower, upper, step = args[:3]
            carried = args[3:]
            for i in range(lower, upper, step):
                block = op.body.block
                self.values[block.args[0]] = i
                self.values.update(zip(block.args[1:], carried, strict=True))
                carried = self.run(block)
            self.values.update(zip(op.results, carried, strict=True))
            return
        elif isinstance(op, scf.IfOp):
            region = op.true_region if args[0] else op.false_region
            if region.blocks:
                self.run(region.block)
            return
        elif isinstance(op, memref.LoadOp):
            value = args[0][self.index(op.indices)]
            result = int(value) if args[0].dtype.kind == "i" else F(value)
        elif isinstance(op, memref.StoreOp):
            args[1][self.index(op.indices)] = args[0]
            return
        elif isinstance(op, vector.LoadOp):
            *lead, j = self.index(op.indices)
            assert j % 2 == 0, "misaligned pair"
            result = tuple(F(args[0][(*lead, j + k)]) for k in range(2))
        elif isinstance(op, vector.StoreOp):
            *lead, j = self.index(op.indices)
            assert j % 2 == 0, "misaligned pair"
            for k in range(2):
                args[1][(*lead, j + k)] = args[0][k]
            return
        elif isinstance(op, GetGlobalOp):
            assert op.symbol.root_reference.data == SILU_LINES.symbol
            result = SILU_LINES.values()
        elif isinstance(op, vector.BroadcastOp):
            result = (args[0], args[0])
        elif isinstance(op, vector.ExtractOp):
            result = args[0][op.static_position.get_values()[0]]
        elif isinstance(op, vector.InsertOp):
            position = op.static_position.get_values()[0]
            result = tuple(args[0] if k == position else v for k, v in enumerate(args[1]))
        elif isinstance(op, vector.ShuffleOp):
            result = tuple((*args[0], *args[1])[k] for k in op.mask.get_values())
        else:
            result = self.arithmetic(op, args)
        self.values[op.results[0]] = result

    def arithmetic(self, op: Operation, args):
        type_ = op.results[0].type
        match op.name:
            case "arith.addi":
                return wrap32(args[0] + args[1])
            case "arith.subi":
                return wrap32(args[0] - args[1])
            case "arith.muli":
                return wrap32(args[0] * args[1])
            case "arith.divui":
                return args[0] // args[1]
            case "arith.remui":
                return args[0] % args[1]
            case "arith.minui":
                return min(args[0], args[1])
            case "arith.index_cast":
                return args[0]
            case "arith.fptoui":
                return (1 << 32) - 1 if np.isnan(args[0]) else int(np.clip(args[0], 0, 2.0**32 - 1))
            case "arith.shli":
                return wrap32(args[0] << args[1])
            case "arith.cmpi":
                left, right = args
                assert isinstance(op, arith.CmpiOp)
                kind = op.predicate.value.data
                return {0: left == right, 1: left != right, 2: left < right}[kind]
            case "arith.cmpf":
                unordered = bool(np.isnan(args[0]) or np.isnan(args[1]))
                assert isinstance(op, arith.CmpfOp)
                kind = op.predicate.value.data
                return {4: args[0] < args[1], 14: unordered}[kind]
            case "xpulp.dot":
                (x0, x1), (y0, y1), accumulator = args
                return fma(x1, y1, fma(x0, y0, accumulator))
            case "arith.select":
                return args[1] if args[0] else args[2]
            case "arith.extf":
                return args[0]
            case "arith.truncf":
                return narrow(args[0])
            case "arith.bitcast":
                if isinstance(args[0], int):
                    return np.int32(args[0]).view(F)
                return int(F(args[0]).view(np.int32))
            case _:
                pass
        if isinstance(type_, VectorType):
            return tuple(_scalar(op.name, True, [a[k] for a in args]) for k in range(2))
        assert not isinstance(type_, BFloat16Type) or type_ == bf16
        return _scalar(op.name, type_ == bf16, args)
