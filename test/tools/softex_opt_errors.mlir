// Errors are one line with file, line and column; the exit code is 1.
// RUN: not softex-opt %s 2>&1 | filecheck %s --check-prefix=VERIFY
// RUN: not softex-opt %s -p no-such-pass 2>&1 | filecheck %s --check-prefix=PASS
// RUN: not softex-opt %s.missing 2>&1 | filecheck %s --check-prefix=FILE
// RUN: not softex-opt %s -p 'place{nope=1}' 2>&1 | filecheck %s --check-prefix=OPTION
// RUN: not softex-opt %s -p 'convert-transformer-to-jobs{tcdm=abc}' 2>&1 | filecheck %s --check-prefix=VALUE
// RUN: printf '// \377\n' | not softex-opt 2>&1 | filecheck %s --check-prefix=TEXT
// RUN: echo "func.func @f() { func.return }" | softex-opt - -o %t.mlir
// RUN: echo "func.func @f( {" | not softex-opt 2>&1 | filecheck %s --check-prefix=SYNTAX

// VERIFY: softex_opt_errors.mlir:19:1: error: buffers lie in #cluster.tcdm, found memref<4xbf16>
// PASS: softex-opt: error: {{.*}}no-such-pass
// FILE: softex-opt: error: {{.*}}softex_opt_errors.mlir.missing: No such file or directory
// OPTION: softex-opt: error: Provided arguments ["nope"] not found
// VALUE: softex-opt: error: pass option: expected int, found 'abc'
// TEXT: <stdin>:1:4: error: not UTF-8 text
// SYNTAX: <stdin>:1:15: error:

%b = cluster.buffer "b" : memref<4xbf16>
