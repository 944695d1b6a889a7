// The ideal machine's RedMulE has a queue: acquire a context instead of clearing, await by number.
// RUN: softex-opt %s -p convert-jobs-to-commands | filecheck %s

builtin.module attributes {cluster.machine = "ideal"} {
  func.func @f() attributes {cluster.stream = #cluster<stream redmule>} {
    %a = "test.op"() : () -> i32
    %x = cluster.view %a : memref<32x32xbf16, #cluster.tcdm>
    // CHECK-NOT: SOFT_CLEAR
    // CHECK: hwpe.read redmule "ACQUIRE"
    // CHECK: hwpe.write redmule "TRIGGER"
    %t = redmule.gemm %x[], %x[], %x[] m = 32 n = 32 k = 32 : memref<32x32xbf16, #cluster.tcdm>, memref<32x32xbf16, #cluster.tcdm>, memref<32x32xbf16, #cluster.tcdm>
    // CHECK: hwpe.read redmule "RUNNING_JOB"
    cluster.await %t : !cluster.token<redmule>
    func.return
  }
}
