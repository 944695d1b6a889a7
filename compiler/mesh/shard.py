"""What one cluster computes in a phase, as a model of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass, PassPipeline
from xdsl.pattern_rewriter import GreedyRewritePatternApplier, PatternRewriteWalker
from xdsl.transforms.common_subexpression_elimination import cse
from xdsl.transforms.dead_code_elimination import dce

from softex_mlir.abi import MAIN, Port
from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.mesh.division import Cell, Division, MeshPhase
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.compiler.transforms.transformer.boxes import Box, size_of, whole
from softex_mlir.compiler.transforms.transformer.canonicalize_transformer import (
    FoldViewsOfConstants,
    MergeReshapes,
    SimplifyViews,
)
from softex_mlir.compiler.transforms.transformer.drop_unread import DropUnreadPass
from softex_mlir.compiler.transforms.transformer.finalize_transformer import (
    FinalizeTransformerPass,
)
from softex_mlir.compiler.transforms.transformer.l1_values import Constants
from softex_mlir.compiler.transforms.transformer.place import PlacePass
from softex_mlir.compiler.transforms.transformer.round_weights import RoundWeightsPass
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.target import machine_text
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class Shard:
    """A model of what one cluster computes in a phase.

    Attributes:
        model: fused and placed. It takes whole values as the phases before left them in the L2
            that all clusters share, and gives parts.
        parts: which part of each value its outputs are.
    """

    model: Model
    parts: Mapping[str, Box]

    @property
    def key(self) -> str:
        """Equal for shards that differ in names, and in which rows or columns they read."""
        text = re.sub(r'layer = "[^"]*",? ?|offsets = array<[^>]*>,? ?', "", str(self.model.module))
        numbers: dict[str, str] = {}
        return re.sub(
            r'@[\w.$]+|@"[^"]*"|transformer.name = "[^"]*"',
            lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"),
            text,
        )

    def compilation(self, machine: Machine) -> Compilation:
        """The shard on its way to a program; it is fused already."""
        return Compilation(self.model, machine, (), {})


def shard(division: Division, phase: MeshPhase, cell: Cell) -> Shard:
    """What a cluster computes in a phase in which it has something to do."""
    steps, parts = division.steps, division.parts(phase, cell)
    given = steps.given(phase.first, phase.last)
    block = Block(arg_types=[value.type for value in given])
    mapping: dict[SSAValue, SSAValue] = dict(zip(given, block.args, strict=True))
    weights = WeightStore()
    declared = {op.sym_name.data: op for op in steps.model.module.ops if isinstance(op, t.WeightOp)}
    used: dict[str, Operation] = {}

    def parameter(value: SSAValue) -> None:
        if value in mapping or not isinstance(value.owner, t.GetWeightOp):
            return
        name = value.owner.weight.string_value()
        if name not in used:
            used[name] = declared[name].clone()
            weights.add(name, steps.model.weights[name])
        block.add_op(value.owner.clone(mapping))

    for op in steps.operations[phase.first : phase.last]:
        for inner in op.walk():
            for operand in inner.operands:
                parameter(operand)
        block.add_op(op.clone(mapping))
    results: list[SSAValue] = []
    for value, box in parts.items():
        result = mapping[value]
        if box != whole(t.shape_of(value)):
            taken = t.SliceOp(result, [part.start for part in box], size_of(box))
            block.add_op(taken)
            result = taken.result
        results.append(result)
    block.add_op(ReturnOp(*results))
    outputs = {steps.names[value]: box for value, box in parts.items()}
    function = FuncOp(
        MAIN,
        ([value.type for value in block.args], [value.type for value in results]),
        Region(block),
        arg_attrs=ArrayAttr([port_attributes(_port(steps.names[v], v)) for v in given]),
        res_attrs=ArrayAttr(
            [port_attributes(_port(n, v)) for n, v in zip(outputs, results, strict=True)]
        ),
    )
    module = ModuleOp([*used.values(), function])
    name = f"{steps.model.name}-{phase.first}-{phase.last}"
    model = Model(module, weights, name, steps.model.source)
    context = CompilationContext(weights=weights, model_name=name)
    PassPipeline(_passes(steps.machine)).apply(context, module)
    module.verify()
    return Shard(model, outputs)


def _port(name: str, value: SSAValue) -> Port:
    kind = cast(t.AnyTensor, value.type)
    integers = kind.get_element_type() == i32
    return Port(name, kind.get_shape(), "int32" if integers else "float32")


@dataclass(frozen=True)
class FoldPartsPass(ModulePass):
    """Parts of parameters become parameters; nothing that computes changes."""

    name = "fold-parts"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns = [MergeReshapes(), SimplifyViews(), FoldViewsOfConstants(Constants.of(ctx, op))]
        PatternRewriteWalker(GreedyRewritePatternApplier([*patterns])).rewrite_module(op)
        dce(op)
        cse(op)


def _passes(machine: Machine) -> tuple[ModulePass, ...]:
    return (
        DropUnreadPass(),
        FoldPartsPass(),
        FinalizeTransformerPass(),
        RoundWeightsPass(),
        PlacePass(machine_text(machine)),
    )
