"""Register names and addresses, and that removing writes changes no job.

Random structured programs of register writes are executed on a model of the banked registers,
before and after the passes: every job and transfer must see the same registers.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample
from xdsl.context import Context
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, i1, i32
from xdsl.dialects.test import TestOp
from xdsl.ir import Block, Region, SSAValue

from softex_mlir.compiler.transforms.registers.elide_redundant_register_writes import elide
from softex_mlir.compiler.transforms.registers.hoist_register_writes import HoistRegisterWritesPass
from softex_mlir.dialects.cluster import StreamAttr
from softex_mlir.dialects.hwpe import (
    DMA,
    EVENT_UNIT,
    TIMELINE,
    ReadOp,
    WaitOp,
    WriteOp,
    register_address,
    registers,
    units,
)
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.registry import control_ports


@pytest.mark.parametrize(
    ("unit", "register", "address"),
    [
        ("redmule", "SOFT_CLEAR", 0x10201014),
        ("redmule", "MACFG", 0x10201054),
        ("softex", "B_ADDR", 0x1020123C),
        (DMA, "NEXT_ID_1", 0x10204448),
        (EVENT_UNIT, "EVENT_WAIT_CLEAR", 0x1020403C),
        (EVENT_UNIT, "SW_EVENT_3", 0x1020410C),
        (EVENT_UNIT, "BARRIER_1_TRIGGER_WAIT_CLEAR", 0x1020423C),
        (TIMELINE, "COMPUTE", 0x1000000C),
    ],
)
def test_addresses(unit: str, register: str, address: int) -> None:
    assert register_address(unit, register, Machine.load()) == address


def test_no_two_registers_share_an_address() -> None:
    machine = Machine.load()
    places = [register_address(u, r, machine) for u in units() for r in registers(u)]
    assert len(places) == len(set(places))


# A program is a list of: ("write", unit, register, value), ("start", unit), ("clear", value),
# ("for", trips, body), ("if", decision, body).
JOB_UNITS = {"softex": ("TOT_LEN", "IN_ADDR"), "redmule": ("MCFG0", "MCFG1")}
TRANSFER_REGISTERS = ("LENGTH", "REPS_2")

REGISTERS = {**JOB_UNITS, DMA: TRANSFER_REGISTERS}


def jobs_of(unit: str) -> st.SearchStrategy[Any]:
    """A job of a unit: a write or two, a start; RedMulE may be cleared."""
    write = st.tuples(
        st.just("write"), st.just(unit), st.sampled_from(REGISTERS[unit]), st.integers(0, 1)
    )
    clear = st.tuples(st.just("clear"), st.integers(0, 1))
    start = st.tuples(st.just("start"), st.just(unit))
    pieces = [write, st.tuples(write, start)]
    if unit == "redmule":
        pieces += [clear, st.tuples(clear, write, start)]
    return st.one_of(*pieces)


def statements(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.lists(inner, min_size=1, max_size=5)
    return st.one_of(
        st.tuples(st.just("for"), st.integers(0, 3), body),
        st.tuples(st.just("if"), st.booleans(), body),
    )


def flat(program: Any) -> list[Any]:
    """Take groups of statements apart."""
    result: list[Any] = []
    for statement in program:
        match statement:
            case (str() as kind, count, list() as body):
                result.append((kind, count, flat(body)))
            case (str(), *_):
                result.append(statement)
            case _:
                result += statement
    return result


programs = (
    st.sampled_from(list(REGISTERS))
    .flatmap(
        lambda unit: st.lists(
            st.recursive(jobs_of(unit), statements, max_leaves=8), min_size=3, max_size=10
        )
    )
    .map(flat)
)


class Maker:
    """Builds the function of a program; branches are decided by values of the entry."""

    def __init__(self) -> None:
        self.entry = Block()
        self.decisions: dict[SSAValue, bool] = {}

    def constant(self, block: Block, value: int, type_: Any = i32) -> SSAValue:
        op = arith.ConstantOp(IntegerAttr(value, type_))
        block.add_op(op)
        return op.result

    def fill(self, block: Block, program: Any) -> None:
        for statement in program:
            match statement:
                case ("write", unit, register, value):
                    block.add_op(WriteOp(unit, register, self.constant(block, value)))
                case ("start", unit) if unit == DMA:
                    block.add_op(ReadOp(DMA, "NEXT_ID_0"))
                case ("start", unit):
                    block.add_op(WriteOp(unit, "TRIGGER", self.constant(block, 0)))
                    if unit == "redmule":
                        block.add_op(self.wait_until_idle())
                case ("clear", value):
                    clear = self.constant(block, value)
                    block.add_op(WriteOp("redmule", "SOFT_CLEAR", clear))
                case ("for", trips, body):
                    start, end, step = (self.constant(block, n, IndexType()) for n in (0, trips, 1))
                    inner = Block(arg_types=(IndexType(),))
                    self.fill(inner, body)
                    inner.add_op(scf.YieldOp())
                    block.add_op(scf.ForOp(start, end, step, (), inner))
                case ("if", decision, body):
                    source = TestOp(result_types=(i1,))
                    block.add_op(source)
                    self.decisions[source.results[0]] = decision
                    inner = Block()
                    self.fill(inner, body)
                    inner.add_op(scf.YieldOp())
                    block.add_op(scf.IfOp(source.results[0], (), Region(inner)))
                case _:
                    raise AssertionError(statement)

    def wait_until_idle(self) -> scf.WhileOp:
        before, after = Block(), Block()
        status = ReadOp("redmule", "STATUS")
        busy = arith.CmpiOp(status.value, self.constant(before, 0), "ne")
        before.add_ops((status, busy, scf.ConditionOp(busy)))
        after.add_ops((WaitOp(), scf.YieldOp()))
        return scf.WhileOp((), (), Region(before), Region(after))

    def function(self, program: Any) -> func.FuncOp:
        self.fill(self.entry, program)
        self.entry.add_op(func.ReturnOp())
        function = func.FuncOp("f", ((), ()), Region(self.entry))
        function.attributes["cluster.stream"] = StreamAttr.of("redmule")
        return function


class Model:
    """Executes a function; registers start with contents that nobody writes."""

    def __init__(self, decisions: dict[SSAValue, bool]):
        self.decisions = decisions
        self.banks: dict[str, list[dict[str, Any]]] = {
            u: [dict.fromkeys(names, f"{u}.{b}") for b in (0, 1)] for u, names in JOB_UNITS.items()
        }
        self.next = dict.fromkeys(JOB_UNITS, 0)
        self.descriptor: dict[str, Any] = dict.fromkeys(TRANSFER_REGISTERS, "dma")
        self.seen: list[Any] = []

    def number(self, value: SSAValue) -> int:
        op = value.owner
        assert isinstance(op, arith.ConstantOp)
        assert isinstance(op.value, IntegerAttr)
        return op.value.value.data

    def run(self, block: Block) -> None:
        for op in block.ops:
            if isinstance(op, WriteOp):
                self.write(*op.name_in_unit, self.number(op.value))
            elif isinstance(op, ReadOp) and op.name_in_unit == (DMA, "NEXT_ID_0"):
                self.seen.append(("dma", dict(self.descriptor)))
            elif isinstance(op, scf.ForOp):
                for _ in range(self.number(op.ub)):
                    self.run(op.body.block)
            elif isinstance(op, scf.IfOp) and self.decisions[op.cond]:
                self.run(op.true_region.block)

    def write(self, unit: str, register: str, value: int) -> None:
        if unit == DMA:
            self.descriptor[register] = value
        elif register == "TRIGGER":
            self.seen.append((unit, dict(self.banks[unit][self.next[unit]])))
            self.next[unit] ^= 1
        elif register == "SOFT_CLEAR":
            self.next[unit] = 0
            if value == 0:
                self.banks[unit] = [dict.fromkeys(JOB_UNITS[unit], "wiped") for _ in (0, 1)]
        else:
            self.banks[unit][self.next[unit]][register] = value


def jobs(function: func.FuncOp, decisions: dict[SSAValue, bool]) -> list[Any]:
    model = Model(decisions)
    model.run(function.body.block)
    return model.seen


@sample(200)
@given(programs)
def test_elision_changes_no_job(program: Any) -> None:
    maker = Maker()
    function = maker.function(program)
    before = jobs(function, maker.decisions)
    elide(function, control_ports(Machine.load()))
    assert jobs(function, maker.decisions) == before


redmule_job = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)).map(
    lambda values: [
        ("clear", 0),
        ("write", "redmule", "MCFG0", values[0]),
        ("write", "redmule", "MCFG1", values[1]),
        ("write", DMA, "LENGTH", values[2]),
        ("start", DMA),
        ("start", "redmule"),
    ]
)
job_loops = st.lists(
    st.tuples(
        st.just("for"),
        st.integers(0, 4),
        st.lists(redmule_job, min_size=1, max_size=2).map(
            lambda jobs: [statement for job in jobs for statement in job]
        ),
    ),
    min_size=1,
    max_size=3,
)


@sample(100)
@given(job_loops)
def test_hoisting_changes_no_job(program: Any) -> None:
    maker = Maker()
    module = ModuleOp([maker.function(program)])
    function = next(iter(module.body.block.ops))
    assert isinstance(function, func.FuncOp)
    before = jobs(function, maker.decisions)
    HoistRegisterWritesPass().apply(Context(), module)
    assert registers_set(jobs(function, maker.decisions)) == registers_set(before)
    elide(function, control_ports(Machine.load()))
    assert registers_set(jobs(function, maker.decisions)) == registers_set(before)


def registers_set(seen: list[Any]) -> list[Any]:
    """The registers that programs write: the others may be wiped or kept."""
    return [(unit, {r: v for r, v in values.items() if r != "REPS_2"}) for unit, values in seen]
