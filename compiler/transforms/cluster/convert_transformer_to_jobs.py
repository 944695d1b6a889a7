"""`convert-transformer-to-jobs`: from layer operations to kernels and launches."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from softex_mlir.compiler.compilation_context import model_name_of
from softex_mlir.compiler.layer_names import name_layers
from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.compiler.tile_overrides import read_tiles
from softex_mlir.compiler.transforms.transformer.place import placement_report
from softex_mlir.compiler.work import unread_macs
from softex_mlir.dialects.cluster import SourceOp


@dataclass(frozen=True)
class ConvertTransformerToJobsPass(MachinePass):
    """Tile, order and place a fused `transformer` module (L1 to L2).

    `tiles` pins tile shapes by layer: a TOML file or its text.
    """

    name = "convert-transformer-to-jobs"

    tiles: str = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = self.target
        jobs = schedule_module(op, machine, read_tiles(self.tiles))
        source = SourceOp(
            model_name_of(ctx),
            f"{op!s}\n",
            (asdict(entry) for entry in placement_report(op, machine)),
            ({"name": name, **asdict(found)} for name, found in name_layers(op).items()),
            unread_macs(op),
        )
        for child in list(op.ops):
            child.detach()
        for child in list(jobs.ops):
            child.detach()
            op.body.block.add_op(child)
        op.body.block.add_op(source)
        op.attributes |= jobs.attributes
