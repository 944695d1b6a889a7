"""Matrix products as the search for tiles sees them, tiles, and the TCDM bytes these take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.operation_machine import without_units
from softex_mlir.compiler.schedule.fused_form import (
    affine_behind,
    factor_of,
    layer_of,
    rotary_behind,
)
from softex_mlir.compiler.schedule.kernels.kernel import ARENA_ALIGNMENT
from softex_mlir.compiler.schedule.kernels.linear.geometry import W_SLOTS, X_SLOTS, LinearArena
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects.transformer import LinearOp, MatmulOp, shape_of
from softex_mlir.isa_sim.machine import Machine

Slots: TypeAlias = tuple[int, bool]
"""What products of the same slots share: the inner size, whether their sums are in f32."""


@dataclass(frozen=True)
class LinearShape:
    """A matrix product as the tile search sees it; n and k padded."""

    m: int
    n: int
    k: int
    activation: str
    residual: bool
    chunk: int
    """Inner values of a partial sum."""
    step: int
    """Inner values that products may take at a time: whole multiples of these."""
    wide: bool = False
    """Whether sums are in f32: chunks are then what products take at a time."""
    affine: bool = False
    """Whether the epilogue ends with a product with a vector and the addition of another."""
    rotary: int = 0
    """Columns of the heads that the epilogue turns, by a residual of cosines and sines; else 0."""
    software: bool = False
    """Whether the activation is the cores' though there is a SoftEx."""
    layer: str = field(default="", compare=False)

    @staticmethod
    def of(op: LinearOp | MatmulOp) -> LinearShape:
        """The shape of an operation; that of one batch element."""
        rotary = rotary_behind(op)
        if isinstance(op, LinearOp):
            m, k = shape_of(op.result)
            activation = op.activation.data
            residual = any(x is not None for x in (op.residual, factor_of(op), rotary))
        else:
            m, k = shape_of(op.result)[-2:]
            activation, residual = "none", False
        columns, layer = round_up(k, ALIGNMENT), layer_of(op)
        wide = op.wide is not None
        return LinearShape(
            *(m, op.inner, columns, activation, residual, op.chunk, op.step, wide),
            affine_behind(op) is not None,
            0 if rotary is None else rotary.head_size,
            isinstance(op, LinearOp) and op.software is not None,
            layer,
        )

    @property
    def slots(self) -> Slots:
        """What products have in common whose slots follow each other: the inner size, and who
        computes them."""
        return self.n, self.wide

    def machine(self, machine: Machine) -> Machine:
        """A machine with the units that the product works on."""
        return without_units(machine, wide=self.wide, software=self.software)

    @property
    def splits(self) -> int:
        """Partial sums of a result."""
        return 1 if self.wide else self.n // self.chunk

    def partials(self, tile: Tile) -> int:
        """Tiles beside Z: for partial sums, in a ring or one for each tile of a group, or for f32
        sums in two parts."""
        if tile.ring:
            return tile.ring
        epilogue = self.activation != "none" or self.residual
        in_parts = self.wide and (self.n > self.chunk or epilogue)
        return tile.group if self.splits > 1 or in_parts else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k


class SharedX(NamedTuple):
    """Products of one X, in their order; `turns`: their launches take turns."""

    shapes: tuple[LinearShape, ...]
    turns: bool


class Tile(NamedTuple):
    """m rows (at most), inner chunk n, k columns, `group` neighbouring tiles in a launch, `piece`
    rows of the epilogue at a time, `ring` slots for partial sums."""

    m: int
    n: int
    k: int
    group: int
    piece: int
    ring: int = 0


class Sizes(NamedTuple):
    """Slot sizes of the linear arena in bytes; `z` is a whole group of tiles, `partial` all that
    is kept of their sums beside it."""

    z: int
    z_slot: int
    partial: int
    x: int
    w: int
    epilogue: int
    epilogue_slots: int
    w_slots: int = W_SLOTS

    @property
    def total(self) -> int:
        """Bytes of the whole arena."""
        rings = X_SLOTS * self.x + self.w_slots * self.w
        return self.z + self.partial + rings + self.epilogue_slots * self.epilogue

    def at_least(self, other: Sizes) -> Sizes:
        """Slots in which those of another product have room too."""
        return self._replace(
            z=max(self.z, other.z),
            partial=max(self.partial, other.partial),
            x=max(self.x, other.x),
            w=max(self.w, other.w),
            epilogue=max(self.epilogue, other.epilogue),
        )


def linear_arena(sizes: Sizes, offset: int, end: int) -> LinearArena:
    """Place the slots one after another from a TCDM offset, the epilogue's first, but those of
    partial sums at the end: where several arenas have as many, they stay cleared."""
    z = offset + sizes.epilogue_slots * sizes.epilogue
    x = z + sizes.z
    w = x + X_SLOTS * sizes.x
    return LinearArena(
        epilogue=offset,
        epilogue_slot=sizes.epilogue,
        z=z,
        z_slot=sizes.z_slot,
        z_bytes=sizes.z,
        x=x,
        x_slot=sizes.x,
        w=w,
        w_slot=sizes.w,
        w_slots=sizes.w_slots,
        partial=(end - sizes.partial) // ARENA_ALIGNMENT * ARENA_ALIGNMENT,
    )
