"""Prints a function that holds many loaded values at once: many_values.py COUNT."""

import sys

count = int(sys.argv[1])
type_ = f"memref<{count}xi32, #cluster.tcdm>"
print("func.func @many() {")
print("  %a = arith.constant 268443648 : i32")
print(f"  %x = cluster.view %a : {type_}")
for i in range(count):
    print(f"  %i{i} = arith.constant {i} : index")
    print(f"  %v{i} = memref.load %x[%i{i}] : {type_}")
for i in range(count):
    print(f"  memref.store %v{i}, %x[%i{count - 1 - i}] : {type_}")
print("  func.return")
print("}")
