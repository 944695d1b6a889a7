"""Compiled models against the reference evaluator, bit for bit, while the TCDM shrinks.

Shrinking the memory until nothing fits is what finds tiling bugs: every size forces other tiles,
other buffering and another overlap of launches.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sampling import matrix
from small_models import KIB, MODELS

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN, single_operation
from softex_mlir.compiler.models.text import mobilebert
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

EXPORTED = Path(__file__).parents[3] / "shared" / "models"
SIZES = (8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
"""KiB of TCDM."""
SMALLEST = dict.fromkeys(MODELS, 8) | {
    **dict.fromkeys(("demo-vit", "demo-bert", "demo-gpt2", "vit-96-batch-2"), 20),
    **dict.fromkeys(("mobilebert", "long"), 24),
    **dict.fromkeys(("llama", "vit-192"), 32),
}
"""KiB below which a model is refused."""


@matrix("name, kib", list(product(MODELS, SIZES)), short=8)
def test_any_memory_same_bits_no_fault_no_race(name: str, kib: int):
    """A memory that is too small is refused by the compiler; a run that meets a fault raises."""
    compilation = Compilation.of(MODELS[name](), Machine.load().with_tcdm_bytes(kib * KIB))
    if kib < SMALLEST[name]:
        with pytest.raises(UserError, match="TCDM"):
            compilation.program()
        return
    program = compilation.program()
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize("masked", [False, True])
def test_bottlenecks_and_norms_that_only_scale(masked: bool):
    sizes = {"tokens": 40, "hidden": 96, "bottleneck": 32, "layers": 1, "heads": 1}
    model = mobilebert("small", feedforwards=2, vocabulary=64, batch=2, masked=masked, **sizes)
    program = Compilation.of(model, Machine.load().with_tcdm_bytes(48 * KIB)).program()
    launches = program.metadata["launches"]
    assert any("residual_mul_add" in launch["kernel"] for launch in launches)
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@matrix(
    "name, kib",
    list(product(["vit_s.dynamo", "distilbert_s.script", "gpt2_s.dynamo"], [256, 48])),
    short=4,
)
def test_exported_models(name: str, kib: int):
    path = EXPORTED / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} is not part of the repository")
    arrays = dict(np.load(EXPORTED / f"{name}.npz"))
    reference = {"out_0": arrays.pop("out_0")}
    program = Compilation.of(path, Machine.load().with_tcdm_bytes(kib * KIB)).program()
    report = check(program, session.run(program, arrays), reference)
    assert report.identical
    quality = report.outputs[0].quality
    assert quality is not None
    assert quality.cosine >= 0.995


@pytest.mark.parametrize("target", ["without_softex", "without_redmule"])
def test_machines_without_a_unit(target: str):
    machine = getattr(Machine.load(), target)()
    program = Compilation.of(BUILTIN["demo-vit"](), machine).program()
    result = session.run(program)
    assert check(program, result, {}).identical
    assert result.profile.units[target.removeprefix("without_")].busy_cycles == 0


@pytest.mark.parametrize(
    "settings",
    [["cluster.l2_bytes=3648Mi"], ["cluster.l2_base=0xF0000000", "cluster.l2_bytes=256Mi"]],
)
def test_l2_up_to_the_end_of_the_addresses(settings: list[str]):
    machine = Machine.load().with_settings(settings)
    program = Compilation.of(MODELS["mobilebert"](), machine).program()
    result = session.run(program, sanitize=True)
    assert check(program, result, {}).identical
    assert result.run.races == ()


@pytest.mark.parametrize(
    ("kind", "rows", "columns", "kib"),
    [("gelu", 1, 64, 256), ("gelu", 45, 96, 256), ("gelu", 64, 256, 20), ("softmax", 45, 48, 256)],
)
def test_blocks_of_rows_on_softex(kind: str, rows: int, columns: int, kib: int):
    machine = Machine.load().with_tcdm_bytes(kib * KIB)
    model = single_operation(kind, rows=rows, columns=columns)
    program = Compilation.of(model, machine).program()
    result = session.run(program, sanitize=True)
    assert check(program, result, {}).identical
    assert not result.run.races


def test_overflow_names_the_operation_and_its_buffers():
    machine = Machine.load().with_tcdm_bytes(12 * KIB)
    with pytest.raises(UserError, match="fits the TCDM") as caught:
        Compilation.of(BUILTIN["demo-vit"](), machine).program()
    message = str(caught.value)
    assert "encoder.layer.0.mlp.fc1" in message
    assert "the smallest tile needs" in message


def test_same_input_same_bytes_and_cycles():
    first, second = (Compilation.of(BUILTIN["demo-vit"]()).program() for _ in range(2))
    assert first.elf == second.elf
    assert session.run(first).cycles == session.run(second).cycles


def test_without_arithmetic_the_same_commands_are_issued():
    program = Compilation.of(BUILTIN["demo-vit"]()).program()
    dry, full = session.run(program, functional=False).run, session.run(program).run
    # Only SoftEx's rescaling depends on the data, and with it some cycles.
    assert len(dry.jobs) == len(full.jobs)
    assert len(dry.transfers) == len(full.transfers)
    assert abs(dry.cycles - full.cycles) < 0.02 * full.cycles
