// Prints the best instruction set of this processor; CMakeLists.txt runs it where only that one is built.
#include <stdio.h>

#include "cpu.h"

int main() {
  const char* targets[] = {"v4", "v3", "v2"};
  for (const char* target : targets)
    if (runs_here(target)) return puts(target) < 0;
  return 1;
}
