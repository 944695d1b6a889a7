// Rules come from the module's machine, given by name or in full.
// RUN: %python -c "from softex_mlir.isa_sim.machine import Machine; from xdsl.dialects.builtin import StringAttr; print('builtin.module attributes {cluster.machine =', StringAttr(Machine.load().without_redmule().to_toml()), '} { cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) { cluster.stream redmule {} } }')" > %t
// RUN: not softex-opt %t 2>&1 | filecheck %s

// CHECK: error: this machine has no RedMulE, so no stream to drive it
