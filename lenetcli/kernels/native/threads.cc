#include "threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr microseconds SPIN(60);          // how long a worker looks for the next call before it sleeps
constexpr microseconds LONG_WAIT(400);    // waiting longer than this for a worker's item means that it has no core
constexpr unsigned FIRST_PENALTY = 64, LAST_PENALTY = 4096;  // calls that then run alone, doubled each time

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Pool {
  std::mutex caller;  // one call at a time; a second one runs alone
  std::mutex sleep;
  std::condition_variable wake;
  std::vector<std::thread> workers;
  std::atomic<unsigned> call{0};   // number of the current call
  std::atomic<bool> open{false};   // workers may join the current call
  std::atomic<int> inside{0};      // workers that have joined
  std::atomic<int> sleeping{0};
  std::atomic<int> next{0};
  std::atomic<bool> stop{false};
  int count = 0;
  void (*item)(void*, int, int) = nullptr;
  void* context = nullptr;
  unsigned alone = 0, penalty = FIRST_PENALTY;

  void take(int slot) {
    for (int i; (i = next.fetch_add(1)) < count;) item(context, i, slot);
  }

  void work(int slot, unsigned seen) {
    while (true) {
      auto until = Clock::now() + SPIN;
      int turns = 0;
      while (call.load() == seen && !stop.load()) {
        relax();
        if (++turns % 64 == 0 && Clock::now() > until) {
          std::unique_lock<std::mutex> lock(sleep);
          sleeping.fetch_add(1);
          wake.wait(lock, [&] { return call.load() != seen || stop.load(); });
          sleeping.fetch_sub(1);
        }
      }
      if (stop.load()) return;
      seen = call.load();
      inside.fetch_add(1);
      if (open.load()) take(slot);
      inside.fetch_sub(1);
    }
  }

  void run(int items, void (*function)(void*, int, int), void* argument) {
    count = items;
    item = function;
    context = argument;
    next.store(0);
    open.store(true);
    call.fetch_add(1);
    if (sleeping.load()) {
      { std::lock_guard<std::mutex> lock(sleep); }
      wake.notify_all();
    }
    take(0);
    open.store(false);
    if (inside.load()) wait();
  }

  void wait() {
    auto began = Clock::now();
    for (int turns = 1; inside.load(); turns++) {
      relax();
      if (turns % 256 == 0 && Clock::now() - began > LONG_WAIT) std::this_thread::yield();
    }
    if (Clock::now() - began > LONG_WAIT) {
      alone = penalty;
      penalty = std::min(2 * penalty, LAST_PENALTY);
    } else if (penalty > FIRST_PENALTY) {
      penalty--;
    }
  }

  void resize(int threads) {
    stop.store(true);
    { std::lock_guard<std::mutex> lock(sleep); }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
    workers.clear();
    stop.store(false);
    for (int slot = 1; slot < threads; slot++) workers.emplace_back(&Pool::work, this, slot, call.load());
  }
};

std::atomic<int> wanted{1};
Pool* pool = nullptr;  // never destroyed: workers may outlive static objects at exit

// The pool with the wanted number of threads, for the holder of its lock.
void start() {
  if ((int)pool->workers.size() + 1 != wanted.load()) pool->resize(wanted.load());
}

// A forked child has none of the threads: it begins with a pool of its own.
void forget_pool() { pool = new Pool; }

struct Begin {
  Begin() {
    pool = new Pool;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, forget_pool);
#endif
  }
} begin;

struct Memory {
  float* data = nullptr;
  size_t size = 0;
  ~Memory() { std::free(data); }
};

}  // namespace

void set_threads(int count) { wanted.store(std::max(1, count)); }

int threads() { return wanted.load(); }

void parallel(int count, void (*item)(void*, int, int), void* context) {
  if (count > 1 && wanted.load() > 1) {
    std::unique_lock<std::mutex> lock(pool->caller, std::try_to_lock);
    if (lock.owns_lock()) {
      if (pool->alone == 0) {
        start();
        return pool->run(count, item, context);
      }
      pool->alone--;
    }
  }
  for (int i = 0; i < count; i++) item(context, i, 0);
}

float* scratch(size_t floats) {
  static thread_local Memory memory;
  if (memory.size < floats) {
    std::free(memory.data);
    memory.size = 0;
    size_t bytes = (floats * sizeof(float) + 4095) / 4096 * 4096;
    memory.data = (float*)std::aligned_alloc(64, bytes);
    if (!memory.data) throw std::bad_alloc();
    memory.size = bytes / sizeof(float);
  }
  return memory.data;
}
