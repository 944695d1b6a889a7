"""`softex_mlir.quality`: metrics, many inputs, references, resuming, layers, baselines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import softex_mlir
from softex_mlir.abi import Port
from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.quality import metrics, operations
from softex_mlir.runtime.quality.front import quality
from softex_mlir.runtime.quality.operations import check_operations
from softex_mlir.runtime.quality.source import reference_of
from softex_mlir.runtime.quality.study import Study
from softex_mlir.runtime.quality.subject import subject_of
from softex_mlir.runtime.quality.tolerances import scale_of, tolerance_of
from softex_mlir.runtime.reference import arithmetic_of, evaluate
from softex_mlir.tools.forms import Form
from softex_mlir.tools.quality_command import print_quality

SIZES = {"layers": 1}


def images(count: int) -> dict[str, Any]:
    values = np.random.default_rng(0).standard_normal((count, 3, 32, 32))
    return {"pixel_values": values.astype(np.float32)}


def demo() -> Any:
    return models.built_in("demo-vit", SIZES)


def cosine(report: Any) -> float:
    return report.outputs[0].figures["hardware"]["cosine"].mean


def test_metrics():
    wanted = np.array([[3.0, 2, 1, 0], [0, 1, 2, 3]])
    found = np.array([[3.0, 1, 2, 0], [3, 1, 2, 0]])
    assert metrics.compare(found, wanted).top1_agreement == 0.5
    assert metrics.top_agreement(found, wanted, 2) == 0.5
    assert metrics.divergence(wanted, wanted) == pytest.approx(0)
    p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (wanted, found))
    assert metrics.divergence(found, wanted) == pytest.approx(np.mean((p * np.log(p / q)).sum(1)))
    even = np.zeros((1, 3, 8))
    assert np.exp(metrics.surprise(even, np.zeros((1, 3), int))) == pytest.approx(8)
    assert metrics.rank_correlation(
        np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3])
    ) == pytest.approx(0.8)


def test_figures_are_those_of_the_evaluator():
    report = softex_mlir.quality(demo(), images(3), workers=1)
    model = Compilation.of(demo()).model
    cosines: list[float] = []
    for image in images(3)["pixel_values"]:
        one = {"pixel_values": image[None]}
        exact = evaluate(model.module, model.weights, one)["logits"]
        wanted = evaluate(model.module, model.weights, one, arithmetic="float32")["logits"]
        cosines.append(metrics.compare(exact, wanted).cosine)
    found = report.outputs[0].figures["hardware"]["cosine"]
    # the last bits of float32 sums are those of the host's BLAS and of the shapes it is given
    assert found.mean == pytest.approx(1 - np.mean(cosines), rel=1e-3)
    assert found.low <= found.mean <= found.high <= found.worst
    assert found.worst_input == np.argmin(cosines)
    assert report.outputs[0].figures["bf16"]["cosine"].mean < found.mean


def test_references(tmp_path: Path):
    own = quality(demo(), images(2), workers=1)
    model = Compilation.of(demo()).model
    wanted = [
        evaluate(model.module, model.weights, {"pixel_values": x[None]}, arithmetic="float32")
        for x in images(2)["pixel_values"]
    ]
    outputs: dict[str, Any] = {"out_0": np.stack([one["logits"] for one in wanted])}
    beside = quality(demo(), images(2) | outputs, workers=1)
    assert cosine(beside) == pytest.approx(cosine(own), rel=1e-3)
    np.savez(tmp_path / "set.npz", **images(2))
    np.savez(tmp_path / "ref.npz", **outputs)
    files = quality(demo(), tmp_path / "set.npz", reference=tmp_path / "ref.npz", workers=1)
    assert files.outputs == beside.outputs
    with pytest.raises(UserError, match="expected 3 outputs for 3 inputs, found 2 of logits"):
        quality(demo(), images(3), reference=outputs)


def test_programs_are_measured_like_their_models(tmp_path: Path):
    path = tmp_path / "m.elf"
    Compilation.of(demo()).program().save(path)
    from_program = quality(path, images(2), workers=1)
    assert from_program.outputs == quality(demo(), images(2), workers=1).outputs
    with pytest.raises(UserError, match="is compiled"):
        quality(path, images(1), accuracy="balanced")


def test_programs_find_their_source(tmp_path: Path):
    """The source's own weights while it is there unchanged, else the program's, and it says so."""
    source = tmp_path / "mlp.onnx"
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4, 64])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4, 32])
    w = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "mlp",
        [x],
        [y],
        [numpy_helper.from_array(w, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), source)
    path = tmp_path / "m.elf"
    Compilation.of(source).program().save(path)
    given: dict[str, Any] = {"x": np.random.default_rng(1).standard_normal((4, 64))}
    reference = reference_of(Program.load(path))
    assert reference.title == "FP32 (mlp.onnx)"
    np.testing.assert_allclose(reference.outputs(0, given)["y"], given["x"] @ w, atol=1e-5)
    source.write_bytes(source.read_bytes() + b"\0")
    reference = reference_of(Program.load(path))
    assert reference.title.startswith("FP32 arithmetic on BF16 weights")
    rounded = w.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_allclose(reference.outputs(0, given)["y"], given["x"] @ rounded, atol=1e-5)
    built_in = Compilation.of("demo-vit").program()
    assert reference_of(built_in).title == "FP32 (demo-vit)"


@pytest.mark.parametrize("mean", [0.0, 0.06, 0.12, 0.5])
def test_layer_norms_without_offset_are_within_their_tolerance(mean: float):
    b = ModelBuilder("norm", [Port("x", (64, 384), "float32")])
    model = b.finish({"y": b.layer_norm(b.arguments[0], "norm")})
    (op,) = (op for op in model.module.walk() if isinstance(op, t.LayerNormOp))
    rows = np.random.default_rng(0).standard_normal((64, 384)) + mean
    x, one, none = (a.astype(ml_dtypes.bfloat16) for a in (rows, np.ones(384), np.zeros(384)))
    wide, scale, offset = (a.astype(np.float32) for a in (x, one, none))
    wanted = arithmetic_of("float32").layer_norm(wide, scale, offset, 1e-6)
    found = arithmetic_of("exact").layer_norm(x, one, none, 1e-6).astype(np.float32)
    allowed = tolerance_of(op).allowed(wanted, scale_of(op, [x, one, none]))
    assert (np.abs(found - wanted) <= allowed).all()


@pytest.mark.parametrize("name", ["demo-vit", "demo-bert"])
def test_operations_are_checked_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch):
    program = Compilation.of(models.built_in(name, SIZES)).program()
    inputs = session.random_inputs(program, 0)
    checks = check_operations(program, inputs)
    assert {"linear", "attention", "layer_norm"} <= {check.operation for check in checks}
    assert not any(check.different for check in checks)
    assert all(check.cosine > 0.99 for check in checks)
    # random inputs: what is declared holds
    assert not any(check.beyond for check in checks)
    assert all(sum(check.ulps) == check.elements for check in checks if check.ulps)
    assert any(check.ulps[1] for check in checks if check.operation == "linear")
    read = operations._read  # pyright: ignore[reportPrivateUsage]

    def wrong(*place: Any) -> Any:
        array = read(*place)
        array.view(np.uint16).reshape(-1)[5] ^= 1
        array.view(np.uint16).reshape(-1)[6] ^= 0x0400
        return array

    monkeypatch.setattr(operations, "_read", wrong)
    saved: dict[str, Any] = {}
    last = check_operations(program, inputs, saved)[-1]
    assert len(saved) == 2 * len(checks)
    assert last.different == 2
    assert last.beyond == 1
    assert last.first_beyond is not None
    assert last.first_beyond[0][-1] == 6
    assert last.first is not None
    assert last.first[0][-1] == 5
    assert last.first[1] ^ last.first[2] == 1
    assert "1 beyond the tolerance (" in str(last)
    assert "2 differ: first at" in str(last)


def test_languages():
    model = models.built_in("demo-gpt2", SIZES)
    report = quality(model, logits=["logits"], workers=1)
    output = report.outputs[0]
    assert output.together["fp32"]["perplexity"] > 1
    assert output.figures["hardware"]["divergence"].mean >= 0
    with pytest.raises(UserError, match="logits: expected outputs logits, found 'y'"):
        quality(model, logits=["y"])


def test_interrupted_studies_go_on(tmp_path: Path):
    subject = subject_of(demo())
    given = [{"pixel_values": x[None]} for x in images(3)["pixel_values"]]
    state = tmp_path / "state"
    whole = Study(subject, given).run(workers=1, state=state)
    lines = state.read_text().splitlines()
    state.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])
    seen: list[int] = []
    again = Study(subject, given).run(
        workers=1, state=state, progress=lambda done, _: seen.append(done)
    )
    assert again == whole
    assert seen == [2, 3]
    state.write_text('{"key": "of another model"}\n')
    assert Study(subject, given[:1]).run(workers=1, state=state) == whole[:1]


def test_layers_and_sweeps():
    report = quality(demo(), images(2), layers="kinds", sweeps=["sums=0,32", "values=0"], workers=1)
    *rows, every = report.layers
    rows = {row["layer"]: row for row in rows}
    assert {"MLP 1", "MLP 2", "Q, K, V", "attention"} <= set(rows)
    total = report.outputs[0].figures["hardware"]["cosine"].mean
    assert all(0 <= row["alone"] < 2 * total for row in rows.values())
    # against FP32 arithmetic, where the report's total is against the source
    assert every["alone"] == pytest.approx(total, rel=0.1)
    assert every["without"] < 1e-9
    whole, split, values = report.sweeps
    assert values["logits"] == whole["logits"]
    assert whole["logits"]["cosine"]["mean"] == total
    assert split["logits"]["cosine"]["mean"] < total
    with pytest.raises(UserError, match="expected KEY=VALUE,VALUE"):
        quality(demo(), sweeps=["chunks"])


def test_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stored = tmp_path / "report.json"
    options: dict[str, Any] = {"bound": 0.0, "form": Form.json, "workers": 1}
    np.savez(tmp_path / "set.npz", **images(2))
    inputs = tmp_path / "set.npz"
    print_quality(demo(), inputs, baseline=None, report=stored, **options)
    assert not list(tmp_path.glob("*.part"))
    print_quality(demo(), inputs, baseline=stored, report=None, **options)
    data = json.loads(stored.read_text())
    cosine = data["outputs"]["logits"]["hardware"]["cosine"]
    cosine.update(mean=cosine["mean"] / 2, high=cosine["mean"] / 2)
    stored.write_text(json.dumps(data))
    with pytest.raises(SystemExit) as exited:
        print_quality(demo(), inputs, baseline=stored, report=None, **options)
    assert exited.value.code == 1
    assert "error: logits: 1 - cosine: expected at worst" in capsys.readouterr().err
    stored.write_text("[]")
    with pytest.raises(UserError, match="expected a report that `softex quality -o` wrote"):
        print_quality(demo(), inputs, baseline=stored, report=None, **options)


def test_inputs_that_do_not_fit():
    with pytest.raises(UserError, match="inputs pixel_values are missing"):
        quality(demo(), {"out_0": np.zeros((1, 10))})
    with pytest.raises(UserError, match=r"expected an array \(1, 3, 32, 32\), or many in one"):
        quality(demo(), {"pixel_values": np.zeros((2, 3, 16, 16))})
    with pytest.raises(UserError, match="unknown image"):
        quality(demo(), images(1) | {"image": np.zeros(3)})


def test_an_entry_of_a_program(tmp_path: Path):
    path = tmp_path / "decoder.elf"
    softex_mlir.compile("demo-gpt2", sizes={"max_length": 64}, self_check=False).save(path)
    with pytest.raises(UserError, match=r"entries \(prefill, decode\), found none"):
        quality(path)
    report = quality(path, entry="decode", layers="kinds", workers=1)
    assert report.outputs[0].figures["hardware"]["cosine"].mean < 0.01
    assert report.layers[-1]["without"] == 0
    with pytest.raises(UserError, match="only programs have several"):
        quality(demo(), entry="decode")
