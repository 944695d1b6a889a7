"""softex-mlir: compile transformers for a SoftEx/RedMulE cluster and run them, bit for bit.

The two entry points most users need::

    import softex_mlir

    program = softex_mlir.compile("model.onnx")
    result = program.run({"pixel_values": image})
    print(result.cycles, result.energy_joules, result.outputs["logits"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softex_mlir.front_door import compile
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.quality.front import quality
    from softex_mlir.runtime.session import Result

__version__ = "0.1.0"
__all__ = ["Program", "Result", "__version__", "compile", "quality"]


def __getattr__(name: str) -> object:
    # Importing xDSL, numba or onnx costs seconds; who only asks for the version pays nothing.
    if name == "compile":
        from softex_mlir.front_door import compile

        return compile
    if name == "quality":
        from softex_mlir.runtime.quality.front import quality

        return quality
    if name == "Program":
        from softex_mlir.runtime.program import Program

        return Program
    if name == "Result":
        from softex_mlir.runtime.session import Result

        return Result
    raise AttributeError(f"module 'softex_mlir' has no attribute {name!r}")
