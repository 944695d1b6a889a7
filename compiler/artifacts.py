"""A scheduled module as the linker sees it: ports, weights and launches, read from its IR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float32Type, IntegerType, ModuleOp
from xdsl.ir import Operation

from softex_mlir.abi import Port
from softex_mlir.compiler.weight_layout import WeightLayout, pack_weight
from softex_mlir.dialects.cluster import GlobalKind, GlobalOp, LaunchOp, ScheduleOp, SourceOp
from softex_mlir.dialects.memory import footprint_bytes
from softex_mlir.dialects.target import machine_of
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

OperationT = TypeVar("OperationT", bound=Operation)


class LinkError(UserError):
    """The program does not fit, or something in it has no place."""

    def __init__(self, message: str, operation: Operation | None = None) -> None:
        super().__init__(message)
        self.operation = operation


@dataclass(frozen=True)
class WeightImage:
    """A weight as it lies in L2; `name` is its name in the weight store, None for zeros."""

    symbol: str
    name: str | None
    shape: tuple[int, ...]
    dtype: str
    layout: WeightLayout
    bytes: int

    def pack(self, weights: Mapping[str, Any]) -> bytes | memoryview:
        """Contents of the symbol, in place where they lie so. `weights` maps names to arrays.

        Raises:
            LinkError: the weight has no data, or data of another shape.
        """
        if self.name is None:
            return bytes(self.bytes)
        if self.name not in weights:
            raise LinkError(
                f"no data for the weight '{self.name}': expected it in the .safetensors file that "
                "belongs to the module (`softex compile --emit LEVEL -o FILE.mlir` writes both)"
            )
        array = np.asarray(weights[self.name])
        if array.shape != self.shape:
            raise LinkError(
                f"the weight '{self.name}' is {self.shape} in the module, {array.shape} in the data"
            )
        data = np.ascontiguousarray(pack_weight(array, self.layout)).view(np.uint8).data
        if len(data) != self.bytes:
            raise LinkError(
                f"weight @{self.symbol}: expected {self.bytes} bytes, its image has {len(data)}"
            )
        return data


@dataclass(frozen=True)
class CompiledEntry:
    """One of the things a program can do; `name` is None if it is the only one."""

    name: str | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    launches: tuple[LaunchOp, ...]
    predicted_cycles: int


@dataclass(frozen=True)
class CompiledModule:
    """A scheduled module (level L2 and below), taken apart."""

    module: ModuleOp
    machine: Machine
    entries: tuple[CompiledEntry, ...]
    weights: tuple[WeightImage, ...]
    states: tuple[Port, ...]
    source: SourceOp | None

    @property
    def launches(self) -> tuple[LaunchOp, ...]:
        """Those of all entries."""
        return tuple(launch for entry in self.entries for launch in entry.launches)

    @staticmethod
    def of(module: ModuleOp) -> CompiledModule:
        """What a module says.

        Raises:
            LinkError: it holds a tensor that no program can hold.
        """
        objects = tuple(operations(module, GlobalOp))
        schedules = tuple(operations(module, ScheduleOp)) or (ScheduleOp(),)
        if any(s.entry is None for s in schedules) and len(schedules) > 1:
            raise LinkError("of several schedules in a module each is an entry with a name")
        return CompiledModule(
            module,
            machine_of(module),
            tuple(_entry(schedule, objects) for schedule in schedules),
            tuple(weight_image(op) for op in objects if op.kind.data is GlobalKind.WEIGHT),
            tuple(port(op) for op in objects if op.kind.data is GlobalKind.STATE),
            next(iter(operations(module, SourceOp)), None),
        )


def _entry(schedule: ScheduleOp, objects: Iterable[GlobalOp]) -> CompiledEntry:
    by_symbol = {op.sym_name.data: op for op in objects}
    ports = list(by_symbol)
    if schedule.ports is not None:
        ports = [symbol.root_reference.data for symbol in schedule.ports]
        if unknown := [symbol for symbol in ports if symbol not in by_symbol]:
            raise LinkError(f"a schedule's port @{unknown[0]} is no object in L2", schedule)

    def of(kind: GlobalKind) -> tuple[Port, ...]:
        return tuple(port(by_symbol[p]) for p in ports if by_symbol[p].kind.data is kind)

    return CompiledEntry(
        None if schedule.entry is None else schedule.entry.data,
        of(GlobalKind.INPUT),
        of(GlobalKind.OUTPUT),
        schedule.launches,
        0 if schedule.cycles is None else schedule.cycles.value.data,
    )


def operations(module: ModuleOp, kind: type[OperationT]) -> Iterable[OperationT]:
    """The module's top-level operations of a class."""
    return (op for op in module.body.block.ops if isinstance(op, kind))


def port(op: GlobalOp) -> Port:
    """The input or output that an object is."""
    symbol = op.sym_name.data
    return Port(
        symbol if op.tensor is None else op.tensor.data,
        op.tensor_shape,
        _dtype(op),
        _pitch(op),
        None if op.limit is None else op.limit.value.data,
        op.smallest_and_largest,
        symbol,
    )


def weight_image(op: GlobalOp) -> WeightImage:
    """The weight that an object holds."""
    size, dtype = footprint_bytes(op.type), _dtype(op)
    shape, name = op.tensor_shape, None if op.tensor is None else op.tensor.data
    layout = WeightLayout("rows", pitch=_pitch(op))
    if op.tiles is not None:
        rows, columns = shape
        layout = WeightLayout.tiled((rows, columns), *map(int, op.tiles.get_values()))
    expected = layout.elements(shape) * (2 if dtype == "bf16" else 4)
    if expected != size:
        raise LinkError(
            f"weight @{op.sym_name.data}: {shape} in this layout takes {expected} bytes, "
            f"{op.type} has {size}",
            op,
        )
    return WeightImage(op.sym_name.data, name, shape, dtype, layout, size)


def _pitch(op: GlobalOp) -> int:
    return int(op.type.get_shape()[-1]) if op.type.get_shape() else 1


def _dtype(op: GlobalOp) -> str:
    match op.type.element_type:
        case BFloat16Type():
            return "bf16"
        case Float32Type():
            return "f32"
        case IntegerType() as kind if kind.width.data == 32:
            return "i32"
        case kind:
            raise LinkError(
                f"@{op.sym_name.data}: expected elements bf16, f32 or i32, found {kind}", op
            )
