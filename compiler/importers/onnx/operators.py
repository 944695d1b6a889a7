"""How each ONNX operator on activations is translated. Operators on constants are evaluated."""

from softex_mlir.compiler.importers.onnx import arrangement as onnx_arrangement
from softex_mlir.compiler.importers.onnx import casts as onnx_casts
from softex_mlir.compiler.importers.onnx import composed as onnx_composed
from softex_mlir.compiler.importers.onnx import contrib as onnx_contrib
from softex_mlir.compiler.importers.onnx import contrib_products as onnx_contrib_products
from softex_mlir.compiler.importers.onnx import einsum as onnx_einsum
from softex_mlir.compiler.importers.onnx import elementwise as onnx_elementwise
from softex_mlir.compiler.importers.onnx import general as onnx_general
from softex_mlir.compiler.importers.onnx import grouped_query as onnx_grouped_query
from softex_mlir.compiler.importers.onnx import logic as onnx_logic
from softex_mlir.compiler.importers.onnx import lookup as onnx_lookup
from softex_mlir.compiler.importers.onnx import movement as onnx_movement
from softex_mlir.compiler.importers.onnx import products as onnx_products
from softex_mlir.compiler.importers.onnx import recurrent as onnx_recurrent
from softex_mlir.compiler.importers.onnx import resize as onnx_resize
from softex_mlir.compiler.importers.onnx import sampling as onnx_sampling
from softex_mlir.compiler.importers.onnx import scatter as onnx_scatter
from softex_mlir.compiler.importers.onnx import selection as onnx_selection
from softex_mlir.compiler.importers.onnx import windows as onnx_windows
from softex_mlir.compiler.importers.onnx.registry import OPERATORS

__all__ = [
    "OPERATORS",
    "onnx_arrangement",
    "onnx_casts",
    "onnx_composed",
    "onnx_contrib",
    "onnx_contrib_products",
    "onnx_einsum",
    "onnx_elementwise",
    "onnx_general",
    "onnx_grouped_query",
    "onnx_logic",
    "onnx_lookup",
    "onnx_movement",
    "onnx_products",
    "onnx_recurrent",
    "onnx_resize",
    "onnx_sampling",
    "onnx_scatter",
    "onnx_selection",
    "onnx_windows",
]
