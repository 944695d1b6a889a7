"""Exports of real architectures: right in two sizes of TCDM, and close to torch's float32.

`record_families.py` says what they are and writes them.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from sampling import matrix

from softex_mlir.front_door import compile_and_check
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.quality.metrics import compare

FOLDER = Path(__file__).parent / "families"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))


@matrix("name, kib", list(product(NAMES, (64, 256))), 4)
def test_family(name: str, kib: int) -> None:
    machine = Machine.load("paper").with_tcdm_bytes(kib << 10)
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    expected = arrays.pop("out_0")
    compilation, line = compile_and_check(FOLDER / f"{name}.onnx", machine)
    assert "warning" not in line
    program = compilation.program()
    taken = {port.name for port in compilation.model.inputs}
    inputs = {key: array for key, array in arrays.items() if key in taken}
    result = session.run(program, inputs)
    assert check(program, result, inputs).identical
    assert compare(np.asarray(result.outputs["out_0"]), expected).cosine >= 0.995


def test_there_are_families() -> None:
    assert len(NAMES) == 19
