"""The reference evaluator: executes level L1 operation by operation, on the hardware's numerics.

Every operation is evaluated with the functions of `softex_mlir.isa_sim.numerics` that the units and
the generated core code reproduce, so a compiled program must agree with it bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.dialects.func import ReturnOp
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation, SSAValue

from softex_mlir.abi import MAIN
from softex_mlir.compiler.loop_nest import element_type, is_boolean, is_start_value
from softex_mlir.compiler.model import Model
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.numerics import rowwise
from softex_mlir.runtime.reference_float import FloatArithmetic
from softex_mlir.runtime.reference_generic import evaluate_generic

Array = npt.NDArray[Any]
Kind = Literal["exact", "bf16", "float32"]
Choice = Callable[[Operation], Kind]
Observer = Callable[[Operation, Array], None]
Watcher = Callable[[Operation, list[Array]], None]


class EvaluationError(UserError, ValueError):
    """Inputs that do not fit the model, or an operation that cannot be evaluated."""


class Arithmetic(Protocol):
    """The computing operations; movement of data is the same for all of them."""

    def value(self, x: Array) -> Array: ...
    def unary(self, name: str, x: Array) -> Array: ...
    def binary(self, name: str, a: Array, b: Array) -> Array: ...
    def gemm(self, x: Array, w: Array, y: Array | None) -> Array: ...
    def linear_in_f32(
        self,
        x: Array,
        w: Array,
        bias: Array | None,
        chunk: int,
        function: str,
        residual: Array | None,
    ) -> Array: ...
    def attention(
        self,
        q: Array,
        k: Array,
        v: Array,
        bias: Array,
        chunk: int | None = None,
        summed: int | None = None,
    ) -> Array: ...
    def layer_norm(self, x: Array, gamma: Array, beta: Array, eps: float) -> Array: ...
    def rms_norm(self, x: Array, gamma: Array, eps: float) -> Array: ...
    def widened(self) -> Arithmetic: ...
    def in_software(self) -> Arithmetic: ...


@np.errstate(all="ignore")  # what is not finite is a result like others
def evaluate(
    module: ModuleOp,
    weights: Mapping[str, Array],
    inputs: Mapping[str, Array],
    *,
    machine: Any = None,
    arithmetic: Kind | Choice = "exact",
    observe: Observer | None = None,
    watch: Watcher | None = None,
    entry: str = MAIN,
    state: dict[str, Array] | None = None,
) -> dict[str, Array]:
    """Outputs of an entry, `@main` by default, by name, for inputs by name.

    `state` holds the state that runs leave behind, by name: it is read and replaced; what is not in
    it is zero.

    `exact` gives ml_dtypes bfloat16 arrays with the bits the program computes on `machine`
    (default: the paper's); `bf16` and `float32` give float32 arrays. `arithmetic` may choose for
    each operation: then values are held in float32 between operations, and inputs and weights are
    what is given. `observe` is called with every operation and its result, for comparisons layer
    by layer, `watch` with every operation and its operands.
    """
    mixed = callable(arithmetic)
    chosen: Arithmetic = arithmetic_of("float32" if mixed else arithmetic, machine)
    model = Model(module, cast(Any, weights), entry=entry)
    main = model.main
    state = {} if state is None else state
    block = main.body.block
    values: dict[SSAValue, Array] = {}
    missing = [port.name for port in model.inputs if port.name not in inputs]
    if missing:
        names = ", ".join(port.name for port in model.inputs)
        raise EvaluationError(f"inputs {', '.join(missing)} are missing; the model takes {names}")
    for port, argument in zip(model.inputs, block.args, strict=True):
        found = np.asarray(inputs[port.name])
        if found.shape != port.shape:
            raise EvaluationError(
                f"input {port.name}: expected shape {port.shape}, found {found.shape}"
            )
        integer = t.ID_TENSOR.verifies(argument.type)
        # Bytes may be activations: images.
        wide = found.dtype.kind in "iub" or element_type(argument) == f32
        number = found.astype(np.float32) if wide else found
        if element_type(argument) != f32:
            number = found.astype(np.int32) if integer else chosen.value(number)
        values[argument] = number
    results: dict[str, Array] = {}
    for op in block.ops:
        if isinstance(op, ReturnOp):
            for port, value in zip(model.outputs, op.arguments, strict=True):
                results[port.name] = values[value]
            break
        if isinstance(op, t.GetWeightOp):
            name = op.weight.string_value()
            if name not in weights:
                raise EvaluationError(f"weight {name!r} is missing")
            data = weights[name]
            values[op.result] = (
                data.astype(np.bool_ if is_boolean(op.result) else np.int32)
                if data.dtype.kind == "i"
                else data.astype(np.float32)
                if element_type(op.result) == f32
                else chosen.value(data)
            )
            continue
        if is_start_value(op):
            continue
        given = [operand for operand in op.operands if operand in values]
        operands = [values[operand] for operand in given]
        kind = arithmetic(op) if callable(arithmetic) else arithmetic
        if mixed:
            chosen = arithmetic_of(kind, machine)
            operands = [
                array if element_type(operand) == f32 else chosen.value(array)
                for operand, array in zip(given, operands, strict=True)
            ]
        if watch is not None:
            watch(op, operands)
        found = _results(op, operands, kind, chosen, state)
        if mixed:
            found = [_widened(array) for array in found]
        values.update(zip(op.results, found, strict=True))
        if observe is not None:
            observe(op, found[0])
    return results


def _results(
    op: Operation,
    operands: list[Array],
    kind: Kind,
    arithmetic: Arithmetic,
    state: dict[str, Array],
) -> list[Array]:
    if isinstance(op, linalg_ops.GenericOp):
        return evaluate_generic(
            op, operands[: len(op.inputs)], exact=kind == "exact", rounded=kind == "bf16"
        )
    if isinstance(op, t.AppendOp):
        name = op.state.string_value()
        state[name] = _append(op, operands, state.get(name))
        return [state[name]]
    if isinstance(op, t.KeepOp):
        state[op.state.string_value()] = operands[0]
        return operands
    if isinstance(op, t.RecallOp):
        shape = t.shape_of(op.result)
        return [state.get(op.state.string_value(), arithmetic.value(np.zeros(shape, np.float32)))]
    return [evaluate_op(op, operands, arithmetic)]


def evaluate_wide(op: Operation, operands: list[Array]) -> Array:
    """What one operation without state computes of these operands in float32.

    Raises:
        EvaluationError: it has state.
    """
    wide = [_widened(operand) for operand in operands]
    if isinstance(op, linalg_ops.GenericOp):
        return evaluate_generic(op, wide[: len(op.inputs)], exact=False, rounded=False)[0]
    return evaluate_op(op, wide, arithmetic_of("float32"))


def _in_steps(op: t.LinearOp | t.MatmulOp | t.AttentionOp, x: Array, axis: int) -> Array:
    """An operand with its inner dimension padded as the operation says, if it does."""
    missing = 0 if op.inner_unit is None else -x.shape[axis] % op.step
    if not missing:
        return x
    return np.pad(x, [(0, missing if i == axis else 0) for i in range(x.ndim)])


def arithmetic_of(kind: Kind, machine: Any = None) -> Arithmetic:
    """The arithmetic of a kind; `exact` is that of a machine."""
    if kind == "exact":
        from softex_mlir.runtime.reference_exact import ExactArithmetic

        return ExactArithmetic(machine)
    return FloatArithmetic(rounded=kind == "bf16")


def _widened(array: Array) -> Array:
    """Values as they are held between operations of different arithmetic."""
    return array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else array


def _append(op: t.AppendOp, operands: list[Array], before: Array | None) -> Array:
    """The state with rows stored at their positions."""
    rows, position = operands
    shape = t.shape_of(op.result)
    result = np.zeros(shape, rows.dtype) if before is None else before.copy()
    for element, start in enumerate(position.tolist()):
        if not 0 <= start <= op.capacity - op.count:
            raise EvaluationError(
                f"positions must be in 0..{op.capacity - op.count} for {op.count} rows in a state "
                f"of {op.capacity}, found {start}"
            )
        first = element * op.capacity + start
        result[first : first + op.count] = rows[element * op.count : (element + 1) * op.count]
    return result


def _sum_of_chunks(
    x: Array, w: Array, bias: Array | None, chunk: int, arithmetic: Arithmetic
) -> Array:
    """A product as partial sums over `chunk` inner values, added one after the other."""
    total = arithmetic.gemm(x[:, :chunk], w[:chunk], bias)
    for start in range(chunk, x.shape[1], chunk):
        columns, rows = x[:, start : start + chunk], w[start : start + chunk]
        part = arithmetic.gemm(columns, rows, None)
        total = arithmetic.binary("add", total, part)
    return total


def evaluate_op(op: Operation, operands: list[Array], arithmetic: Arithmetic) -> Array:
    """Result of one operation on given operands."""
    if isinstance(op, t.CAN_BE_WIDE) and op.wide is not None:
        arithmetic = arithmetic.widened()
    elif isinstance(op, t.LinearOp | t.AttentionOp) and op.software is not None:
        arithmetic = arithmetic.in_software()
    match op:
        case t.LinearOp():
            x, w, *rest = operands
            bias = rest.pop(0) if op.bias is not None else None
            x, w = _in_steps(op, x, 1), _in_steps(op, w, 0)
            if op.wide is not None:
                residual = rest[0] if rest else None
                return arithmetic.linear_in_f32(x, w, bias, op.chunk, op.activation.data, residual)
            y = _sum_of_chunks(x, w, bias, op.chunk, arithmetic)
            if op.activation.data != "none":
                y = arithmetic.unary(op.activation.data, y)
            return arithmetic.binary("add", y, rest[0]) if rest else y
        case t.AttentionOp():
            return _attention(op, operands, arithmetic)
        case t.MatmulOp():
            a, b = operands
            a, b = _in_steps(op, a, a.ndim - 1), _in_steps(op, b, b.ndim - 2)
            return _matmul(op, a, b, arithmetic)
        case t.LayerNormOp():
            x, gamma, beta = operands
            return arithmetic.layer_norm(x, gamma, beta, op.eps.value.data)
        case t.RMSNormOp():
            return arithmetic.rms_norm(operands[0], operands[1], op.eps.value.data)
        case t.RotaryOp():
            return _rotary(op, operands[0], operands[1], arithmetic)
        case t.BinaryOp():
            lhs, rhs = _broadcast(operands[0], operands[1])
            return arithmetic.binary(_short(op), lhs, rhs)
        case t.UnaryOp():
            return arithmetic.unary(_short(op), operands[0])
        case t.MaskFillOp():
            x, mask = _broadcast(operands[0], operands[1])
            fill = arithmetic.value(np.asarray(op.fill.value.data, np.float32))
            return np.where(mask < 0, fill, x.astype(fill.dtype))
        case t.SplatOp():
            shape = t.shape_of(op.result)
            return arithmetic.value(np.full(shape, op.value.value.data, np.float32))
        case _:
            return _move(op, operands)


def _rotary(op: t.RotaryOp, x: Array, table: Array, arithmetic: Arithmetic) -> Array:
    """Heads turned by the angles of their rows."""
    size = op.head_size
    heads = _dense(x).reshape(len(x), -1, size)
    factors = table.reshape(len(x), 1, 2, size)
    cosines, sines = (np.broadcast_to(factors[:, :, i], heads.shape) for i in range(2))
    kept = arithmetic.binary("mul", heads, cosines)
    turned = arithmetic.binary("mul", np.roll(heads, size // 2, axis=-1), sines)
    return arithmetic.binary("add", kept, turned).reshape(x.shape)


def _dense(x: Array) -> Array:
    """Row by row in memory; `np.ascontiguousarray` would make a vector of a number."""
    return np.asarray(x, order="C")


def _short(op: Operation) -> str:
    return op.name.removeprefix("transformer.")


def _broadcast(lhs: Array, rhs: Array) -> tuple[Array, Array]:
    """Both operands in the shape of the result (rows of a smaller matrix repeat)."""
    if lhs.ndim == rhs.ndim == 2 and lhs.shape[1] == rhs.shape[1] and len(lhs) > len(rhs):
        return lhs, np.tile(rhs, (len(lhs) // len(rhs), 1))
    shape = np.broadcast_shapes(lhs.shape, rhs.shape)
    return (
        _dense(np.broadcast_to(lhs, shape)),
        _dense(np.broadcast_to(rhs, shape)),
    )


def _attention(op: t.AttentionOp, operands: list[Array], arithmetic: Arithmetic) -> Array:
    q, k, v, bias, *rest = operands
    if op.scale is not None:
        scale = np.full((1, 1), op.scale.value.data, np.float32).astype(q.dtype)
        q = arithmetic.binary("mul", *_broadcast(q, scale))
    heads, group = op.heads.value.data, op.heads.value.data // op.heads_of_keys
    queries = op.queries
    d, e = op.head_size, op.value_size
    result = np.zeros((len(q), heads * e), q.dtype)
    for b in range(op.batch.value.data):
        keys, chunk = op.keys, op.chunk
        if rest:
            keys = op.visible_keys(int(rest[0][b]))
            chunk = chunk if op.whole is not None and op.whole < keys else None
        summed = None if chunk is None and op.chunk is not None else op.summed
        rows, key_rows = (
            slice(b * queries, (b + 1) * queries),
            slice(b * op.keys, b * op.keys + keys),
        )
        match op.bias_rows.data:
            case "batch":
                mask = bias[b : b + 1]
            case "batch_query":
                mask = bias[rows]
            case _:
                mask = bias
        step = t.padded_keys(op.keys) if op.bias_by_head else 0
        for h in range(heads):
            seen = mask[:, h * step : h * step + t.padded_keys(keys)]
            columns = slice(h * d, (h + 1) * d)
            key_columns = slice(h // group * d, (h // group + 1) * d)
            values = slice(h // group * e, (h // group + 1) * e)
            query, key = (_in_steps(op, x, 1) for x in (q[rows, columns], k[key_rows, key_columns]))
            result[rows, h * e : (h + 1) * e] = arithmetic.attention(
                query, key, v[key_rows, values], seen, chunk, summed
            )
    return result


def _matmul(op: t.MatmulOp, a: Array, b: Array, arithmetic: Arithmetic) -> Array:
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = np.broadcast_to(a, (*lead, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
    right = np.broadcast_to(b, (*lead, *b.shape[-2:])).reshape(-1, *b.shape[-2:])

    def part(x: Array, w: Array) -> Array:
        if op.wide is not None:
            return arithmetic.linear_in_f32(x, w, None, op.chunk, "none", None)
        return _sum_of_chunks(x, w, None, op.chunk, arithmetic)

    parts = [part(x, w) for x, w in zip(left, right, strict=True)]
    return np.stack(parts).reshape(*lead, a.shape[-2], b.shape[-1])


def _move(op: Operation, operands: list[Array]) -> Array:
    """Operations that move data."""
    match op:
        case t.ReshapeOp():
            return operands[0].reshape(t.shape_of(op.result))
        case t.TransposeOp():
            order = [int(p) for p in op.permutation.get_values()]
            return _dense(operands[0].transpose(order))
        case t.SliceOp():
            index = np.ix_(
                *(
                    int(offset) + step * np.arange(int(count))
                    for offset, count, step in zip(
                        op.offsets.get_values(), op.sizes.get_values(), op.steps, strict=True
                    )
                )
            )
            return _dense(operands[0][index])
        case t.ConcatOp():
            return np.concatenate(operands, axis=op.axis.value.data)
        case t.ExpandOp():
            return _dense(np.broadcast_to(operands[0], t.shape_of(op.result)))
        case t.ReduceMeanOp():
            axes = tuple(int(a) for a in op.axes.get_values())
            return operands[0].mean(axis=axes, keepdims=op.keep is not None)
        case t.EmbeddingOp():
            ids, table = operands
            if ids.size and not (ids.min() >= 0 and ids.max() < len(table)):
                raise EvaluationError(
                    f"token ids must be in 0..{len(table) - 1}, found {ids.min()}..{ids.max()}"
                )
            return table[ids]
        case t.WindowsOp():
            ids, vector = operands
            if ids.size and not (ids.min() >= 0 and ids.max() < op.windows):
                raise EvaluationError(
                    f"windows must begin in 0..{op.windows - 1}, found {ids.min()}..{ids.max()}"
                )
            columns = np.arange(t.shape_of(op.result)[1])
            return vector[ids[:, np.newaxis] + columns]
        case t.PatchifyOp():
            high, wide = (int(p) for p in op.patch.get_values())
            return patchify(operands[0], high, wide)
        case t.PositionIdsOp():
            parameters = (a.value.data for a in (op.padding, op.offset, op.fill))
            return rowwise.position_ids(operands[0], *parameters)
        case t.MaskToBiasOp():
            base = operands[1] if op.base is not None else None
            visible = operands[0] == 0 if op.inverted is not None else operands[0] != 0
            return mask_to_bias(visible, base, t.shape_of(op.result)[1])
        case _:
            raise EvaluationError(f"{op.name} has no evaluation")


def patchify(image: Array, high: int, wide: int) -> Array:
    """[batch, C, H, W] -> [batch*(H/high)*(W/wide), C*high*wide]."""
    batch, channels, height, width = image.shape
    tiles = image.reshape(batch, channels, height // high, high, width // wide, wide)
    order = tiles.transpose(0, 2, 4, 1, 3, 5)
    return _dense(order).reshape(-1, channels * high * wide)


def mask_to_bias(visible: Array, base: Array | None, columns: int) -> Array:
    """The bias of `transformer.mask_to_bias`: the base where keys are visible, else masked."""
    batch, keys = visible.shape
    dtype = np.dtype(ml_dtypes.bfloat16) if base is None else base.dtype
    start = np.zeros((1, columns), np.float32) if base is None else base.astype(np.float32)
    result = np.full((batch, len(start), columns), -np.inf, np.float32)
    result[:, :, :keys] = np.where(visible[:, None, :], start[None, :, :keys], np.float32(t.MASKED))
    return result.reshape(batch * len(start), columns).astype(dtype)
