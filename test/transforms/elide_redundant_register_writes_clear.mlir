// A soft clear with 0 wipes the registers; with 1 it keeps them and goes back to bank 0.
// RUN: softex-opt %s -p elide-redundant-register-writes | filecheck %s

func.func @f() attributes {cluster.stream = #cluster<stream redmule>} {
  %a = "test.op"() : () -> i32
  %0 = arith.constant 0 : i32
  %1 = arith.constant 1 : i32
  // CHECK: hwpe.write redmule "SOFT_CLEAR", %0
  // CHECK-NEXT: hwpe.write redmule "MCFG1", %a
  hwpe.write redmule "SOFT_CLEAR", %0
  hwpe.write redmule "MCFG1", %a
  // CHECK-NEXT: hwpe.write redmule "TRIGGER", %0
  hwpe.write redmule "TRIGGER", %0
  // CHECK-NEXT: hwpe.write redmule "SOFT_CLEAR", %1
  // CHECK-NEXT: hwpe.write redmule "TRIGGER", %0
  hwpe.write redmule "SOFT_CLEAR", %1
  hwpe.write redmule "MCFG1", %a
  hwpe.write redmule "TRIGGER", %0
  // CHECK-NEXT: hwpe.write redmule "SOFT_CLEAR", %0
  // CHECK-NEXT: hwpe.write redmule "MCFG1", %a
  hwpe.write redmule "SOFT_CLEAR", %0
  hwpe.write redmule "MCFG1", %a
  func.return
}
