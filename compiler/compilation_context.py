"""What passes know besides IR: the data of the module's weights, and the model's name."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context

from softex_mlir.compiler.weights import WeightStore


@dataclass
class CompilationContext(Context):
    """xDSL's context with the data of the weights of the module that is compiled in it."""

    weights: WeightStore = field(default_factory=WeightStore)
    model_name: str = ""

    def clone(self) -> CompilationContext:
        """A copy whose weights can change on their own."""
        names = (
            "_loaded_dialects",
            "_loaded_ops",
            "_loaded_attrs",
            "_loaded_types",
            "_registered_dialects",
        )
        copies = {name: getattr(self, name).copy() for name in names}
        return CompilationContext(
            allow_unregistered=self.allow_unregistered,
            weights=self.weights.copy(),
            model_name=self.model_name,
            **copies,
        )


def model_name_of(context: Context) -> str:
    """Name of the model that is compiled; empty if nobody said."""
    return context.model_name if isinstance(context, CompilationContext) else ""


def weights_of(context: Context) -> WeightStore:
    """The data of the weights, which passes read and extend.

    Raises:
        TypeError: the context is not one for compilations, so nobody said which data there is.
    """
    if not isinstance(context, CompilationContext):
        raise TypeError("passes on weights need a CompilationContext, which holds their data")
    return context.weights
