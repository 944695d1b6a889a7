"""The share of real exports that compile, and whether they are right.

    python test/models/export_families.py FOLDER [NAME ...] [--variants v1,v2]

exports small models with random weights of transformers' classes by both of torch's exporters at
several opsets, with dynamic axes, and through onnxsim and ONNX Runtime's optimizer where those are
installed; compiles every file and compares the bit-exact evaluation with what torch computes in
float32. Needs the extra `torch`. Files stay in FOLDER and are not exported again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from exported_family import SMALL, Family
from exported_images import IMAGES
from exported_inputs import INPUTS
from exported_signals import SIGNALS
from exported_text import DECODERS, ENCODERS, PAIRS

FAMILIES = {**ENCODERS, **DECODERS, **PAIRS, **IMAGES, **SIGNALS}


def _made(family: Family, sizes: dict[str, Any], torch: Any, transformers: Any) -> Any:
    torch.manual_seed(7)
    made: Any = transformers
    for part in family.model.split("."):
        made = getattr(made, part)
    kind = getattr(transformers, family.config)
    default = kind()
    fixed = {k for k in sizes if isinstance(getattr(kind, k, None), property)}
    # other names of what the family gives itself
    fixed |= {k for k, v in kind.attribute_map.items() if v in family.values}
    small = {k: v for k, v in sizes.items() if hasattr(default, k) and k not in fixed}
    config = kind(**{**small, **family.values})
    model = _with_attention(made, config).eval()
    for weight in model.parameters():
        if weight.dim() > 1 and weight.std() < 0.06:
            torch.nn.init.normal_(weight, std=0.15)
    return model


def _with_attention(made: Any, config: Any) -> Any:
    """The model with the attention people export, or the plain one where a part has no other."""
    with contextlib.suppress(Exception):
        config._attn_implementation = "sdpa" if made._supports_sdpa else "eager"
    try:
        return made(config)
    except ValueError:
        config._attn_implementation = "eager"
        return made(config)


def _pooled(kind: str, hidden: Any, mask: Any, torch: Any) -> Any:
    """As sentence-transformers' modules write it."""
    if not kind:
        return hidden
    expanded = mask.unsqueeze(-1).expand(hidden.size()).float()
    if kind == "mean":
        total = torch.sum(hidden * expanded, 1)
        found = total / torch.clamp(expanded.sum(1), min=1e-9)
    elif kind == "max":
        found = torch.max(hidden.masked_fill(expanded == 0, -1e9), 1)[0]
    else:
        last = mask.sum(1) - 1
        found = hidden[torch.arange(hidden.shape[0]), last]
    return torch.nn.functional.normalize(found, p=2, dim=1)


def _module(
    family: Family, sizes: dict[str, Any], given: dict[str, Any], torch: Any, transformers: Any
) -> Any:
    model = _made(family, sizes, torch, transformers)
    parameters = set(import_module("inspect").signature(model.forward).parameters)
    extra = {"use_cache": False} if "use_cache" in parameters else {}
    pool = family.pool

    class Positional(torch.nn.Module):  # pyright: ignore
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            named = dict(zip(given, tensors, strict=True))
            found = self.model(**named, **extra, return_dict=True)
            first = next(v for v in found.values() if isinstance(v, torch.Tensor))
            return _pooled(pool, first, named.get("attention_mask"), torch)

    return Positional().eval()


@dataclass(frozen=True)
class Variant:
    """A way to a file: exporter and opset, then what is done to it."""

    name: str
    dynamo: bool
    opset: int
    dynamic: bool = False
    after: str = ""


VARIANTS = [
    Variant("script14", False, 14),
    Variant("script17", False, 17),
    Variant("script20", False, 20),
    Variant("script17_dynamic", False, 17, dynamic=True),
    Variant("dynamo18", True, 18),
    Variant("dynamo20", True, 20),
    Variant("dynamo23", True, 23),
    Variant("script17_sim", False, 17, after="onnxsim"),
    Variant("script17_ort", False, 17, after="onnxruntime"),
]


def export(
    path: Path, family: Family, variant: Variant, sizes: dict[str, Any] | None = None
) -> None:
    """Write a file and, beside it, inputs and what torch makes of them, at `sizes` or `SMALL`."""
    torch, transformers = import_module("torch"), import_module("transformers")
    torch.manual_seed(3)
    given = INPUTS[family.inputs](torch)
    module = _module(family, sizes or SMALL, given, torch, transformers)
    axes = {
        name: {i: f"{name}_{i}" for i in range(min(2, value.dim()))}
        for name, value in given.items()
        if variant.dynamic
    }
    with torch.no_grad():
        out = module(*given.values())
        torch.onnx.export(
            module,
            tuple(given.values()),
            str(path),
            input_names=list(given),
            output_names=["out_0"],
            opset_version=variant.opset,
            dynamo=variant.dynamo,
            external_data=False,
            verbose=False,
            **({"dynamic_axes": axes} if axes else {}),
        )
    arrays = {name: tensor.numpy() for name, tensor in given.items()}
    np.savez_compressed(path.with_suffix(".npz"), **arrays, out_0=out.numpy())


def _simplify(source: Path, path: Path) -> None:
    onnx, onnxsim = import_module("onnx"), import_module("onnxsim")
    simplified, _ = onnxsim.simplify(onnx.load(source))
    onnx.save(simplified, path)


def _optimize(source: Path, path: Path) -> None:
    optimizer = import_module("onnxruntime.transformers.optimizer")
    optimizer.optimize_model(str(source), "bert", num_heads=2, hidden_size=32).save_model_to_file(
        str(path)
    )


AFTER: dict[str, Callable[[Path, Path], None]] = {"onnxsim": _simplify, "onnxruntime": _optimize}


def exported(folder: Path, name: str, variant: Variant) -> Path:
    """The file of a variant, made if it is not there."""
    path = folder / f"{name}.{variant.name}.onnx"
    if path.exists():
        return path
    if variant.after:
        plain = next(v for v in VARIANTS if v.name == variant.name.split("_")[0])
        source = exported(folder, name, plain)
        AFTER[variant.after](source, path)
        path.with_suffix(".npz").write_bytes(source.with_suffix(".npz").read_bytes())
    else:
        export(path, FAMILIES[name], variant)
    return path


CLOSE = 0.98
"""Cosine of what is computed in BF16 and in float32: small random models are far from robust."""


@dataclass(frozen=True)
class Verdict:
    """What came of a file: `right`, `wrong`, `refused`, `crashed`, `not exported`, or `not valid`.

    A file that ONNX Runtime, where it is installed, does not load either is not valid. Where it
    computes something else than torch, what it computes is right: the exporter is at fault.
    """

    kind: str
    detail: str = ""


def verdict(path: Path, *, quick: bool = False) -> Verdict:
    """Compile a file and compare; `quick` leaves out the program and the bit-exact evaluation."""
    from softex_mlir.compiler.driver import Compilation, load_model
    from softex_mlir.errors import UserError
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.quality.metrics import compare
    from softex_mlir.runtime.reference import evaluate

    with np.load(path.with_suffix(".npz")) as file:
        arrays = {key: file[key] for key in file.files}
    expected = arrays.pop("out_0")
    try:
        shapes = {key: array.shape for key, array in arrays.items()}
        source = load_model(path, _taken(path, shapes))
        compilation = Compilation.of(source, Machine.load("paper"))
        model = compilation.model
        if not quick:
            _ = compilation.program_bytes
        inputs = {port.name: arrays[port.name] for port in model.inputs}
        results = [evaluate(model.module, model.weights, inputs, arithmetic="bf16")]
        if not quick:
            results.append(evaluate(model.module, model.weights, inputs))
    except UserError as error:
        told = _told_by_runtime(path, arrays) if find_spec("onnxruntime") else expected
        return Verdict("not valid" if told is None else "refused", str(error))
    except Exception:
        return Verdict("crashed", traceback.format_exc())
    name = model.outputs[0].name
    close = [compare(np.asarray(r[name], np.float32), expected).cosine for r in results]
    if min(close) < CLOSE and find_spec("onnxruntime"):
        told = _told_by_runtime(path, arrays)
        if told is not None:
            close = [compare(np.asarray(r[name], np.float32), told).cosine for r in results]
    kind = "right" if min(close) >= CLOSE else "wrong"
    return Verdict(kind, "cosine " + ", bit-exact ".join(f"{c:.5f}" for c in close))


def _told_by_runtime(path: Path, arrays: dict[str, Any]) -> Any:
    """What ONNX Runtime computes; None if it does not load the file."""
    runtime = import_module("onnxruntime")
    try:
        session = runtime.InferenceSession(str(path))
        taken = {i.name: arrays[i.name] for i in session.get_inputs()}
        return session.run(None, taken)[0]
    except Exception:
        return None


def _taken(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    onnx = import_module("onnx")
    names = {value.name for value in onnx.load(path).graph.input}
    return {name: shape for name, shape in shapes.items() if name in names}


def verdicts(
    folder: Path, names: list[str], variants: list[Variant], *, quick: bool
) -> Iterator[tuple[str, Variant, Verdict]]:
    """Verdicts of every family in every variant, as they come."""
    for name in names:
        for variant in variants:
            if variant.after and find_spec(variant.after) is None:
                continue
            noise = io.StringIO()
            try:
                with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
                    path = exported(folder, name, variant)
            except Exception as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                yield name, variant, Verdict("not exported", reason[:160])
                continue
            yield name, variant, verdict(path, quick=quick)


def main() -> None:
    """Print a line for every file, then the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--variants", default="")
    parser.add_argument("--quick", action="store_true", help="no programs, no bit-exact evaluation")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    chosen = [v for v in VARIANTS if not options.variants or v.name in options.variants.split(",")]
    counts: Counter[str] = Counter()
    by_variant: dict[str, Counter[str]] = {v.name: Counter() for v in chosen}
    names = options.names or list(FAMILIES)
    for name, variant, found in verdicts(options.folder, names, chosen, quick=options.quick):
        counts[found.kind] += 1
        by_variant[variant.name][found.kind] += 1
        print(f"{name}.{variant.name}: {found.kind}: {found.detail}", flush=True)
    print()
    for name, kinds in by_variant.items():
        print(f"{name}: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    files = sum(n for kind, n in counts.items() if kind != "not exported")
    print(f"{files} files: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
