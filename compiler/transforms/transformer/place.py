"""`place`: decide for every operation which units execute it, and say why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.operation_machine import machine_for
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry

_PARTS = "partial sums of {size} added"


@dataclass(frozen=True)
class Placement:
    """Where an operation executes."""

    op: str
    """Operation name without dialect, such as ``linear``."""
    layer: str
    unit: str
    """Units joined by ``+``, and cores, dma; ``none`` for a view."""
    reason: str
    """Sentences, joined by "; ", which reports translate one by one."""


def _epilogue(function: str, own: Machine, machine: Machine) -> tuple[str, str]:
    if function in ("gelu", "gelu_tanh"):
        if own.softex is not None:
            return "softex+cores", f"{function} is a sum of exponentials; the cores finish it"
        return _in_software(function, machine)
    return "cores", f"{function} has no accelerator"


def _in_software(function: str, machine: Machine) -> tuple[str, str]:
    if machine.softex is None:
        return "cores", f"{function} in software: the machine has no SoftEx"
    return "cores", f"{function} in software"


def _join(*units: str) -> str:
    order = (*(unit.name for unit in registry.units()), "cores", "dma")
    return "+".join(u for u in order if any(u in given.split("+") for given in units))


def unit_of(op: t.TransformerOp, machine: Machine) -> tuple[str, str]:
    """(units, reason) of one operation of the fused form."""
    own = machine_for(op, machine)
    product = ("redmule", "matrix product")
    if isinstance(op, t.LinearOp | t.MatmulOp | t.AttentionOp) and op.wide is not None:
        product = ("cores", "matrix product in software: its sums are in f32")
    elif machine.redmule is None:
        product = ("cores", "matrix product in software: the machine has no RedMulE")
    softmax = ("softex", "softmax")
    if own.softex is None:
        softmax = _in_software("softmax", machine)
    match op:
        case t.LinearOp():
            units, reasons = [product[0]], [product[1]]
            if op.activation.data != "none":
                unit, reason = _epilogue(op.activation.data, own, machine)
                units.append(unit)
                reasons.append(reason)
            if op.chunk != op.inner and op.wide is None:
                units.append("cores")
                reasons.append(_PARTS.format(size=op.chunk))
            if op.residual is not None:
                units.append("cores")
                reasons.append("residual added while the result is in TCDM")
            return _join(*units), "; ".join(reasons)
        case t.AttentionOp():
            reasons = ["two matrix products around a softmax"]
            reasons += [reason for unit, reason in (product, softmax) if unit == "cores"]
            return _join(product[0], softmax[0]), "; ".join(reasons)
        case t.MatmulOp() if op.chunk != op.inner and op.wide is None:
            return _join(product[0], "cores"), f"{product[1]}; {_PARTS.format(size=op.chunk)}"
        case t.MatmulOp():
            return product
        case t.SoftmaxOp():
            return softmax
        case t.GeluOp() | t.GeluTanhOp():
            return _epilogue(op.name.removeprefix("transformer."), own, machine)
        case t.LayerNormOp() | t.RMSNormOp():
            return "cores", "row statistics in float32"
        case t.RotaryOp():
            return "cores", "rotary positions: two products and a sum"
        case t.BinaryOp() | t.UnaryOp():
            return "cores", "elementwise"
        case t.MaskToBiasOp():
            return "cores", "a mask known at run time only"
        case t.PositionIdsOp():
            return "cores", "token positions counted at run time"
        case t.EmbeddingOp():
            return "dma", "rows gathered by token id"
        case t.WindowsOp():
            return "dma", "windows of a vector gathered by position"
        case t.AppendOp():
            return "dma", "rows stored where the position says"
        case t.KeepOp():
            return "dma", "rows stored for later runs"
        case t.RecallOp():
            return "none", "kept from an earlier run"
        case t.ReshapeOp():
            return _view_or_copy(op)
        case t.SliceOp() if len(t.shape_of(op.x)) == 2 and set(op.steps) == {1}:
            return "none", "a view"
        case _:
            return "dma", "data movement"


def _view_or_copy(op: t.ReshapeOp) -> tuple[str, str]:
    before, after = t.shape_of(op.x), t.shape_of(op.result)
    if before[-1:] == after[-1:]:
        return "none", "a view: the rows stay as they are"
    return "dma", "data movement: the rows change their length"


def placement_of(module: ModuleOp, machine: Machine) -> Iterator[tuple[Operation, Placement]]:
    """Every operation with its place."""
    for op in module.walk():
        if isinstance(op, linalg_ops.GenericOp):
            given = op.attributes.get("layer")
            layer = given.data if isinstance(given, StringAttr) else ""
            reason = "a loop nest: no unit and no kernel of its own"
            yield op, Placement("generic", layer, "cores", reason)
        if isinstance(op, t.TransformerOp):
            unit, reason = unit_of(op, machine)
            layer = op.layer.data if op.layer is not None else ""
            yield op, Placement(op.name.removeprefix("transformer."), layer, unit, reason)


def placement_report(module: ModuleOp, machine: Machine) -> list[Placement]:
    """Where every operation executes, and why."""
    return [placement for _, placement in placement_of(module, machine)]


@dataclass(frozen=True)
class PlacePass(MachinePass):
    """Writes `unit` on every operation."""

    name = "place"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner, placement in placement_of(op, self.target):
            if isinstance(inner, t.TransformerOp):
                inner.unit = StringAttr(placement.unit)
            else:
                inner.attributes["unit"] = StringAttr(placement.unit)
