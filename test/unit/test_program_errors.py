"""A file that is no program is explained, never a traceback; nothing half-written remains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.errors import UserError
from softex_mlir.files import check_writable, write_atomically
from softex_mlir.runtime.program import Program

ELF_HEADER = bytes.fromhex("7f454c460101010000000000000000000200f300010000000000001c34000000")


def test_not_elf():
    with pytest.raises(UserError, match="not an ELF file"):
        Program.from_bytes(b"hello")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot read the program"):
        Program.load(tmp_path / "missing.elf")


def test_truncated_header():
    with pytest.raises(UserError):
        Program.from_bytes(ELF_HEADER)


@sample(200)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic_are_an_error(tail):
    with pytest.raises(UserError):
        Program.from_bytes(ELF_HEADER[:4] + tail)


@sample(200)
@given(st.binary(max_size=400))
def test_any_bytes_after_a_good_start_are_an_error(tail):
    with pytest.raises(UserError):
        Program.from_bytes(ELF_HEADER + tail)


def test_unwritable_output_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        write_atomically(tmp_path / "no" / "such" / "directory.elf", b"x")
    directory = tmp_path / "directory"
    directory.mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_atomically(directory, b"x")
    assert list(tmp_path.iterdir()) == [directory]
    assert not list(directory.iterdir())


def test_write_replaces_whole_file(tmp_path):
    path = tmp_path / "a"
    write_atomically(path, b"first, and longer")
    write_atomically(path, "second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_devices_are_written_not_replaced(tmp_path):
    with pytest.raises(UserError, match="/dev/full: cannot write: No space left on device"):
        write_atomically(Path("/dev/full"), b"x")
    assert Path("/dev/full").is_char_device()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    write_atomically(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_unwritable_outputs_are_found_before_the_work(tmp_path):
    check_writable(tmp_path / "new.npz")
    with pytest.raises(UserError, match="Is a directory"):
        check_writable(tmp_path)
    with pytest.raises(UserError, match="there is no directory"):
        check_writable(tmp_path / "no" / "y.npz")
