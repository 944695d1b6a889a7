"""`finalize-transformer`: constants become parameters, unused ones go, the form is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from softex_mlir.compiler.transforms.transformer.dead_code import remove_dead
from softex_mlir.compiler.transforms.transformer.l1_values import Constants
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import Refusal, UserError

MOVEMENT = (t.ReshapeOp, t.TransposeOp, t.SliceOp, t.ConcatOp, t.PatchifyOp)
"""Operations that may work on any number of dimensions."""


class NotFusedError(UserError, ValueError):
    """Operations remain that neither a unit nor the cores' code can execute."""


def _problem(op: Operation) -> str | None:
    """Why the scheduler could not take an operation; None if it can."""
    if isinstance(op, t.GRAPH_OPS):
        return "has no implementation on the cluster"
    if not isinstance(op, MOVEMENT):
        for value in (*op.operands, *op.results):
            if len(shape := t.shape_of(value)) > 3:
                return f"works on a tensor of {len(shape)} dimensions {shape}"
    if isinstance(op, t.MatmulOp) and not op.is_fused:
        return f"multiplies {t.shape_of(op.a)} by {t.shape_of(op.b)}; stacks must be equal"
    if isinstance(op, t.BinaryOp):
        lhs, rhs = t.shape_of(op.lhs), t.shape_of(op.rhs)
        if lhs != t.shape_of(op.result) or rhs[-1:] != lhs[-1:]:
            return f"broadcasts {lhs} with {rhs}; only rows can be repeated"
    return None


@dataclass(frozen=True)
class FinalizeTransformerPass(ModulePass):
    """Checks the fused form; every problem is reported at once."""

    name = "finalize-transformer"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        remove_dead(op)
        constants = Constants.of(ctx, op)
        for inner in list(op.walk()):
            if isinstance(inner, t.SplatOp):
                data = constants.data(inner.result)
                assert data is not None
                get = constants.make("constant", data)
                Rewriter.replace_op(inner, get)
        refusals: list[Refusal] = []
        used: set[str] = set()
        for inner in op.walk():
            if isinstance(inner, t.GetWeightOp):
                used.add(inner.weight.string_value())
            elif isinstance(inner, t.TransformerOp) and (why := _problem(inner)) is not None:
                layer = "" if inner.layer is None else inner.layer.data
                refusals.append(Refusal(layer, inner.name, why))
        if refusals:
            error = NotFusedError(_summary(refusals))
            error.refusals = tuple(refusals)
            raise error
        for inner in list(op.ops):
            if isinstance(inner, t.WeightOp) and inner.sym_name.data not in used:
                name = inner.sym_name.data
                Rewriter.erase_op(inner)
                if name in constants.store:
                    constants.store.remove(name)


def _summary(refusals: Sequence[Refusal]) -> str:
    """Equal ones together, with the first layer that is known."""
    layers: dict[str, list[str]] = {}
    for refusal in refusals:
        text = f"{refusal.operator.removeprefix('transformer.')} {refusal.reason}"
        layers.setdefault(text, []).append(refusal.node)
    lines = [
        f"{text}: {len(nodes)}x" + next((f", first at {name}" for name in nodes if name), "")
        for text, nodes in layers.items()
    ]
    return f"{len(lines)} kinds of operation cannot be compiled:\n  " + "\n  ".join(lines)
