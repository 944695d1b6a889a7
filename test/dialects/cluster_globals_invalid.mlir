// Constants lie in the TCDM with their contents, everything else in L2 without.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

// expected-error@below {{constants lie in #cluster.tcdm and all other globals in #cluster.l2}}
cluster.global weight @w : memref<4xbf16, #cluster.tcdm>

// -----

// expected-error@below {{exactly the constants carry their contents in `bits`}}
cluster.global constant @c at 8192 : memref<2xbf16, #cluster.tcdm>

// -----

// expected-error@below {{has 8 bytes, but `bits` gives 4}}
cluster.global constant @c at 8192 bits [1, 2] : memref<4xbf16, #cluster.tcdm>
