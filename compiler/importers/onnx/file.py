"""Reading ONNX files: the protobuf message, its external data, its validity."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import onnx
from onnx.inliner import inline_local_functions

from softex_mlir.compiler.importers.onnx.values import OnnxError

_ONNX: Any = onnx  # its type stubs are partial


def load(path: str | Path) -> Any:
    """Read an ONNX file, with its external data and its local functions inlined.

    Raises:
        OnnxError: the file or its external data cannot be read, or is no valid model.
    """
    file = str(path)
    try:
        proto: Any = _ONNX.load(file, load_external_data=False)
    except OSError as error:
        raise OnnxError(file, error.strerror or str(error)) from error
    except Exception as error:
        # protobuf's DecodeError has no stable home; anything else here means the same to a user.
        raise OnnxError(file, "not an ONNX model, or the file is truncated") from error
    if not proto.graph.node and not proto.graph.output:
        raise OnnxError(file, "not an ONNX model, or the file is truncated (it has no graph)")
    problems = [
        problem
        for tensor in proto.graph.initializer
        if (problem := _external_problem(tensor, Path(file).parent)) is not None
    ]
    if problems:
        raise OnnxError(file, "\n  ".join(["its weights cannot be read:", *problems]))
    try:
        onnx.load_external_data_for_model(proto, str(Path(file).parent))
    except Exception as error:
        raise OnnxError(file, f"its external data cannot be read: {error}") from error
    if proto.functions:
        proto = inline_local_functions(proto)
    _check(file, proto)
    return proto


def _external_problem(tensor: Any, folder: Path) -> str | None:
    """Why the data of an initializer outside the model file cannot be read; None if it can."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    if location.is_absolute() or ".." in location.parts:
        return f"'{tensor.name}' lies in '{location}', outside the model's folder: refused"
    path = folder / location
    if not path.is_file():
        return f"'{tensor.name}' lies in '{location}', which is not beside the model"
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError:
        return f"'{tensor.name}' has an external offset or length that is no number"
    size = path.stat().st_size
    if start < 0 or length < 0 or start + length > size:
        return (
            f"'{tensor.name}' lies at bytes {start}..{start + length} of '{location}', "
            f"which has {size}: truncated?"
        )
    return None


def _check(file: str, proto: Any) -> None:
    """Let ONNX's checker look at the graph, behind what it does not look at."""
    known = set(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}
    for tensor in proto.graph.initializer:
        if tensor.data_type not in known:
            kind = f"element type {tensor.data_type} is none of ONNX's"
            raise OnnxError(file, f"initializer '{tensor.name}': {kind}")
    if proto.ByteSize() >= 1 << 30:
        return
    context = onnx.checker.C.CheckerContext()
    context.ir_version = proto.ir_version
    context.opset_imports = {o.domain: o.version for o in proto.opset_import}
    try:
        _ONNX.checker.check_graph(proto.graph, context)
    except onnx.checker.ValidationError as error:
        # Unknown operators are reported all at once later; shapes are not needed here.
        harmless = ("No Op registered", "No opset import", "Field 'shape'")
        if not any(text in str(error) for text in harmless):
            first = str(error).strip().splitlines()[0]
            raise OnnxError(file, f"not a valid ONNX model: {first}") from error
    except UnicodeDecodeError as error:
        # The checker's message quotes a name that is no text.
        raise OnnxError(file, "not a valid ONNX model: a name in it is not UTF-8") from error
