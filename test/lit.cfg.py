"""lit configuration: IR tests run softex-opt of this Python and compare with filecheck."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import lit.formats  # pyright: ignore[reportMissingTypeStubs]

config: Any = globals()["config"]
bin_directory = Path(sys.executable).parent

config.name = "softex-mlir"
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = str(Path(tempfile.gettempdir()) / f"softex-mlir-lit-{os.getuid()}")
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "golden_ir", "mlir", "linear_algebra.mlir"]  # read by pytest
config.environment["PATH"] = os.pathsep.join([str(bin_directory), os.environ["PATH"]])
# Modules, not console scripts: the tests then need no installed entry points.
config.substitutions += [
    (r"\bsoftex-opt\b", f"{sys.executable} -m softex_mlir.tools.softex_opt"),
    (r"\bsoftex\b(?![-_.])", f"{sys.executable} -m softex_mlir.tools.softex"),
    (r"%python", sys.executable),
]
