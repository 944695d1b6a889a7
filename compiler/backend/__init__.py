"""
From functions of loops and register-level commands to an executable.

`convert-to-riscv` selects instructions, `allocate-registers` chooses registers,
`pad-hardware-loops` meets the loops' minimum length; `assembly` prints, `assemble` encodes,
`link` lays out memory and writes the ELF file.
"""
