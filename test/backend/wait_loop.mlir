// Registers of units: the address is made once, the wait is in the loop that checks the condition,
// and drops which event has ended it.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: wait:
// CHECK-NEXT: lw a0, 16(tp)
// CHECK-NEXT: li a1, 268435456
// CHECK-NEXT: addi a0, a0, 1
// CHECK-NEXT: li a2, 270548992
// CHECK-NEXT: .Lwait_1:
// CHECK-NEXT: lw a3, 0(a1)
// CHECK-NEXT: bge a3, a0, .Lwait_3
// CHECK-NEXT: .Lwait_2:
// CHECK-NEXT: cv.elw zero, 60(a2)
// CHECK-NEXT: j .Lwait_1
// CHECK-NEXT: .Lwait_3:
// CHECK-NEXT: li a0, 270536704
// CHECK-NEXT: sw zero, 20(a0)
// CHECK-NEXT: nop
// CHECK-NEXT: nop
// CHECK-NEXT: sw zero, 0(a0)
// CHECK-NEXT: ret
func.func @wait() {
  %base = cluster.launch_word 4 : i32
  %one = arith.constant 1 : i32
  %value = arith.addi %base, %one : i32
  scf.while () : () -> () {
    %count = hwpe.read timeline "DMA_IN"
    %less = arith.cmpi slt, %count, %value : i32
    scf.condition(%less)
  } do {
    %events = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
    scf.yield
  }
  %zero = arith.constant 0 : i32
  hwpe.write redmule "SOFT_CLEAR", %zero
  hwpe.delay 2
  hwpe.write redmule "TRIGGER", %zero
  func.return
}
