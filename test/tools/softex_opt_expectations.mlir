// --verify-diagnostics fails for an error that does not come, and for one nobody expects.
// RUN: not softex-opt %s --split-input-file --verify-diagnostics 2>&1 | filecheck %s

// CHECK: line 9: expected error not found: never said
// CHECK: unexpected: {{.*}}softex_opt_expectations.mlir:15:1: error: buffers lie in #cluster.tcdm

// -----

// expected-error@+0 {{never said}}
"test.op"() : () -> ()

// -----

// a comment
%b = cluster.buffer "b" : memref<4xbf16>
