// Sizes that the published RTL hangs on or computes wrongly.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{24x16x32 (rows x inner x columns): an inner dimension below 17 is right only in few cases}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 16 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{5x40x33 (rows x inner x columns): with 4..23 rows, several column tiles and N % 32 in 1..8 rows from 3 on are wrong; pad the inner dimension to a multiple of 32}}
%t = redmule.gemm %b[], %b[], %b[] m = 5 n = 40 k = 33 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{stores 65544 rows; from 65536 on done never comes: split the job}}
%t = redmule.gemm %b[], %b[], %b[] m = 65535 n = 32 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{24 row tiles and N % 8 != 0 give wrong rows from tile 23 on}}
%t = redmule.gemm %b[], %b[], %b[] m = 576 n = 20 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{the memory behind W is multiplied by zero where N % 8 is 1, which is NaN where it holds Inf or NaN, found N = 57}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 57 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{sizes are 1..65535, found k = 65536}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 32 k = 65536 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>
