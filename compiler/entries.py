"""Models of several entries: positions known at run time, and functions that share weights."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import BFloat16Type, ModuleOp, StringAttr, SymbolRefAttr, i32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, elementwise
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.weights import Array, WeightStore
from softex_mlir.dialects import transformer as t


def row_positions(first: SSAValue, steps: SSAValue) -> list[Operation]:
    """``first + steps``, broadcast: i32 tensors."""
    return elementwise([first, steps], i32, lambda e, x: e.int_add(x[0], x[1]))


def visible_bias(keys: SSAValue, rows: SSAValue, window: int | None) -> list[Operation]:
    """0 for the keys [1, n] up to a row's position, the last `window` of them; else masked.

    The positions `rows` are [m, 1], the result is [m, n].
    """

    def body(e: F32, x: Scalars) -> SSAValue:
        seen = e.select(
            e.insert(arith.CmpiOp(x[0], x[1], "sle")), e.number(0.0), e.number(t.MASKED)
        )
        if window is None:
            return seen
        first = e.insert(
            arith.AddiOp(x[1], e.insert(arith.ConstantOp.from_int_and_width(1 - window, 32)))
        )
        return e.select(e.insert(arith.CmpiOp(x[0], first, "sge")), seen, e.number(t.MASKED))

    return elementwise([keys, rows], BFloat16Type(), body)


def by_falling_distance(values: Array) -> Array:
    """What attention adds by the distance from a key up to a query, [heads, capacity]: as a vector
    of which `window_starts` chooses windows. Keys behind the query are masked.

    A head's values lie by falling distance, ``capacity`` first; the row of position p is the window
    that begins ``capacity - p`` behind.
    """
    heads, capacity = values.shape
    vector = np.full((heads, 2, capacity), t.MASKED, np.float32)
    vector[:, 0, 1:] = values[:, :0:-1]
    vector[:, 1, 0] = values[:, 0]
    return vector.reshape(-1)


def window_starts(rows: SSAValue, first: SSAValue) -> list[Operation]:
    """Where the windows of positions [m, 1] begin, for each head: `first_windows` less them."""
    return elementwise([first, rows], i32, lambda e, x: e.int_sub(x[0], x[1]))


def first_windows(heads: int, capacity: int) -> Array:
    """Where each head's window of position 0 begins, [1, heads]."""
    starts = np.arange(heads, dtype=np.int32) * 2 * capacity + capacity
    return starts.reshape(1, -1)


def join_entries(models: Mapping[str, Model], name: str, source: str) -> Model:
    """One model of an entry for each of several, whose equal weights and states are the same."""
    store = WeightStore()
    declared: dict[str, t.WeightOp | t.StateOp] = {}
    by_content: dict[tuple[object, ...], str] = {}
    functions: list[FuncOp] = []
    for entry, model in models.items():
        names: dict[str, str] = {}
        for op in list(model.module.body.block.ops):
            op.detach()
            if isinstance(op, t.StateOp):
                declared.setdefault(op.sym_name.data, op)
            elif isinstance(op, t.WeightOp):
                array = model.weights[op.sym_name.data]
                key = (op.type, _content(array))
                if key not in by_content:
                    by_content[key] = store.add(op.sym_name.data, array)
                    declared[by_content[key]] = t.WeightOp(by_content[key], op.type)
                names[op.sym_name.data] = by_content[key]
            elif isinstance(op, FuncOp):
                op.properties["sym_name"] = StringAttr(entry)
                functions.append(op)
                for read in [r for r in op.walk() if isinstance(r, t.GetWeightOp)]:
                    read.properties["weight"] = SymbolRefAttr(names[read.weight.string_value()])
    notes = list(dict.fromkeys(note for model in models.values() for note in model.notes))
    module = ModuleOp([*declared.values(), *functions])
    return Model(module, store, name, source, notes, entry=next(iter(models)))


def _content(array: Array) -> tuple[object, ...]:
    data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    return array.shape, array.dtype.name, sha256(data.tobytes()).digest()
