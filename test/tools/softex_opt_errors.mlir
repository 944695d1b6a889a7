// Errors are one line with file, line and column; the exit code is 1.
// RUN: not softex-opt %s 2>&1 | filecheck %s --check-prefix=VERIFY
// RUN: not softex-opt %s -p no-such-pass 2>&1 | filecheck %s --check-prefix=PASS
// RUN: not softex-opt %s.missing 2>&1 | filecheck %s --check-prefix=FILE
// RUN: echo "func.func @f( {" | not softex-opt 2>&1 | filecheck %s --check-prefix=SYNTAX

// VERIFY: softex_opt_errors.mlir:12:1: error: buffers lie in #cluster.tcdm, found memref<4xbf16>
// PASS: softex-opt: error: {{.*}}no-such-pass
// FILE: softex-opt: error: {{.*}}softex_opt_errors.mlir.missing: No such file or directory
// SYNTAX: <stdin>:1:15: error:

%b = cluster.buffer "b" : memref<4xbf16>
