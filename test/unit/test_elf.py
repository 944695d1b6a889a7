"""The executable: standard ELF, complete note, launch records as the boot code reads them."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import struct
import subprocess
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import PassPipeline

from softex_mlir.compiler.artifacts import LinkError
from softex_mlir.compiler.backend.elf import ElfSymbol, Section, write_elf
from softex_mlir.compiler.backend.link import link
from softex_mlir.compiler.backend.print_assembly import assembly
from softex_mlir.compiler.pipeline import stages
from softex_mlir.dialects.target import set_machine
from softex_mlir.dialects.text import read_module
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program

SOURCE = """
func.func @body() {
  %word = cluster.launch_word 8 : i32
  %memory = cluster.view %word : memref<4xi32, #cluster.l2>
  %zero = arith.constant 0 : index
  %value = arith.constant 7 : i32
  memref.store %value, %memory[%zero] : memref<4xi32, #cluster.l2>
  func.return
}
cluster.global input @x tensor "x" shape [4, 20] : memref<4x32xbf16, #cluster.l2>
cluster.global output @y tensor "y" shape [4, 20] : memref<4x32xbf16, #cluster.l2>
cluster.global weight @w tensor "w" shape [4, 32] : memref<4x32xbf16, #cluster.l2>
cluster.global constant @slopes at 4608 bits [1, -1] : memref<2xbf16, #cluster.tcdm>
cluster.entries @kernel functions {compute = @body} buffers {tile = [8192 : i32, 64 : i32]}
  arguments []
cluster.schedule {
  cluster.launch @kernel args [@y + 64, 7] bases [0, 0, 0, 0] {layer = "first"}
  cluster.launch @kernel args [@w, -1] bases [0, 1, 2, 3] {layer = "second"}
}
cluster.source "m" placement [] layers [] text "builtin.module {}\\n"
"""
MACHINE = Machine.load("paper")


def module_of(source: str = SOURCE, machine: Machine = MACHINE) -> ModuleOp:
    module = read_module(source, "program.mlir")
    set_machine(module, machine)
    return module


def program_of(source: str = SOURCE, machine: Machine = MACHINE) -> bytes:
    module = module_of(source, machine)
    PassPipeline(stages(machine)["riscv"]).apply(Context(), module)
    return link(module, assembly(module), WEIGHTS)


WEIGHTS = {"w": np.arange(128, dtype=np.float32).reshape(4, 32).astype(ml_dtypes.bfloat16)}


def section(file: ELFFile, name: str) -> Any:
    found = file.get_section_by_name(name)
    assert found is not None, name
    return found


@pytest.fixture(scope="module")
def elf() -> bytes:
    return program_of()


def test_is_deterministic(elf):
    assert program_of() == elf


def test_header_and_segments(elf):
    file = ELFFile(io.BytesIO(elf))
    assert (file.elfclass, file["e_machine"], file["e_type"]) == (32, "EM_RISCV", "ET_EXEC")
    assert file["e_flags"] == 2
    loads = [s for s in file.iter_segments() if s["p_type"] == "PT_LOAD"]
    addresses = [s["p_vaddr"] for s in loads]
    assert addresses == sorted(addresses)
    for load in loads:
        assert load["p_offset"] % load["p_align"] == load["p_vaddr"] % load["p_align"]
    text = section(file, ".text")
    assert text["sh_addr"] <= file["e_entry"] < text["sh_addr"] + text["sh_size"]
    tcdm = section(file, ".tcdm")
    assert tcdm["sh_addr"] == MACHINE.cluster.tcdm_base + 4608
    assert tcdm.data() == struct.pack("<HH", 1, 0xFFFF)
    assert section(file, ".bss")["sh_type"] == "SHT_NOBITS"
    assert section(file, ".weights").data()[:256] == WEIGHTS["w"].tobytes()


def test_launch_records(elf):
    program = Program.from_bytes(elf)
    symbols = program.symbols
    table = next(s for s in program.segments if s.address == symbols["launch_table"])
    words = program.metadata["record_words"]
    records = [
        struct.unpack_from(f"<{words}I", table.data, 4 * words * i)
        for i in range(len(table.data) // (4 * words))
    ]
    body = symbols["body"]
    assert records == [
        (0, 0, 0, body, 0, 0, 0, 0, symbols["y"] + 64, 7),
        (0, 0, 0, body, 0, 1, 2, 3, symbols["w"], 0xFFFFFFFF),
        (0,) * words,
    ]
    launches = program.metadata["launches"]
    assert [launch["layer"] for launch in launches] == ["first", "second"]
    assert launches[1]["record_address"] == table.address + 4 * words


def test_note(elf):
    program = Program.from_bytes(elf)
    note = program.metadata
    assert note["format"] == 1
    assert note["machine"]["hash"] == MACHINE.hash
    assert Machine.from_toml(note["machine"]["toml"]) == MACHINE
    (x,) = program.inputs
    assert (x.shape, x.rows, x.columns, x.pitch) == ((4, 20), 4, 20, 32)
    assert x.address == program.symbols["x"]
    spaces = {buffer["name"]: (buffer["space"], buffer["kernel"]) for buffer in note["buffers"]}
    assert spaces["tile"] == ("tcdm", "kernel")
    assert spaces["w"] == ("l2", None)
    assert note["weights"][0]["layout"] == {"kind": "rows", "pitch": 32}
    assert program.transformer == "builtin.module {}\n"
    json.dumps(note)


def few_cores() -> Machine:
    return Machine.from_toml(MACHINE.to_toml().replace("cores = 8", "cores = 4"))


@pytest.mark.parametrize(
    "machine", [MACHINE, MACHINE.without_redmule(), few_cores()], ids=["paper", "cores", "four"]
)
def test_start_code_runs_every_launch(machine):
    second = SOURCE.replace("args [@w, -1]", "args [@y, -1]")
    program = Program.from_bytes(program_of(second, machine))
    result = program.run({"x": np.zeros((4, 20), np.float32)})
    words = result.outputs["y"].astype(ml_dtypes.bfloat16).view(np.uint16)
    # Both launches store the word 7: into the first and into the second row.
    assert words[:, 0].tolist() == [7, 7, 0, 0]
    assert not words[:, 1:].any()


def test_machine_without_a_compute_team():
    machine = Machine.from_toml(MACHINE.to_toml().replace("cores = 8", "cores = 3"))
    with pytest.raises(UserError, match="at least 4"):
        program_of(machine=machine)


def test_objects_do_not_overlap(elf):
    file = ELFFile(io.BytesIO(elf))
    table: Any = section(file, ".symtab")
    places = sorted((s["st_value"], s["st_size"]) for s in table.iter_symbols() if s.name)
    for (address, size), (following, _) in itertools.pairwise(places):
        assert address + size <= following


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SOURCE.replace("@y + 64", "@nothing"), "@nothing"),
        (SOURCE.replace("launch @kernel args [@w", "launch @other args [@w"), "@other"),
    ],
)
def test_link_errors(source, message):
    with pytest.raises(LinkError, match=message):
        program_of(source)


def test_does_not_fit():
    small = Machine.from_toml(MACHINE.to_toml().replace("l2_bytes = 536870912", "l2_bytes = 4096"))
    big = SOURCE.replace("[4, 20] : memref<4x32xbf16", "[4, 20] : memref<400x32xbf16")
    with pytest.raises(LinkError, match="4096"):
        program_of(big, small)


def test_empty_section_list_is_an_executable():
    data = write_elf(
        16, [Section(".text", [b"\0" * 4], 16)], [ElfSymbol("a", 16, 4, ".text", True)]
    )
    assert ELFFile(io.BytesIO(data)).num_segments() == 1


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no binutils installed")
def test_readelf_has_no_complaints(elf, tmp_path):
    path = tmp_path / "program.elf"
    path.write_bytes(elf)
    result = subprocess.run(["readelf", "-a", "-W", str(path)], capture_output=True, text=True)
    assert result.returncode == 0
    assert "Warning" not in result.stderr
    assert "Error" not in result.stderr
