"""From a model to a checked program: the compiler, then what watches it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from softex_mlir.abi import MAIN
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.pytorch import (
    exported,
    is_exported_program,
    is_torch_module,
    onnx_of,
)
from softex_mlir.compiler.origin import ATTRIBUTE
from softex_mlir.compiler.outputs import ALL_OUTPUTS, OutputChoice
from softex_mlir.errors import UserError

if TYPE_CHECKING:
    from xdsl.passes import PassPipelineCallbackType

    from softex_mlir.compiler.accuracy import Accuracy
    from softex_mlir.compiler.model import Model
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.decoder_check import DecoderCheck
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.self_check import SelfCheck

TorchModule: TypeAlias = Any
"""`torch.nn.Module`: torch is the user's own, and not needed otherwise."""

LOG = logging.getLogger("softex_mlir")


def compile(
    model: Model | str | Path | TorchModule,
    target: Machine | str | None = None,
    *,
    example_inputs: object = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    weights: Path | str | None = None,
    config: Path | str | None = None,
    sizes: Mapping[str, int] | None = None,
    tile_overrides: Path | Mapping[str, Any] | None = None,
    accuracy: str | float | None = None,
    calibrate: Path | str | Mapping[str, Any] | None = None,
    metric: str | None = None,
    keep_outputs: Sequence[str] = (),
    last_token: bool = False,
    self_check: bool | None = None,
) -> Program:
    """Compile a model to a program for a machine, and check what it computes.

    Args:
        model: ONNX file, `.mlir` file of any level, `.pt2` file of `torch.export`, built-in
            model's name, a `Model`, a folder of a decoder's ONNX files (with "max_length"), or a
            `torch.nn.Module`, which is exported in evaluation mode.
        target: a machine, the name of a shipped one, or a TOML file; default: that of a scheduled
            module, else ``paper``.
        example_inputs: tensors that fix a torch module's shapes: one, a tuple, or by name.
        shapes: values for dynamic input shapes, by input name; one size by a dimension's name.
        weights: a safetensors file with Hugging Face's names for an architecture ("bert", "gpt2").
        config: its `config.json`; by default the one beside the weights.
        sizes: "tokens", "batch", "layers" or "max_length" of a built-in model or an architecture;
            "max_length" and "batch" of a decoder with a cache in an ONNX file, and "tokens" of the
            encoder beside it.
        tile_overrides: TOML file or mapping, layer name to tile.
        accuracy: "fast" (the default for models that do not say), "balanced", "high" or "exact"; a
            file that `softex compile --accuracy-report` wrote; or a bound, as 0.9998.
        calibrate: a .npz file or arrays of inputs that a bound is met on; a quarter is held out.
        metric: of the bound, and the output that counts: "cosine" (of all), "logits:max_error".
        keep_outputs: names of the outputs to compute; none: all of them.
        last_token: compute of outputs [batch, tokens, features] the last token alone.
        self_check: compare the imported and the fused model with an independent implementation;
            None does so for models of up to a billion multiply-accumulates. The result is logged.

    Raises:
        UserError: the model cannot be read, does not fit the machine, or fails the self-check.
    """
    outputs = OutputChoice(tuple(keep_outputs), last_token)
    if is_torch_module(model):
        with exported(model, example_inputs) as path:
            compilation, line = compile_and_check(
                path,
                target,
                tile_overrides=tile_overrides,
                accuracy=_dialled(
                    *(lambda: path, accuracy, calibrate, metric, target, None, outputs)
                ),
                outputs=outputs,
                self_check=self_check,
            )
        # the exported file is gone
        compilation.model.module.attributes.pop(ATTRIBUTE, None)
        return _logged(compilation, line)
    if is_exported_program(model):
        model = onnx_of(Path(model))
    named = weights is not None or sizes

    def read() -> Model | str | Path:
        return named_model(model, sizes or {}, weights, config, shapes) if named else model

    compilation, line = compile_and_check(
        read(),
        target,
        shapes=shapes,
        tile_overrides=tile_overrides,
        accuracy=_dialled(read, accuracy, calibrate, metric, target, shapes, outputs),
        outputs=outputs,
        self_check=self_check,
    )
    return _logged(compilation, line)


def _dialled(
    read: Callable[[], Model | str | Path],
    accuracy: str | float | None,
    calibrate: Path | str | Mapping[str, Any] | None,
    metric: str | None,
    target: Machine | str | None,
    shapes: Mapping[str, tuple[int, ...]] | None,
    outputs: OutputChoice,
) -> str | Accuracy | None:
    """What the compiler takes as accuracy: of a bound, what meets it."""
    from softex_mlir.compiler.accuracy import bound_of

    if accuracy is None or calibrate is None or bound_of(f"{accuracy}") is None:
        if calibrate is not None or metric is not None:
            raise UserError(
                "accuracy: calibrate and metric are for a bound: expected one (0.9998) and inputs "
                f"to calibrate with, found {accuracy!r}; how close a level comes: quality()"
            )
        return None if accuracy is None else f"{accuracy}"
    from softex_mlir.runtime.quality.dial import Bound, choose

    bound = Bound.of(float(accuracy), metric)
    found = choose(read, bound, calibrate, machine=target, shapes=shapes, outputs=outputs)
    return found.accuracy


def _logged(compilation: Compilation, line: str) -> Program:
    for note in compilation.model.notes:
        LOG.info(note)
    LOG.log(logging.WARNING if "warning:" in line else logging.INFO, line)
    return compilation.program()


def named_model(
    model: Model | str | Path,
    sizes: Mapping[str, int],
    weights: Path | str | None = None,
    config: Path | str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Model:
    """A built-in model or an architecture, by its name, with sizes and weights of the user's; or a
    decoder with a cache from an ONNX file, for a maximum length.

    Raises:
        UserError: there is none of that name, or what is given does not fit it.
    """
    from softex_mlir.compiler.models import built_in

    if isinstance(model, str | Path) and "max_length" in sizes and is_decoder_file(model):
        if weights is not None:
            raise UserError(f"{model}: has its own weights, expected none beside it")
        from softex_mlir.compiler.decoders import read_decoder

        return read_decoder(Path(model), sizes, shapes)
    if not isinstance(model, str) or Path(model).suffix:
        raise UserError(
            f"{getattr(model, 'name', model)}: weights and sizes are for built-in models; a file "
            "has its own weights, and shapes for its dynamic dimensions (a decoder with a cache "
            "takes max_length)"
        )
    found = None if weights is None else Path(weights)
    return built_in(model, sizes, found, None if config is None else Path(config))


def is_decoder_file(model: str | Path) -> bool:
    """Whether a model's argument names an ONNX file, or a folder of such, and no built-in model."""
    from softex_mlir.compiler.models import BUILTIN, FAMILIES

    path = Path(model)
    return path.suffix == ".onnx" or (path.is_dir() and str(model) not in (*BUILTIN, *FAMILIES))


class Unchecked:
    """Compares nothing, where nobody asked for it: what would is not imported."""

    def observe(self, stage: str, model: Model) -> None:
        """Look away."""

    def finish(self, compilation: Compilation) -> str:
        """Say so."""
        return "self-check: not asked for"


def _watching(
    model: Model | str | Path,
    shapes: Mapping[str, tuple[int, ...]],
    forced: bool | None,
    outputs: OutputChoice,
) -> SelfCheck | DecoderCheck | Unchecked:
    """What compares the model on its way with its source."""
    if forced is False:
        return Unchecked()
    from softex_mlir.compiler.model import Model
    from softex_mlir.compiler.origin import origin_of, read_origin
    from softex_mlir.runtime.decoder_check import DecoderCheck
    from softex_mlir.runtime.self_check import SelfCheck

    if isinstance(model, Model) and model.entry != MAIN:
        origin = read_origin(origin_of(model.module))
        if origin is not None and origin.kind == "onnx":
            return DecoderCheck(Path(origin.path), shapes, forced)
    return SelfCheck(model, shapes, forced, outputs)


def compile_and_check(
    model: Model | str | Path,
    target: Machine | str | None = None,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    tile_overrides: Path | Mapping[str, Any] | None = None,
    accuracy: str | Accuracy | None = None,
    outputs: OutputChoice = ALL_OUTPUTS,
    self_check: bool | None = None,
    observe: Callable[[str, Model], None] | None = None,
    instrument: PassPipelineCallbackType | None = None,
) -> tuple[Compilation, str]:
    """A compilation as `compile` makes it, at all its levels, and what the self-check says."""
    watch = _watching(model, shapes or {}, self_check, outputs)

    def observed(stage: str, seen: Model) -> None:
        watch.observe(stage, seen)
        if observe is not None:
            observe(stage, seen)

    compilation = Compilation.of(
        model,
        target,
        shapes=shapes,
        tile_overrides=tile_overrides,
        accuracy=accuracy,
        outputs=outputs,
        observe=observed,
        instrument=instrument,
    )
    return compilation, watch.finish(compilation)
