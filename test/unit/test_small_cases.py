"""Small machines and texts that once crashed a command, hung it, or went through unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.tile_overrides import read_tiles
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.tools.softex_opt import main

Capture = pytest.CaptureFixture[str]
MACHINES = Path(__file__).parent / "machines"
TEXTS = Path(__file__).parent / "mlir"


def opt(capsys: Capture, *arguments: str) -> tuple[int, str]:
    """Exit status of `softex-opt`, and what it printed."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, captured.err if end.value.code else captured.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("icache1", "icache1.toml:4: cluster.icache_line_bytes must be 4..4,096, found 1"),
        ("l2big", "l2big.toml:4: cluster.l2_bytes must be 4,096"),
        ("loop", "loop.toml:1: descriptions extend each other"),
        ("overlap", "overlap.toml:4: cluster.l2_base overlaps tcdm: found 0x10000000"),
    ],
)
def test_machines_that_cannot_be(name: str, message: str):
    with pytest.raises(UserError, match=message):
        Machine.load(str(MACHINES / f"{name}.toml"))


@pytest.mark.parametrize("name", ["rm12x4t", "rm12x8", "rm48x8t", "unmeasured"])
def test_arrays_of_other_sizes(name: str):
    machine = Machine.load(str(MACHINES / f"{name}.toml"))
    program = Compilation.of(TEXTS / "scaled.mlir", machine).program()
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def test_tiles_of_a_layer_that_is_not_there():
    tiles = read_tiles(MACHINES / "tiles_unknown_layer.toml")
    with pytest.raises(UserError, match="tiles of layer 'nosuch': no matrix product has this name"):
        _ = Compilation.of(TEXTS / "scaled.mlir", tile_overrides=tiles).program_bytes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("huge_int_type", ":1:25: error: expected an integer type of at most"),
        ("masked", ":3:5: error: redmule: 10x33x64"),
        ("missing_quote", ":3:42: error: string without a closing quote"),
        ("opt_float_overflow", ":1:51: error: float too large"),
    ],
)
def test_texts_that_are_refused(name: str, message: str, capsys: Capture):
    status, text = opt(capsys, str(TEXTS / f"{name}.mlir"))
    assert status == 1
    assert f"{name}.mlir{message}" in text


@pytest.mark.parametrize(
    "name", ["opt_dense_inf", "opt_loc_alias_behind", "opt_split_marker_in_comment"]
)
def test_texts_that_round_trip(name: str, tmp_path: Path, capsys: Capture):
    status, once = opt(capsys, str(TEXTS / f"{name}.mlir"))
    assert status == 0
    assert once.count("arith.constant") == (TEXTS / f"{name}.mlir").read_text().count("constant")
    (tmp_path / "once.mlir").write_text(once)
    assert opt(capsys, str(tmp_path / "once.mlir")) == (0, once)


def test_a_module_without_a_function_is_no_model():
    with pytest.raises(UserError, match="expected a function @main"):
        Compilation.of(TEXTS / "compile_empty_module.mlir")


def test_a_small_memory_is_enough_for_rows():
    machine = Machine.load("paper")
    small = machine.to_toml().replace(
        f"tcdm_bytes = {machine.cluster.tcdm_bytes}", "tcdm_bytes = 8192"
    )
    program = Compilation.of(TEXTS / "gelu.mlir", Machine.from_toml(small)).program()
    assert check(program, session.run(program), {}).identical


def test_scales_are_folded(capsys: Capture):
    status, text = opt(capsys, str(TEXTS / "scaled.mlir"), "-p", "fold-affine")
    assert status == 0
    assert "transformer.mul" not in text
