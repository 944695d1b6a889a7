"""`softex-gui`: xDSL's interactive application with our dialects, passes and models."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from softex_mlir.errors import UserError
from softex_mlir.files import prepare_streams

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model


def application(source: str, pipeline: str = "") -> Any:
    """The application with a model in it: what `softex compile` takes, at its level.

    Raises:
        UserError: the model cannot be read, or the libraries of the extra `gui` are missing.
        ValueError: there is no such pass.
    """
    try:
        from xdsl.interactive import app, get_all_available_passes
    except ImportError as error:
        raise UserError(f"softex-gui needs {error.name}: pip install 'softex-mlir[gui]'") from error
    from xdsl.passes import PassPipeline

    from softex_mlir.compiler.driver import load_model
    from softex_mlir.compiler.transforms import get_all_passes

    model = load_model(source, {})
    known = get_all_passes()
    passes = PassPipeline.parse_spec(known, pipeline).passes

    def context(_dialects: object) -> Any:
        return _context(model)

    # The application makes a context for every run of the pipeline: ours knows the weights.
    for module in (app, get_all_available_passes):
        module.get_new_registered_context = context  # pyright: ignore[reportAttributeAccessIssue]
    every = tuple((name, known[name]()) for name in sorted(known))
    return app.InputApp((), every, source, f"{model.module!s}\n", passes)


def _context(model: Model) -> Any:
    from softex_mlir.compiler.compilation_context import CompilationContext
    from softex_mlir.dialects import register_all_dialects

    context = CompilationContext(weights=model.weights.copy(), model_name=model.name)
    register_all_dialects(context)
    return context


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `softex-gui`: 0 fine, 1 the input is at fault, 2 usage."""
    prepare_streams()
    parser = ArgumentParser("softex-gui", description=__doc__)
    parser.add_argument("model", help="ONNX file, .mlir file of any level, or a built-in model")
    parser.add_argument("-p", "--passes", default="", help="passes to begin with, as of softex-opt")
    given = parser.parse_args(arguments)
    try:
        found = application(given.model, given.passes)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from None
    except Exception as error:
        sys.stderr.write(f"softex-gui: error: {' '.join(str(error).split())}\n")
        raise SystemExit(2) from None
    found.run()
