"""Decoders from ONNX files: read, fused entry by entry, and joined to one model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import SSAValue
from xdsl.passes import PassPipeline
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from softex_mlir.abi import ENCODE
from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.entries import join_entries
from softex_mlir.compiler.importers.onnx.decoder import import_decoder
from softex_mlir.compiler.importers.onnx.encoder import (
    MASK,
    SCOPE,
    EncoderFiles,
    declare,
    has_encoder,
    import_encoder,
    is_from_encoder,
)
from softex_mlir.compiler.importers.onnx.file import load
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.origin import onnx_origin
from softex_mlir.compiler.pipeline import FUSION
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError

_SIZES = ("max_length", "batch", "tokens")
_NAME = re.compile(r"(?:encoder|decoder(?:_with_past)?)_model(?:_merged)?(?P<kind>.*)")
"""File names of Optimum, without their ending; kinds are `_fp16` and such."""


@dataclass(frozen=True)
class DecoderFiles:
    """The files of a decoder: the one with a past, and those of the encoder it attends to."""

    decoder: Path
    encoder: EncoderFiles | None

    @staticmethod
    def of(path: Path) -> DecoderFiles:
        """The files that belong to a file, or that lie in a folder, by the names Optimum gives.

        Raises:
            UserError: there are none, or one is missing.
        """
        folder, kind = (path, "") if path.is_dir() else (path.parent, "")
        if not path.is_dir() and (named := _NAME.fullmatch(path.stem)) is not None:
            kind = named["kind"]
        elif not path.is_dir():
            return DecoderFiles(path, None)
        merged, past, first, encoder = (
            folder / f"{name}{kind}.onnx"
            for name in (
                *("decoder_model_merged", "decoder_with_past_model"),
                *("decoder_model", "encoder_model"),
            )
        )
        decoders = [*([path] if path in (merged, past) else []), merged, past]
        if path.is_dir():
            decoders += [folder / "model.onnx", folder / "onnx" / "model.onnx"]
        decoder = next((file for file in decoders if file.is_file()), None)
        if decoder is None:
            found = ", ".join(sorted(p.name for p in folder.glob("*.onnx"))) or "no .onnx file"
            raise UserError(
                f"{folder}: expected a decoder with a past ({merged.name}, {past.name} or "
                f"model.onnx), found {found}"
            )
        if not has_encoder(load(decoder).graph):
            return DecoderFiles(decoder, None)
        made = merged if decoder == merged else first
        missing = [file.name for file in (encoder, made) if not file.is_file()]
        if missing:
            raise UserError(
                f"{decoder}: attends to what an encoder makes: expected {' and '.join(missing)} "
                "beside it, found none: keep the files that Optimum writes in one folder"
            )
        return DecoderFiles(decoder, EncoderFiles(encoder, made))


def read_decoder(
    path: Path,
    sizes: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Model:
    """A decoder with a cache as a fused model with the entries `prefill` and `decode`; of one that
    attends to an encoder's output, `encode` before them.

    Scales and orders of columns go into weights, so each entry is fused with weights of its own;
    those that are equal afterwards are the same.

    Args:
        path: the decoder's file, or the folder with the files that Optimum writes.
        sizes: `max_length`, and maybe `batch`, and `tokens` of the encoder.
        shapes: sizes of other dimensions that the file leaves open.

    Raises:
        UserError: a file cannot be read, or is no decoder with a cache.
    """
    unknown = [name for name in sizes if name not in _SIZES]
    if unknown or "max_length" not in sizes:
        raise UserError(
            f"{path}: expected max_length, batch and an encoder's tokens as sizes of a decoder in "
            f"a file, found {', '.join(sizes)}; open dimensions of other models are given with "
            "--shape and --dim"
        )
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{path}: {name} must be positive, found {size}")
    files = DecoderFiles.of(path)
    batch, source = sizes.get("batch", 1), None
    models: dict[str, Model] = {}
    if files.encoder is not None:
        past = [v.name for v in load(files.decoder).graph.input if is_from_encoder(v.name)]
        past = [name for name in past if name.startswith("past_key_values.")]
        models[ENCODE], source = import_encoder(
            files.encoder, past, batch=batch, tokens=sizes.get("tokens", 128)
        )
    elif "tokens" in sizes:
        raise UserError(f"{path}: has no encoder, expected no --tokens, found {sizes['tokens']}")
    models |= import_decoder(
        files.decoder, sizes["max_length"], batch=batch, shapes=shapes or {}, source=source
    )
    for model in models.values():
        context = CompilationContext(weights=model.weights, model_name=model.name)
        try:
            PassPipeline(FUSION).apply(context, model.module)
        except PassFailedException as error:
            raise UserError(f"{files.decoder}: {error}") from error
    if ENCODE in models:
        encode = models.pop(ENCODE)
        _connect(files, encode, list(models.values()))
        models = {ENCODE: encode, **models}
    found = join_entries(models, path.stem, str(path))
    chosen = {name: (value,) for name, value in sizes.items()}
    onnx_origin(files.decoder, {**(shapes or {}), **chosen}).mark(found.module)
    return found


def read_chosen(path: Path, chosen: Mapping[str, tuple[int, ...]]) -> Model:
    """The decoder again, of the sizes and shapes that its origin says."""
    sizes = {name: chosen[name][0] for name in _SIZES if name in chosen}
    shapes = {name: shape for name, shape in chosen.items() if name not in sizes}
    return read_decoder(path, sizes, shapes)


def _connect(files: DecoderFiles, encode: Model, others: list[Model]) -> None:
    """Leave in `encode` what the other entries recall, and nothing else."""
    for index, port in enumerate(encode.inputs):
        if port.name.startswith(SCOPE):
            if not encode.main.body.block.args[index].uses.get_length():
                continue
            raise OnnxError(
                str(files.decoder),
                f"expected what the encoder leaves to depend on it alone, found {port.name} read",
            )
    _drop_inputs(encode, [p.name for p in encode.inputs if p.name.startswith(SCOPE)])
    for model in others:
        if any(port.name == MASK for port in model.inputs):
            _recall_mask(files, encode, model)
    recalled = {
        op.state.string_value()
        for model in others
        for op in model.main.walk()
        if isinstance(op, t.RecallOp)
    }
    for op in [op for op in encode.main.walk() if isinstance(op, t.KeepOp)]:
        if op.state.string_value() not in recalled:
            Rewriter.erase_op(op)
    for op in [op for op in encode.module.ops if isinstance(op, t.StateOp)]:
        if op.sym_name.data not in recalled:
            Rewriter.erase_op(op)


def _recall_mask(files: DecoderFiles, encode: Model, model: Model) -> None:
    """Compute the biases of a mask of the encoder's tokens in `encode`, and keep them."""
    argument = _argument(model, MASK)
    assert argument is not None
    given = _argument(encode, "attention_mask")
    for use in list(argument.uses):
        op = use.operation
        if not isinstance(op, t.MaskToBiasOp) or op.base is not None or given is None:
            raise OnnxError(
                str(files.decoder),
                f"expected '{MASK}' to hide the encoder's tokens that its input attention_mask "
                f"hides, and no more, found it read by {op.name}",
            )
        columns, inverted = t.shape_of(op.result)[1], op.inverted is not None
        state = t.StateOp(f"{MASK}.{columns}{'.inverted' * inverted}", op.result.type)
        name = state.sym_name.data
        if not _has_state(encode, name):
            returned = encode.main.body.block.last_op
            assert returned is not None
            bias = t.MaskToBiasOp(given, columns, inverted=inverted)
            Rewriter.insert_op([bias, t.KeepOp(bias, state)], InsertPoint.before(returned))
            declare(encode, [state.clone()])
        if not _has_state(model, name):
            declare(model, [state])
        Rewriter.replace_op(op, t.RecallOp(state))
    _drop_inputs(model, [MASK])


def _has_state(model: Model, name: str) -> bool:
    return any(isinstance(o, t.StateOp) and o.sym_name.data == name for o in model.module.ops)


def _argument(model: Model, name: str) -> SSAValue | None:
    names = [port.name for port in model.inputs]
    return model.main.body.block.args[names.index(name)] if name in names else None


def _drop_inputs(model: Model, names: list[str]) -> None:
    """Take inputs away that nothing reads."""
    main, block = model.main, model.main.body.block
    ports = model.inputs
    assert main.arg_attrs is not None
    for index in reversed(range(len(ports))):
        if ports[index].name in names:
            block.erase_arg(block.args[index])
    kept = [a for p, a in zip(ports, main.arg_attrs.data, strict=True) if p.name not in names]
    main.arg_attrs = ArrayAttr(kept)
    main.update_function_type()
