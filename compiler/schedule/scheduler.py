"""From the fused `transformer` form to tasks: the walk over the operations."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.loop_nest import is_start_value
from softex_mlir.compiler.model import values_of
from softex_mlir.compiler.schedule.fused_form import UnsupportedError, layer_of
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.l2_objects import L2Objects
from softex_mlir.compiler.schedule.operations import schedule_of
from softex_mlir.compiler.schedule.operations.copies import copy
from softex_mlir.compiler.schedule.plan import make_plan
from softex_mlir.compiler.schedule.scheduling import Scheduling
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.schedule.search.tiles import LinearShape, Tile
from softex_mlir.compiler.schedule.tasks import Task
from softex_mlir.compiler.schedule.views import View, row_major
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.cluster import GlobalKind
from softex_mlir.errors import Refusal, UserError
from softex_mlir.isa_sim.machine import Machine, MachineError


@dataclass(frozen=True)
class Scheduled:
    """A program's tasks, and what they work on in L2."""

    tasks: list[Task]
    memory: L2Objects
    tiles: Mapping[LinearShape, Tile]
    inputs: list[Port]
    outputs: list[Port]
    values: Mapping[SSAValue, View]
    """Where in L2 the values of the operations are."""
    entry: str | None = None


def schedule_entries(
    functions: Mapping[str, FuncOp], machine: Machine, overrides: Mapping[str, Mapping[str, int]]
) -> list[Scheduled]:
    """Turn functions into tasks that share weights and state. A weight lies in L2 as the first
    function reads it: the others take their tiles from it.

    Raises:
        UnsupportedError: there are operations that nothing schedules.
        CapacityError: the TCDM is too small; it knows the nearest size that is not.
    """
    try:
        return _entries(functions, machine, overrides)
    except CapacityError as error:
        error.nearest = partial(_nearest_size, functions, machine, overrides)
        raise


SIZES = tuple(step << power for power in range(11, 22) for step in (4, 5, 6, 7))
"""Bytes of TCDM to try, 8 KiB to 14 MiB: four to an octave."""


def _nearest_size(
    functions: Mapping[str, FuncOp], machine: Machine, overrides: Mapping[str, Mapping[str, int]]
) -> int | None:
    """The smallest of `SIZES` above the machine's TCDM that functions fit; None if none does."""
    larger: list[Machine] = []
    for size in SIZES:
        with suppress(MachineError):  # what lies behind the TCDM is in the way of more
            if size > machine.cluster.tcdm_bytes:
                larger.append(machine.with_tcdm_bytes(size))

    def fits(other: Machine) -> bool:
        try:
            _entries(functions, other, overrides)
        except UserError:
            return False
        return True

    first = bisect_left(larger, True, key=fits)
    return larger[first].cluster.tcdm_bytes if first < len(larger) else None


def _entries(
    functions: Mapping[str, FuncOp], machine: Machine, overrides: Mapping[str, Mapping[str, int]]
) -> list[Scheduled]:
    memory = L2Objects(machine, by_columns=_caches_of_keys(functions.values()))
    found: list[Scheduled] = []
    pinned = dict(overrides)
    layers = {name: _product_layers(function) for name, function in functions.items()}
    elsewhere = set[str]().union(*layers.values())
    for name, function in functions.items():
        several = len(functions) > 1
        memory.entry = f"{name}." if several else ""
        # what no function has is left for an error to name
        own = {n: tile for n, tile in pinned.items() if n in layers[name] or n not in elsewhere}
        one = schedule_operations(function, machine, own, memory)
        found.append(replace(one, entry=name) if several else one)
        if several:
            pinned = {**layouts(function, one.tiles), **pinned}
    return found


def _caches_of_keys(functions: Iterable[FuncOp]) -> frozenset[str]:
    """States that attention reads as keys: a row is turned once, when it is stored or kept."""
    return frozenset(
        op.k.owner.state.string_value()
        for function in functions
        for op in function.walk()
        if isinstance(op, tf.AttentionOp)
        and isinstance(op.k.owner, tf.AppendOp | tf.RecallOp)
        and (op.position is not None or isinstance(op.k.owner, tf.RecallOp))
    )


def _product_layers(function: FuncOp) -> set[str]:
    return {layer_of(op) for op in function.walk() if isinstance(op, tf.LinearOp | tf.MatmulOp)}


def layouts(function: FuncOp, tiles: Mapping[LinearShape, Tile]) -> Mapping[str, Mapping[str, int]]:
    """The tiles of weights, by layer, as overrides that keep them."""
    found: dict[str, Mapping[str, int]] = {}
    for op in function.walk():
        if isinstance(op, tf.LinearOp) and isinstance(op.w.owner, tf.GetWeightOp):
            tile = tiles.get(LinearShape.of(op))  # none has a turned product
            if tile is not None:
                found[layer_of(op)] = {"n": tile.n, "k": tile.k}
    return found


def schedule_operations(
    main: FuncOp,
    machine: Machine,
    overrides: Mapping[str, Mapping[str, int]],
    memory: L2Objects | None = None,
) -> Scheduled:
    """Turn all operations of a function into tasks; `overrides` pins tiles by layer.

    Raises:
        UnsupportedError: there are operations that nothing schedules.
        CapacityError: the TCDM is too small.
    """
    block = main.body.block
    _check(block)
    s = Scheduling(make_plan(main, machine, overrides), memory or L2Objects(machine))
    s.memory.name_weights(
        op.weight.root_reference.data for op in block.ops if isinstance(op, tf.GetWeightOp)
    )
    inputs = [_input(main, s, index) for index in range(len(block.args))]
    outputs: list[Port] = []
    causes: list[CapacityError] = []
    for op in block.ops:
        if isinstance(op, ReturnOp):
            outputs += [_output(main, s, op, index) for index in range(len(op.arguments))]
        elif (schedule := schedule_of(op)) is not None:
            try:
                schedule(op, s)
            except CapacityError as error:
                causes.append(error if error.refusals else error.about(layer_of(op), op.name))
                _stand_in(op, s)
            except UserError as error:
                raise error if error.refusals else error.about(layer_of(op), op.name) from None
    if causes:
        raise CapacityError.of(causes, "")
    views = {value: found for value, found in s.values.items() if isinstance(found, View)}
    return Scheduled(s.tasks.program, s.memory, s.plan.tiles, inputs, outputs, views)


def _stand_in(op: Operation, s: Scheduling) -> None:
    """Places for the results of an operation without a kernel: what follows is looked at, too."""
    for result in op.results:
        s.values[result] = s.memory.allocate(tf.shape_of(result), dtype_of(result), "refused")


def _check(block: Block) -> None:
    bad = [op for op in block.ops if not _is_known(op)]
    if bad:
        listed = ", ".join(f"{op.name} (layer '{layer_of(op)}')" for op in bad)
        remedy = "run the fusion passes first, or rewrite the model without them"
        error = UnsupportedError(f"these operations cannot be scheduled: {listed}; {remedy}")
        error.refusals = tuple(
            Refusal(layer_of(op), op.name, "cannot be scheduled", remedy) for op in bad
        )
        raise error


def _is_known(op: Operation) -> bool:
    return isinstance(op, ReturnOp) or is_start_value(op) or schedule_of(op) is not None


def _input(main: FuncOp, s: Scheduling, index: int) -> Port:
    argument = main.body.block.args[index]
    name = _port_name(main, index, True) or f"input_{index}"
    dtype, shape = dtype_of(argument), tf.shape_of(argument)
    region = s.memory.add_input(name, shape, dtype)
    s.values[argument] = row_major(region, shape)
    values = None if main.arg_attrs is None else values_of(main.arg_attrs.data[index].data)
    limit = tf.id_limit(argument)
    return Port(name, shape, dtype, region.pitch, limit, values, region.symbol)


def _output(main: FuncOp, s: Scheduling, op: ReturnOp, index: int) -> Port:
    value = op.arguments[index]
    name = _port_name(main, index, False) or f"output_{index}"
    view, shape = s.view(value), tf.shape_of(value)
    whole = replace(view, zero_padded=True) == row_major(view.region, shape)
    # not an input, a weight, or an output already
    own = view.region.kind in (GlobalKind.ACTIVATION, GlobalKind.TEMPORARY)
    if not (own and whole):
        view = copy(s, op, view, shape)
    s.memory.make_output(view.region, name)
    return Port(name, shape, view.dtype, view.region.pitch, symbol=view.region.symbol)


def _port_name(main: FuncOp, index: int, is_input: bool) -> str | None:
    attributes = main.arg_attrs if is_input else main.res_attrs
    if attributes is None:
        return None
    name = attributes.data[index].data.get("transformer.name")
    return getattr(name, "data", None)
