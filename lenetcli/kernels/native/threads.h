// One pool of threads for all kernels.
//
// Work is a number of items that threads take one by one, the calling thread among them: a worker that does not get a
// core in time costs nothing, because the caller goes on without it. Only an item that a worker has begun is waited
// for; where that wait is long (another process holds the core), the next calls run on the calling thread alone. Which
// thread computes an item never changes its result.
#pragma once

#include <stddef.h>

// Calls item(context, index, slot) for every index below `count`; `slot` numbers the thread, 0 is the caller.
void parallel(int count, void (*item)(void* context, int index, int slot), void* context);

// Whether the other threads are looking for work already: then small work pays, too.
bool awake();

void set_threads(int count);
int threads();

// Memory of a thread for this call, 64-byte aligned; what it holds is lost at the thread's next call.
float* scratch(size_t floats);

template <class Item>
void parallel(int count, Item item) {
  parallel(count, [](void* context, int index, int slot) { (*(Item*)context)(index, slot); }, &item);
}
