#include "threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr microseconds SPIN(60);  // how long a worker looks for the next call before it sleeps
// Waiting for a worker's item this much longer than two items take means that the worker has lost its core, for a few
// milliseconds: all that it can do in the other milliseconds does not make up for it.
constexpr microseconds LONG_WAIT(300);
constexpr microseconds FIRST_PENALTY(10000), LAST_PENALTY(1000000);  // how long calls then run alone, doubled each time
// Time together after which a long wait counts as the first again: a process that stays takes the core within a few
// milliseconds, one that comes and goes should not cost a second each time.
constexpr microseconds FORGIVEN(30000);

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct alignas(64) Share {  // of the items of a call
  std::atomic<int> next{0};
  int end = 0;
};

struct Pool {
  std::mutex caller;  // one call at a time; a second one runs alone
  std::mutex sleep;
  std::condition_variable wake;
  std::vector<std::thread> workers;
  int asked = 1;  // threads, the caller counted; there are fewer where the system gives no more
  std::atomic<unsigned> call{0};   // number of the current call
  std::atomic<bool> open{false};   // workers may join the current call
  std::atomic<int> inside{0};      // workers that have joined
  std::atomic<int> sleeping{0};
  std::atomic<bool> stop{false};
  std::unique_ptr<Share[]> shares{new Share[1]};  // one a thread
  void (*item)(void*, int, int) = nullptr;
  void* context = nullptr;
  Clock::time_point alone_until;
  microseconds penalty = FIRST_PENALTY;

  // A thread's own share first: the same images in every call, which its cache still holds; then what others have left.
  int take(int slot) {
    int done = 0;
    const int all = workers.size() + 1;
    for (int s = 0; s < all; s++) {
      Share& share = shares[(slot + s) % all];
      for (int i; (i = share.next.fetch_add(1)) < share.end; done++) item(context, i, slot);
    }
    return done;
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
    item = function;
    context = argument;
    const int all = workers.size() + 1;
    for (int s = 0; s < all; s++) {
      shares[s].next.store((int)((int64_t)items * s / all));
      shares[s].end = (int)((int64_t)items * (s + 1) / all);
    }
    open.store(true);
    call.fetch_add(1);
    if (sleeping.load()) {
      { std::lock_guard<std::mutex> lock(sleep); }
      wake.notify_all();
    }
    const auto began = Clock::now();
    const int done = take(0);
    open.store(false);
    if (!inside.load()) return;
    const auto now = Clock::now();
    wait(now, LONG_WAIT + 2 * (now - began) / std::max(done, 1));
  }

  // Until all workers are out of the call.
  void wait(Clock::time_point began, Clock::duration bearable) {
    for (int turns = 1; inside.load(); turns++) {
      relax();
      if (turns % 256 == 0 && Clock::now() - began > bearable) std::this_thread::yield();
    }
    const auto now = Clock::now();
    if (now - began > bearable) {
      penalty = now - alone_until < FORGIVEN ? std::min(2 * penalty, LAST_PENALTY) : FIRST_PENALTY;
      alone_until = now + penalty;
    }
  }

  void resize(int threads) {
    stop.store(true);
    { std::lock_guard<std::mutex> lock(sleep); }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
    workers.clear();
    stop.store(false);
    shares.reset(new Share[threads]);
    asked = threads;
    try {
      for (int slot = 1; slot < threads; slot++) workers.emplace_back(&Pool::work, this, slot, call.load());
    } catch (const std::system_error&) {  // no room for another thread: those that have begun do the work
    }
  }
};

std::atomic<int> wanted{1};
Pool* pool = nullptr;  // never destroyed: workers may outlive static objects at exit

// The pool with the wanted number of threads, for the holder of its lock.
void start() {
  if (pool->asked != wanted.load()) pool->resize(wanted.load());
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
      if (Clock::now() >= pool->alone_until) {
        start();
        return pool->run(count, item, context);
      }
    }
  }
  for (int i = 0; i < count; i++) item(context, i, 0);
}

bool awake() { return wanted.load() > 1 && pool->call.load() != 0 && pool->sleeping.load() == 0; }

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
