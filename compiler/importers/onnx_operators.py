"""How each ONNX operator on activations is translated. Operators on constants are evaluated."""

from softex_mlir.compiler.importers import onnx_elementwise, onnx_movement, onnx_products
from softex_mlir.compiler.importers.onnx_registry import OPERATORS

__all__ = ["OPERATORS", "onnx_elementwise", "onnx_movement", "onnx_products"]
