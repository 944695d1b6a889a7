"""What users do wrong, or do rarely: one sentence and the right exit status, or it works.

Names of models are below; `x.npz` holds normal input, `nan.npz` only NaN and a reference.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.files import json_text
from softex_mlir.runtime.quality.metrics import compare
from softex_mlir.tools.softex import main as softex
from softex_mlir.tools.softex_opt import main as softex_opt

NODE = helper.make_node
BIN = Path(sys.executable).parent


def model(path: Path, nodes: list[Any], shape: Any, outputs: list[str], *tensors: Any) -> None:
    inputs = [] if shape is None else [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", inputs, infos, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, inputs and a program."""
    where = tmp_path_factory.mktemp("commands")
    relu = NODE("Relu", ["x"], ["y"])
    model(where / "relu.onnx", [relu], [4, 6], ["y"])
    model(where / "open.onnx", [relu], ["n", 6], ["y"])
    model(where / "number.onnx", [relu], [], ["y"])
    model(where / "names.onnx", [NODE("Relu", ["x"], ["größe"])], [4, 6], ["größe"])
    model(where / "same.onnx", [], [4, 6], ["x"])
    model(where / "dead.onnx", [NODE("Foo", ["x"], ["z"]), relu], [4, 6], ["y"])
    model(where / "foo.onnx", [NODE("Foo", ["x"], ["y"])], [4, 6], ["y"])
    one = numpy_helper.from_array(np.ones((2, 2), np.float32), "y")
    model(where / "constant.onnx", [], None, ["y"], one)
    matrix = numpy_helper.from_array(np.ones((6, 8), np.float32), "w")
    model(where / "linear.onnx", [NODE("MatMul", ["x", "w"], ["y"])], [4, 6], ["y"], matrix)
    (where / "empty.mlir").write_text("builtin.module {}\n")
    (where / "nothing.mlir").write_text("")
    (where / "tiles.toml").write_text('["nosuch"]\nm = 96\n')
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    np.savez(where / "x.npz", x=x)
    np.savez(where / "nan.npz", x=x * np.nan, y=x)
    run([BIN / "softex", "compile", "names.onnx", "-o", "names.elf"], where)
    run([BIN / "softex", "compile", "relu.onnx", "-o", "relu.elf"], where)
    return where


def run(command: list[Any], where: Path, **environment: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a process."""
    found = subprocess.run(
        [str(part) for part in command],
        cwd=where,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return found.returncode, found.stdout, found.stderr


TABLE = {
    "a built-in model's shape": (
        "softex compile demo-vit --shape x=1,2 -o p.elf",
        2,
        "demo-vit has fixed shapes; only those that an ONNX file leaves open can be given: a "
        "built-in model has --tokens, --batch, --layers",
    ),
    "a built-in model's shape, where many inputs are tried": (
        "softex quality demo-vit --shape x=1,2",
        2,
        "a built-in model has --tokens, --batch, --layers",
    ),
    "a built-in model's shape, estimated": (
        "softex estimate demo-vit --shape x=1,2",
        2,
        "a built-in model has --tokens, --batch, --layers",
    ),
    "a module's shape": ("softex compile empty.mlir --shape x=1 -o p.elf", 2, "has fixed shapes"),
    "a shape given twice": (
        "softex compile open.onnx --shape x=1,6 --shape x=2,6 -o p.elf",
        2,
        "input 'x' is given twice",
    ),
    "a shape of -1": (
        "softex compile open.onnx --shape x=-1,6 -o p.elf",
        2,
        "expected a name and positive sizes",
    ),
    "an open shape": ("softex compile open.onnx -o p.elf", 1, "--shape x=1,6"),
    "a shape of nothing": (
        "softex compile open.onnx --shape q=1,6 -o p.elf",
        1,
        "no input 'q'; the model's inputs are x",
    ),
    "tiles of a layer that is not there": (
        "softex compile linear.onnx --tiles tiles.toml -o p.elf",
        1,
        "tiles of layer 'nosuch': no matrix product has this name; there are 'y'",
    ),
    "assembly of no code": ("softex-opt empty.mlir -t asm", 1, "no code: expected riscv_func.func"),
    "an empty file": ("softex-opt nothing.mlir", 1, "nothing.mlir:1:1: error"),
    "an empty module": ("softex compile empty.mlir -o p.elf", 1, "expected a function @main"),
    "an unknown operator": ("softex compile foo.onnx -o p.elf", 1, "operator Foo is not supported"),
    "a dead node of an unknown operator": ("softex compile dead.onnx -o p.elf", 0, ""),
    "a number": ("softex compile number.onnx -o p.elf", 0, ""),
    "an input that is the output": ("softex compile same.onnx -o p.elf", 0, ""),
    "a model of constants": ("softex compile constant.onnx -o p.elf", 0, ""),
    "nothing but NaN": (
        "softex run relu.elf --input nan.npz",
        1,
        "error: every element of every output is NaN",
    ),
    "no such file": ("softex compile none.onnx -o p.elf", 1, "none.onnx"),
    "no such model": ("softex compile none -o p.elf", 1, "built in: "),
    "settings of a program": (
        "softex run relu.elf --set softex.lanes=8",
        2,
        "relu.elf is compiled for its machine: expected a model",
    ),
    "a model that is compiled to run": ("softex run relu.onnx --set softex.lanes=8", 0, ""),
    "a machine in order": ("softex machine validate paper redmule21", 0, ""),
    "a machine without programs": (
        "softex machine validate paper --set cluster.cores=2",
        1,
        "expected 4 cores or more, found cluster.cores = 2",
    ),
    "no such command": ("softex compilr", 2, "No such command"),
    "no output": ("softex compile relu.onnx", 2, "an ELF file needs a name: -o FILE"),
}


def test_machines_are_compared(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    line = "softex machine diff redmule21 --set cluster.cores=4 --json"
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit):
        softex()
    data = json.loads(capsys.readouterr().out)
    assert {"section": "cluster", "key": "cores", "value": 4, "other": 8} in data["differences"]
    assert any("RTL not seen" in text for text in data["not_covered"])


@pytest.mark.parametrize("name", TABLE)
def test_table(
    name: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line, status, message = TABLE[name]
    tool, *arguments = line.split()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [tool, *arguments])
    with pytest.raises(SystemExit) as end:
        softex() if tool == "softex" else softex_opt(arguments)
    errors = capsys.readouterr().err
    assert (end.value.code or 0) == status
    assert message in " ".join(errors.split())
    assert "Traceback" not in errors


def test_json_holds_no_nan(folder: Path) -> None:
    command = [BIN / "softex", "run", "relu.elf", "--input", "nan.npz", "--check", "--json"]
    status, text, errors = run(command, folder)
    assert status == 0
    assert "warning: every element of every output is NaN" in errors
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["check"]["outputs"][0]["quality"]["cosine"] is None
    assert "check.outputs[0].quality.cosine" in found["not_finite"]


def test_an_error_behind_json_is_no_second_document(folder: Path) -> None:
    command = [BIN / "softex", "run", "relu.elf", "--input", "nan.npz", "--json"]
    status, text, errors = run(command, folder)
    assert status == 1
    assert "error: every element of every output is NaN" in errors
    assert "cycles" in json.loads(text)


def test_json_of_special_values() -> None:
    assert json.loads(json_text({"a": [1.0, float("inf")], "b": {"c": float("nan")}})) == {
        "a": [1.0, None],
        "b": {"c": None},
        "not_finite": ["a[1]", "b.c"],
    }


def test_views_are_one_json_document(folder: Path) -> None:
    command = [BIN / "softex", "inspect", "relu.elf", "--memory", "--commands", "--json"]
    assert set(json.loads(run(command, folder)[1])) == {"memory", "commands"}


def test_a_cosine_of_nan_is_nan() -> None:
    assert np.isnan(compare(np.array([1.0, np.nan]), np.array([1.0, 2.0])).cosine)
    assert compare(np.zeros(2), np.ones(2)).cosine == 0


def test_a_terminal_that_knows_ascii_only(folder: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [BIN / "softex", "run", "names.elf", "--input", "x.npz", "--check"]
    status, text, errors = run(command, folder, **plain)
    assert (status, errors) == (0, "")
    assert r"check gr\xf6\xdfe: 24 elements" in text


@pytest.mark.parametrize("command", ["softex operators", "softex-opt empty.mlir"])
@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(folder: Path, command: str, streams: str) -> None:
    found = run(["sh", "-c", f"{BIN}/{command} {streams}"], folder)
    assert (found[0], found[2]) == (0, "")


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    """As of other commands, it ends them silently with the status of SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    for command in ("softex operators", "softex-opt --list-passes"):
        name, option = command.split()
        found = subprocess.run(
            [BIN / name, option], stdout=write, stderr=subprocess.PIPE, cwd=folder, check=False
        )
        assert (found.returncode, found.stderr) == (141, b""), command
    os.close(write)


def test_as_a_module(folder: Path) -> None:
    status, text, _ = run([sys.executable, "-m", "softex_mlir", "--version"], folder)
    assert (status, text[:12]) == (0, "softex-mlir ")


def _heed_interrupts() -> None:
    """A shell lets what it runs in the background ignore them, and so would the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_ctrl_c(folder: Path, seconds: float) -> None:
    """Also while libraries are imported."""
    command = [str(BIN / "softex"), "compile", "vit-base", "-o", "p.elf"]
    process = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1:] == ["interrupted"]
    assert "Traceback" not in errors


@pytest.mark.parametrize("whom", [os.kill, os.killpg])
def test_ctrl_c_with_workers(folder: Path, whom: Any) -> None:
    """To the command alone, and to all of its processes, as a terminal sends it."""
    command = [str(BIN / "softex"), "quality", "vit-base", "--layers", "1", "--per-layer"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    time.sleep(3)
    whom(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "interrupted\n")
