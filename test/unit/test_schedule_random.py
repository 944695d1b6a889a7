"""Random graphs of products, copies and row-wise operations on small memories: every schedule holds
what `verify_launches` asks for, some are executed, and faults put into a schedule are found."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.compiler.schedule.kernels.kernel import DEPEND
from softex_mlir.compiler.schedule.launches import launch_tasks
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.compiler.schedule.scheduler import schedule_operations
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.schedule.timeline import Launch
from softex_mlir.compiler.schedule.verify import ScheduleError, verify_launches
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

PAPER = Machine.load("paper")
CASES = int(os.environ.get("FUZZ_CASES", "0")) // 100 or 60


def extend(draw: st.DrawFn, b: ModelBuilder, values: list[SSAValue], name: str) -> None:
    """One more value, if the drawn operation fits the drawn operand."""
    x = draw(st.sampled_from(values))
    columns = t.shape_of(x)[1]
    kind = draw(st.sampled_from(("linear", "gelu", "matmul", "transpose", "norm", "add")))
    if kind in ("linear", "gelu"):
        width = draw(st.sampled_from((32, 64, 96, 160)))
        values.append(b.linear(x, width, name, activation="gelu" if kind == "gelu" else "none"))
    elif kind == "matmul":
        others = [y for y in values if t.shape_of(y)[1] == columns]
        y = b.add(t.TransposeOp(draw(st.sampled_from(others)), [1, 0]))
        values.append(b.add(t.MatmulOp(x, y)))
    elif kind == "transpose":
        values.append(b.add(t.TransposeOp(x, [1, 0])))
    elif kind == "norm":
        values.append(b.layer_norm(x, name))
    else:
        values.append(b.add(t.AddOp(x, x)))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A graph of up to six operations; everything is an output."""
    shape = draw(st.integers(1, 100)), draw(st.sampled_from((24, 32, 64, 96, 128)))
    b = ModelBuilder("random", [Port("x", shape, "float32")])
    values = b.arguments
    for index in range(draw(st.integers(2, 6))):
        b.layer = f"layer{index}"
        extend(draw, b, values, f"layer{index}")
    return b.finish({f"out{i}": value for i, value in enumerate(values[1:])})


def scheduled(model: Model, machine: Machine) -> ModuleOp | None:
    """The scheduled module; None if the TCDM is too small."""
    fuse(model, machine)
    try:
        return schedule_module(model.module, machine)
    except CapacityError:
        return None


@settings(max_examples=CASES, deadline=None)
@given(models(), st.sampled_from((10, 12, 16, 20, 24, 32, 48, 256)))
def test_random_schedules_hold(model: Model, kib: int) -> None:
    scheduled(model, PAPER.with_tcdm_bytes(kib * 1024))


def test_a_copy_between_products_may_take_the_ring_of_x() -> None:
    """It is staged over chunks of X that the next product was to find there."""
    b = ModelBuilder("ring", [Port("x", (48, 96), "float32")])
    (x,) = b.arguments
    y = b.linear(x, 96, "first")
    b.layer = "second"
    z = b.add(t.MatmulOp(x, b.add(t.TransposeOp(y, [1, 0]))))
    model = b.finish({"y": y, "z": z})
    for kib in (48, 52):
        program = Compilation.of(model, PAPER.with_tcdm_bytes(kib * 1024)).program()
        assert check(program, session.run(program), {}).identical


def test_products_of_one_matrix_that_need_each_other_are_launched_once() -> None:
    b = ModelBuilder("chain", [Port("x", (81, 96), "float32")])
    (x,) = b.arguments
    b.layer = "chain"
    found = [b.linear(x, 96, "w")]
    for _ in range(2):
        found.append(b.add(t.MatmulOp(x, b.add(t.TransposeOp(found[-1], [1, 0])))))
        found[-1] = b.linear(found[-1], 96, f"w{len(found)}")
    program = Compilation.of(b.finish({"y": found[-1]}), PAPER).program()
    assert check(program, session.run(program), {}).identical


def test_a_long_chain_before_a_product_is_no_recursion() -> None:
    b = ModelBuilder("long", [Port("x", (1, 32), "float32")])
    (x,) = b.arguments
    b.layer = "long"
    for _ in range(1500):
        x = b.add(t.ReluOp(x))
    assert scheduled(b.finish({"y": b.linear(x, 32, "w")}), PAPER) is not None


def launches(machine: Machine = PAPER) -> list[Launch]:
    b = ModelBuilder("faults", [Port("x", (100, 128), "float32")])
    (x,) = b.arguments
    x = b.linear(b.layer_norm(x, "norm"), 256, "up", activation="gelu")
    x = b.linear(x, 128, "down", residual=b.arguments[0])
    model = b.finish({"y": b.layer_norm(x, "last")})
    fuse(model, machine)
    timeline = launch_tasks(schedule_operations(model.main, machine, {}).tasks)
    verify_launches(timeline.launches)
    return timeline.launches


def fails(changed: list[Launch]) -> bool:
    try:
        verify_launches(changed)
    except ScheduleError:
        return True
    return False


def test_a_launch_left_out_or_made_twice_or_too_early_is_found() -> None:
    found = launches()
    assert fails([found[-1], *found[:-1]])
    for position, launch in enumerate(found):
        assert fails([*found[:position], *found[position + 1 :]]), launch.kernel.title
        assert fails([*found[: position + 1], *found[position:]]), launch.kernel.title


@pytest.mark.parametrize("kib", [32, 256])
def test_waits_that_come_too_early_are_found(kib: int) -> None:
    """The largest value waited for so far is one that something needs."""
    found = launches(PAPER.with_tcdm_bytes(kib * 1024))
    waited: dict[str, int] = {}
    tried = 0
    for position, launch in enumerate(found):
        for name, value in launch.waits.items():
            stream = name.split("_", 1)[1]
            if value > waited.get(stream, 0):
                waited[stream] = value
                early = replace(launch, waits={**launch.waits, name: value - 1})
                changed = [*found[:position], early, *found[position + 1 :]]
                others = [v for n, v in launch.waits.items() if n.endswith(stream) and n != name]
                if name == DEPEND or not any(v >= value for v in others):
                    tried += 1
                    assert fails(changed), (launch.kernel.title, name, value)
    assert tried >= 4
