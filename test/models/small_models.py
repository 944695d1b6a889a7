"""Models small enough to be simulated many times, one of each kind of kernel or more."""

from __future__ import annotations

from collections.abc import Callable

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import BUILTIN, single_operation
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.text import bert, mobilebert
from softex_mlir.compiler.models.vit import vit
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program

KIB = 1024

MODELS: dict[str, Callable[[], Model]] = {
    "demo-vit": BUILTIN["demo-vit"],
    "demo-bert": BUILTIN["demo-bert"],
    "demo-gpt2": BUILTIN["demo-gpt2"],
    "vit-192": lambda: vit(image=64, hidden=192, layers=1, heads=3, classes=10),
    "vit-96-batch-2": lambda: vit(image=64, hidden=96, layers=1, heads=3, classes=10, batch=2),
    "mobilebert": lambda: mobilebert(
        "small", tokens=40, hidden=96, bottleneck=32, layers=1, heads=1, feedforwards=2,
        vocabulary=64, batch=2, masked=True,
    ),
    "long": lambda: bert(
        "long", tokens=320, hidden=64, layers=1, heads=2, vocabulary=100, masked=True
    ),
    "llama": lambda: llama(
        "small", tokens=40, hidden=96, layers=1, heads=2, mlp=96, vocabulary=64, batch=2
    ),
    "gelu": lambda: single_operation("gelu", 64, 256),
    "softmax": lambda: single_operation("softmax", 45, 48),
    "layer_norm": lambda: single_operation("layer_norm", 45, 96),
}  # fmt: skip

CASES: list[tuple[str, int, str]] = [
    *((name, 256, "") for name in MODELS),
    ("demo-vit", 48, ""),
    ("vit-192", 48, ""),
    ("demo-bert", 32, ""),
    ("long", 64, ""),
    ("gelu", 20, ""),
    ("demo-vit", 256, "without_softex"),
    ("demo-bert", 256, "without_softex"),
    ("demo-gpt2", 256, "without_redmule"),
]
"""Model, KiB of TCDM, and what the machine is without."""


def compiled(name: str, kib: int, without: str) -> Program:
    """The program of one of the cases."""
    machine = Machine.load().with_tcdm_bytes(kib * KIB)
    if without:
        machine = getattr(machine, without)()
    return Compilation.of(MODELS[name](), machine).program()
