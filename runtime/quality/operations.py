"""Every value that a program computes on its way, against the evaluator and against FP32.

Temporaries share memory in a program, so few of them are left at its end. The model inside the
program is scheduled once more without that: the same kernels, each value in a place of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation

from softex_mlir.abi import MAIN
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.layer_names import launch_layer, name_layers
from softex_mlir.compiler.model import Model, entry_functions, main_function
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.compiler.schedule.scheduler import schedule_entries
from softex_mlir.compiler.schedule.views import View
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.cluster import GlobalKind, GlobalKindAttr, GlobalOp
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.cluster import Cluster
from softex_mlir.runtime import session
from softex_mlir.runtime.dtypes import DTYPES
from softex_mlir.runtime.embedded import embedded_model
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.quality.metrics import cosine_of
from softex_mlir.runtime.quality.tolerances import (
    ULP_BINS,
    scale_of,
    tolerance_of,
    ulp_histogram,
)
from softex_mlir.runtime.reference import EvaluationError, evaluate, evaluate_wide

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OperationCheck:
    """One operation's value.

    Attributes:
        operation: its name, `layer` the layer's title, `unit` what ran there.
        different: elements whose bits are not the evaluator's.
        first: index of the first of them, bits expected and found; None if there is none.
        cosine, max_error, mean_error: against FP32 arithmetic on the program's weights.
        ulps: elements by their distance from FP32 arithmetic on the operation's own operands
            (`tolerances.ULP_BINS`); empty where nobody computes that.
        beyond: elements farther from that than the operation's `tolerance` says.
        first_beyond: index of the first of them, what is expected, what is allowed, what is found.
    """

    operation: str
    layer: str
    unit: str
    elements: int
    different: int
    first: tuple[tuple[int, ...], int, int] | None
    cosine: float
    max_error: float
    mean_error: float
    ulps: tuple[int, ...] = ()
    beyond: int = 0
    first_beyond: tuple[tuple[int, ...], float, float, float] | None = None
    tolerance: str = ""

    def __str__(self) -> str:
        where = f"{self.layer} ({self.operation} on {self.unit})"
        text = (
            f"{where}: {self.elements} elements, cosine {self.cosine:.6f}, max error "
            f"{self.max_error:.3g}, mean error {self.mean_error:.3g}"
        )
        text += self._tolerated()
        if self.first is None:
            return f"{text}, bit-identical"
        index, expected, found = self.first
        return (
            f"{text}, {self.different} differ: first at {list(index)}, expected "
            f"0x{expected:04x}, found 0x{found:04x}"
        )

    def _tolerated(self) -> str:
        """How far the operation itself is from FP32."""
        if not self.ulps:
            return ""
        names = [*map(str, ULP_BINS[:3]), *(f"to {most}" for most in ULP_BINS[3:]), "more"]
        shares = ", ".join(
            f"{name}: {count / self.elements:.1%}"
            for name, count in zip(names, self.ulps, strict=True)
            if count
        )
        if self.first_beyond is None:
            return f", ulps {shares}"
        index, expected, allowed, found = self.first_beyond
        return (
            f", ulps {shares}, {self.beyond} beyond the tolerance ({self.tolerance}): first at "
            f"{list(index)}, expected {expected:.4g} within {allowed:.2g}, found {found:.4g}"
        )


def check_operations(
    program: Program, inputs: Mapping[str, Array], saved: dict[str, Array] | None = None
) -> tuple[OperationCheck, ...]:
    """Compare every value of a program's model that lies in L2, in the order of the operations.

    Args:
        inputs: by name, as `Result.inputs` has them.
        saved: gets every value by number, layer and operation, and FP32's behind it.

    Raises:
        UserError: the program carries no transformer-level IR, or has several entries and is not
            about to run one of them (`Program.at`). What they keep between runs is empty then.
    """
    module, weights = embedded_model(program)
    entries = entry_functions(module)
    if len(entries) > 1 and program.entry_name is None:
        raise UserError(
            f"the program has entries {', '.join(entries)}: expected one whose operations to check"
        )
    for name, function in entries.items():
        if program.entry_name is not None and name != program.entry_name:
            function.detach()
        else:
            function.properties["sym_name"] = StringAttr(MAIN)
    machine = program.machine
    exact: dict[Operation, Array] = {}
    wide: dict[Operation, Array] = {}
    own: dict[Operation, tuple[Array, float]] = {}

    def watch(op: Operation, operands: list[Array]) -> None:
        with suppress(EvaluationError):
            own[op] = evaluate_wide(op, operands), scale_of(op, operands)

    evaluate(
        *(module, weights, inputs),
        machine=machine,
        observe=exact.__setitem__,
        watch=watch,
        state={},
    )
    evaluate(*(module, weights, inputs), arithmetic="float32", observe=wide.__setitem__, state={})
    views = schedule_entries({MAIN: main_function(module)}, machine, {})[0].values
    jobs = schedule_module(module, machine)
    for op in jobs.ops:
        if isinstance(op, GlobalOp) and op.kind.data is GlobalKind.TEMPORARY:
            op.kind = GlobalKindAttr(GlobalKind.ACTIVATION)
    apart = Compilation.of(
        Model(jobs, WeightStore(weights), str(program.metadata["model"]))
    ).program()
    cluster = session.load(apart, machine)
    for port in apart.inputs:
        session.write_port(cluster, port, inputs[port.name])
    cluster.run()
    addresses = {
        buffer["name"]: buffer["address"]
        for buffer in apart.metadata["buffers"]
        if buffer["space"] == "l2"
    }
    titles = name_layers(module)

    def found() -> Iterator[OperationCheck]:
        for op, expected in exact.items():
            view = views.get(op.results[0])
            if view is None or isinstance(op, t.GetWeightOp):
                continue
            array = _read(cluster, addresses[view.region.symbol], view)
            name = launch_layer(op)
            title = titles[name].title if name in titles else name
            if saved is not None:
                key = f"{len(saved) // 2:03d} {title} {op.name.partition('.')[2]}"
                saved[key] = array.astype(np.float32) if array.dtype.kind == "V" else array
                saved[f"{key} (FP32)"] = wide[op]
            yield _tolerated(op, _compared(op, title, array, expected, wide[op]), array, own)

    return tuple(found())


def _read(cluster: Cluster, address: int, view: View) -> Array:
    region, dtype = view.region, DTYPES[view.dtype]
    data = np.frombuffer(cluster.read_memory(address, region.bytes), dtype)
    strides = [stride * dtype.itemsize for stride in view.strides]
    return as_strided(data[view.offset :], view.shape, strides).copy()


def _tolerated(
    op: Operation, check: OperationCheck, array: Array, own: Mapping[Operation, tuple[Array, float]]
) -> OperationCheck:
    """A check with what the operation does to its own operands."""
    if op not in own or array.dtype.itemsize != 2:
        return check
    wanted, scale = own[op]
    tolerance = tolerance_of(op)
    values = array.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs(values - wanted)
        allowed = tolerance.allowed(wanted.astype(np.float64), scale)
        same = (values == wanted) | (np.isnan(values) & np.isnan(wanted))
        beyond = np.argwhere(~(same | (off <= allowed)))
    first = None
    if len(beyond):
        index = tuple(int(i) for i in beyond[0])
        first = (index, float(wanted[index]), float(allowed[index]), float(values[index]))
    return replace(
        check,
        ulps=ulp_histogram(array, wanted),
        beyond=len(beyond),
        first_beyond=first,
        tolerance=tolerance.evidence,
    )


def _compared(
    op: Operation, title: str, array: Array, expected: Array, wide: Array
) -> OperationCheck:
    bits = np.dtype(f"u{array.dtype.itemsize}")
    a, b = array.view(bits), np.ascontiguousarray(expected.astype(array.dtype)).view(bits)
    wrong = np.argwhere(a != b)
    first = None
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        first = (index, int(b[index]), int(a[index]))
    x, y = array.astype(np.float64), wide.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error: npt.NDArray[np.float64] = np.abs(x - y)
    unit = op.unit.data if isinstance(op, t.TransformerOp) and op.unit is not None else "cores"
    return OperationCheck(
        op.name.partition(".")[2],
        title,
        unit,
        array.size,
        len(wrong),
        first,
        cosine_of(x, y),
        float(error.max(initial=0.0)),
        float(error.mean()) if error.size else 0.0,
    )
