"""What fusion makes of the demo models, whole: too long for a lit file, read as a diff.

`pytest test/models/test_golden_ir.py --update-golden` writes the files again; look at the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.isa_sim.machine import Machine

GOLDEN = Path(__file__).with_name("golden_ir")


@pytest.mark.parametrize("name", ["demo-vit", "demo-bert", "demo-gpt2"])
def test_fused_form(name: str, request: pytest.FixtureRequest):
    text = Compilation.of(BUILTIN[name](), Machine.load()).emit("transformer")
    assert isinstance(text, str)
    path = GOLDEN / f"{name}.mlir"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), "if that is meant: --update-golden, and read the diff"
