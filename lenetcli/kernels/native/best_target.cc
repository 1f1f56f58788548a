// Prints the best instruction set of this processor; CMakeLists.txt runs it where only that one is built.
#include <stdio.h>

#include "cpu.h"

int main() {
  for (const char* target : {"v4", "v3", "v2"})
    if (runs_here(target)) return puts(target) < 0;
  return 1;
}
