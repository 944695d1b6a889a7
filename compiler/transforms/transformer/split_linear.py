"""`split-linear`: a linear layer whose columns are read in parts becomes a layer a part.

Two halves of a GeGLU or SwiGLU that are one product leave it as slices: its activation, and the
product of the halves, are passes over the rows. As two layers each of them is an epilogue, done
while the result is in the TCDM. Queries and keys that the cores turn or normalise (rotary
embeddings) are theirs while RedMulE computes the next part. Every column is the sum it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from softex_mlir.compiler.model import entry_functions
from softex_mlir.compiler.transforms.transformer.boxes import Box
from softex_mlir.compiler.transforms.transformer.l1_values import (
    Constants,
    apply_view,
    is_view,
    name_of,
)
from softex_mlir.compiler.transforms.transformer.linear_parts import (
    LinearPart,
    columns_read,
    slice_of,
    split_linear,
)
from softex_mlir.dialects import transformer as t

LEAST_COLUMNS = 4 * t.INNER_UNIT
"""Columns of a part that pays: fewer are a launch of few tiles, the first and last of which
nothing hides."""

WITHOUT_WORK = (t.LinearOp, t.MatmulOp, t.AttentionOp, t.AppendOp, t.KeepOp, ReturnOp)
"""Users of a part that read it as it is."""


def fused_by(user: Operation, value: SSAValue) -> bool:
    """Whether an operation is an epilogue of the linear layer whose result it reads."""
    if isinstance(user, t.UnaryOp):
        return user.name.removeprefix("transformer.") in t.ACTIVATIONS
    if isinstance(user, t.AddOp | t.MulOp):
        return user.lhs.type == user.rhs.type == value.type and user.lhs is not user.rhs
    return False


def worked_on(value: SSAValue) -> bool:
    """Whether the cores do something with a value before a product, or the caller, reads it."""
    for use in value.uses:
        user = use.operation
        if is_view(user):
            if worked_on(user.results[0]):
                return True
        elif not isinstance(user, WITHOUT_WORK):
            return True
    return False


def _pays(op: t.LinearOp, user: t.SliceOp) -> bool:
    """Whether the columns of a slice had better be a layer of their own."""
    rows, (read, columns) = t.shape_of(op.result)[0], t.shape_of(user.result)
    if rows == 1 or columns < LEAST_COLUMNS:
        return False
    if read == rows and user.result.has_one_use():
        (use,) = user.result.uses
        if fused_by(use.operation, user.result):
            return True
    return worked_on(user.result)


def parts_of(op: t.LinearOp) -> tuple[LinearPart, ...]:
    """The layers that a layer becomes: its columns by the slices that read them, neighbours of
    which none pays together. Fewer than two if it stays."""
    users = [use.operation for use in op.result.uses]
    slices = [user for user in users if isinstance(user, t.SliceOp) and set(user.steps) == {1}]
    if len(slices) < len(users) or op.residual is not None or op.activation.data != "none":
        return ()
    found: list[LinearPart] = []
    paying: list[bool] = []
    for user in sorted(slices, key=lambda user: columns_read(user).start):
        columns, pays = columns_read(user), _pays(op, user)
        if found:
            before = found[-1]
            apart = columns.start > before.columns.stop
            meet = columns.start == before.columns.stop
            if not (apart or (meet and (pays or paying[-1]))):
                joined = range(before.columns.start, max(before.columns.stop, columns.stop))
                found[-1] = LinearPart(joined, (*before.slices, user))
                paying[-1] = meet and paying[-1] and pays
                continue
        found.append(LinearPart(columns, (user,)))
        paying.append(pays)
    return tuple(found) if any(paying) else ()


@dataclass
class _Weights:
    """Parts of parameters, the same for all that read the same part."""

    constants: Constants
    made: dict[tuple[str, range], t.GetWeightOp] = field(
        default_factory=lambda: dict[tuple[str, range], t.GetWeightOp]()
    )

    def take(self, value: SSAValue, box: Box) -> Operation:
        """A part of a parameter, or of another value."""
        part = slice_of(value, box)
        data = self.constants.data(value) if isinstance(value.owner, t.GetWeightOp) else None
        if data is None:
            return part
        key = name_of(value), box[-1]
        if key not in self.made:
            self.made[key] = self.constants.make(key[0], apply_view(part, data))
            part.erase()
            return self.made[key]
        part.erase()
        return self.made[key].clone()


def _candidates(
    module: ModuleOp, constants: Constants
) -> list[tuple[t.LinearOp, tuple[LinearPart, ...]]]:
    """Layers to split. Those that share a parameter are split alike, or not at all."""
    found: list[tuple[t.LinearOp, tuple[LinearPart, ...]]] = []
    users: dict[str, list[Sequence[range]]] = defaultdict(list)
    for function in entry_functions(module).values():
        for op in function.body.block.ops:
            parts = parts_of(op) if isinstance(op, t.LinearOp) else ()
            if len(parts) > 1:
                assert isinstance(op, t.LinearOp)
                found.append((op, parts))
            columns = tuple(part.columns for part in parts)
            for operand in op.operands:
                if isinstance(operand.owner, t.GetWeightOp):
                    users[name_of(operand)].append(columns)

    def possible(op: t.LinearOp) -> bool:
        parameters = [v for v in op.operands[1:] if isinstance(v.owner, t.GetWeightOp)]
        return all(
            constants.data(value) is not None and len(set(users[name_of(value)])) == 1
            for value in parameters
        )

    return [(op, parts) for op, parts in found if possible(op)]


@dataclass(frozen=True)
class SplitLinearPass(ModulePass):
    """Linear layers by columns, where an epilogue or the cores' work on a part gains by it."""

    name = "split-linear"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        weights = _Weights(Constants.of(ctx, op))
        for linear, parts in _candidates(op, weights.constants):
            split_linear(linear, parts, weights.take)
