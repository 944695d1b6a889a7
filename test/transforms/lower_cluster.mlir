// A whole kernel down to registers: nothing of the job level is left.
// RUN: softex-opt %s -p lower-cluster | filecheck %s
// RUN: softex-opt %s -p lower-cluster | softex-opt -p convert-to-riscv | filecheck %s --check-prefix=RISCV

// CHECK-NOT: cluster.kernel
// CHECK-NOT: cluster.await
// CHECK-NOT: cluster.wait_for
// CHECK-NOT: cluster.advance
// CHECK: func.func @k_dma_in()
// CHECK: func.func @k_redmule()
// CHECK: func.func @k_compute()
// CHECK: func.func @k_dma_out()
// CHECK: cluster.launch @k
// RISCV: riscv_func.func @k_dma_in
// RISCV: riscv_func.func @k_dma_out
cluster.kernel @k(%in : index, %out : index, %red : index, %com : index,
    %x : memref<24x32xbf16, #cluster.l2>) {
  %b = cluster.buffer "b" at 8192 : memref<32x32xbf16, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c24 = arith.constant 24 : index
  cluster.stream dma_in {
    %t = cluster.dma_start %x[] to %b[] sizes [24, 32] : memref<24x32xbf16, #cluster.l2> to memref<32x32xbf16, #cluster.tcdm>
    cluster.await %t : !cluster.token<dma_in>
    cluster.advance
  }
  cluster.stream redmule {
    %go = arith.addi %in, %c1 : index
    cluster.wait_for dma_in, %go
    %t = redmule.gemm %b[], %b[], %b[] m = 24 n = 32 k = 32 : memref<32x32xbf16, #cluster.tcdm>, memref<32x32xbf16, #cluster.tcdm>, memref<32x32xbf16, #cluster.tcdm>
    cluster.await %t : !cluster.token<redmule>
    cluster.advance
  }
  cluster.stream compute {
    %go = arith.addi %red, %c1 : index
    cluster.wait_for redmule, %go
    cluster.parallel (%r) = %c0 to %c24 {
      %v = memref.load %b[%r, %c0] : memref<32x32xbf16, #cluster.tcdm>
      memref.store %v, %b[%r, %c1] : memref<32x32xbf16, #cluster.tcdm>
    }
    cluster.barrier
    cluster.leader {
      scf.for %r = %c0 to %c24 step %c1 {
        %t = softex.softmax %b[%r], %b[%r] length = 32 : memref<32x32xbf16, #cluster.tcdm>, memref<32x32xbf16, #cluster.tcdm>
      }
      softex.drain
    }
    cluster.advance
  }
  cluster.stream dma_out {
    %go = arith.addi %com, %c1 : index
    cluster.wait_for compute, %go
    %t = cluster.dma_start %b[] to %x[] sizes [24, 32] : memref<32x32xbf16, #cluster.tcdm> to memref<24x32xbf16, #cluster.l2>
    cluster.await %t : !cluster.token<dma_out>
    cluster.advance
  }
}
cluster.schedule {
  cluster.launch @k args [@x] bases [0, 0, 0, 0]
}
