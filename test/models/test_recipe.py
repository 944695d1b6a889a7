"""A compilation is its passes: one by one, or from any level on, they make the same program."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdsl.context import Context

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import write_model
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.compiler.pipeline import FUSION, compilation
from softex_mlir.compiler.tile_overrides import read_tiles, tiles_text
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.softex_opt import main as softex_opt

PAPER = Machine.load("paper")


@pytest.mark.slow("reads and writes the text of every step")
def test_softex_opt_pass_by_pass_makes_the_program_of_a_compilation(tmp_path: Path):
    path = tmp_path / "0.mlir"
    write_model(BUILTIN["demo-vit"](), path)
    for number, step in enumerate(compilation(PAPER), 1):
        source, path = path, tmp_path / f"{number}.mlir"
        with pytest.raises(SystemExit) as done:
            softex_opt([str(source), "-p", str(step.spec()), "-o", str(path)])
        assert done.value.code == 0, step.name
    expected = Compilation.of(BUILTIN["demo-vit"](), PAPER).program_bytes
    assert Compilation.of(path).program_bytes == expected


@pytest.fixture(scope="module")
def whole() -> Compilation:
    small = PAPER.with_tcdm_bytes(96 * 1024).without_softex()
    tiles = {"h.0.mlp.c_fc": {"k": 32}}
    return Compilation.of(BUILTIN["demo-gpt2"](), small, tile_overrides=tiles)


@pytest.mark.parametrize("level", ["jobs", "commands", "riscv"])
def test_goes_on_from_every_level(level: str, whole: Compilation, tmp_path: Path):
    path = tmp_path / "m.mlir"
    whole.write(level, path)
    again = Compilation.of(path)
    assert again.machine == whole.machine
    assert again.placement == whole.placement
    assert again.program_bytes == whole.program_bytes
    with pytest.raises(UserError, match="scheduled for the machine 'paper"):
        Compilation.of(path, PAPER)
    with pytest.raises(UserError, match=f"is a module of level {level}"):
        again.emit("transformer")


def test_a_module_without_its_weights_is_refused(tmp_path: Path):
    path = tmp_path / "m.mlir"
    Compilation.of(BUILTIN["demo-vit"](), PAPER).write("jobs", path)
    weights = path.with_suffix(".safetensors")
    weights.unlink()
    with pytest.raises(UserError, match=r"m\.safetensors, which does not exist"):
        Compilation.of(path)


@pytest.fixture(scope="module")
def schedule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo-vit's jobs, with their weights beside them."""
    path = tmp_path_factory.mktemp("jobs") / "m.mlir"
    Compilation.of(BUILTIN["demo-vit"](), PAPER).write("jobs", path)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tiles [64, 64]", "tiles [64, 0]"),
        ("tiles [64, 64]", "tiles [64, 32, 1]"),
        ("shape [64, 256]", "shape [64, 512]"),
        ("cluster.launch @", "cluster.launch @no"),
        ("redmule.gemm", "redmule.gem"),
        ("shape [1, 3, 32, 32]", "shape [1, 3, 32, 33]"),
        ('reason = "', 'why = "'),
        ("dma_in", "dma_out"),
        ("cluster.wait_for", "cluster.advance"),
    ],
)
def test_what_is_wrong_with_a_schedule_by_hand_is_said(old: str, new: str, schedule: Path):
    text = schedule.read_text()
    assert old in text
    path = schedule.with_name("edited.mlir")
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        _ = Compilation.of(path).program_bytes
    assert str(path) in str(error.value)


def test_passes_on_weights_need_to_be_told_their_data():
    module = BUILTIN["demo-vit"]().module
    with pytest.raises(TypeError, match="CompilationContext"):
        FUSION[0].apply(Context(), module)


def test_tiles_survive_their_text():
    tiles = {'a "layer" with\nthings': {"m": 3, "k": 32}, "b.c": {}}
    assert read_tiles(tiles_text(tiles)) == tiles
    assert read_tiles("") == {}
    with pytest.raises(UserError, match="expected a table of sizes"):
        read_tiles("a = 3\n")
