"""Reading ONNX files: the protobuf message, its external data, its validity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.inliner import inline_local_functions

from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.files import read_bytes

_ONNX: Any = onnx  # its type stubs are partial
_LARGEST_VERSION = (1 << 31) - 1
_KNOWN = set(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}


def load(path: str | Path) -> Any:
    """Read an ONNX file, its local functions inlined; data outside it stays there, checked.

    Raises:
        OnnxError: the file or its external data cannot be read, or is no valid model.
    """
    file = str(path)
    folder = Path(file).parent
    proto = _read(file)
    if proto.functions:
        proto = inline_local_functions(proto)
    problems = [
        problem
        for tensor in (*_initializers(proto.graph), *_attributes(proto.graph))
        if (problem := _external_problem(tensor, folder)) is not None
    ]
    if problems:
        raise OnnxError(file, "\n  ".join(["its weights cannot be read:", *problems]))
    for tensor in _attributes(proto.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(_data(file, tensor, folder), tensor.name))
    _check(file, proto)
    return proto


def load_with_data(path: str | Path) -> Any:
    """Read an ONNX file as `load` does, and all external data into it.

    Raises:
        OnnxError: the file or its external data cannot be read, or is no valid model.
    """
    file = str(path)
    proto = load(path)
    try:
        onnx.load_external_data_for_model(proto, str(Path(file).parent))
    except Exception as error:
        raise OnnxError(file, f"its external data cannot be read: {error}") from error
    return proto


def data(tensor: Any, folder: Path) -> NDArray[Any]:
    """The data of a tensor; what lies in a file of its own is mapped into memory, not read.

    Raises:
        ValueError: it is not as many elements as its shape says.
    """
    mapped = tensor.data_location == onnx.TensorProto.EXTERNAL and math.prod(tensor.dims)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if not mapped or dtype.isbuiltin != 1:
        return numpy_helper.to_array(tensor, base_dir=str(folder))
    entries = {entry.key: entry.value for entry in tensor.external_data}
    start = int(entries.get("offset", 0))
    path = folder / entries["location"]
    return np.memmap(path, dtype.newbyteorder("<"), "r", start, tuple(tensor.dims))


def _data(file: str, tensor: Any, folder: Path) -> NDArray[Any]:
    try:
        return data(tensor, folder)
    except Exception as error:
        raise OnnxError(file, f"its external data cannot be read: {error}") from error


def _read(file: str) -> Any:
    try:
        by_suffix = _ONNX.serialization.registry.get_format_from_file_extension(Path(file).suffix)
        proto: Any = _ONNX.load_model_from_string(read_bytes(Path(file)), by_suffix or "protobuf")
    except OSError as error:
        raise OnnxError(file, error.strerror or str(error)) from error
    except Exception as error:
        # protobuf's DecodeError has no stable home; anything else here means the same to a user.
        raise OnnxError(file, "not an ONNX model, or the file is truncated") from error
    if not proto.graph.node and not proto.graph.output:
        raise OnnxError(file, "not an ONNX model, or the file is truncated (it has no graph)")
    return proto


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _graphs(inner)


def _initializers(graph: Any) -> Iterator[Any]:
    for part in _graphs(graph):
        yield from part.initializer


def _attributes(graph: Any) -> Iterator[Any]:
    """Tensors that are attributes of nodes."""
    for part in _graphs(graph):
        for node in part.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t


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
    if tensor.data_type in _KNOWN and min(tensor.dims, default=0) >= 0:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        # elements of less than a byte share bytes: ONNX's own reader counts these
        length = max(length, math.prod(tensor.dims) * dtype.itemsize * (dtype.isbuiltin == 1))
    if start < 0 or length < 0 or start + length > size:
        return (
            f"'{tensor.name}' lies at bytes {start}..{start + length} of '{location}', "
            f"which has {size}: truncated?"
        )
    return None


def _check(file: str, proto: Any) -> None:
    """Let ONNX's checker look at the graph, behind what it does not look at."""
    for tensor in proto.graph.initializer:
        if tensor.data_type not in _KNOWN:
            kind = f"element type {tensor.data_type} is none of ONNX's"
            raise OnnxError(file, f"initializer '{tensor.name}': {kind}")
    if proto.ByteSize() >= 1 << 30:
        return
    context = onnx.checker.C.CheckerContext()
    context.ir_version = proto.ir_version
    versions = {o.domain: o.version for o in proto.opset_import}
    for domain, version in versions.items():
        if not 0 < version <= _LARGEST_VERSION:
            raise OnnxError(file, f"opset version {version} of '{domain}' is none")
    context.opset_imports = versions
    try:
        _ONNX.checker.check_graph(_without_files(proto.graph), context)
    except onnx.checker.ValidationError as error:
        # Unknown operators are reported all at once later; shapes are not needed here.
        harmless = ("No Op registered", "No opset import", "Field 'shape'")
        if not any(text in str(error) for text in harmless):
            first = str(error).strip().splitlines()[0]
            raise OnnxError(file, f"not a valid ONNX model: {first}") from error
    except UnicodeDecodeError as error:
        # The checker's message quotes a name that is no text.
        raise OnnxError(file, "not a valid ONNX model: a name in it is not UTF-8") from error


def _without_files(graph: Any) -> Any:
    """A graph as its checker takes it: weights in files of their own, for which it looks in the
    current folder, are inputs."""
    outside = [t for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if not outside:
        return graph
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    del copy.initializer[:]
    given = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            copy.initializer.add().CopyFrom(tensor)
        elif tensor.name not in given:
            kind = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            copy.input.append(kind)
    return copy
