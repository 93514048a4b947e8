// Handing out parts, spinning, sleeping.
#include "threads/compute_threads.h"

#include "naru/base/quiet_thread.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace naru::mockdev {
namespace {

constexpr int kSpins = 1000;  // some ten microseconds

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

ComputeThreads::ComputeThreads(unsigned count) {
  threads_.reserve(count - 1);
  try {
    for (unsigned thread = 1; thread < count; ++thread) threads_.push_back(start_quiet_thread([this, thread] { work(thread); }));
  } catch (...) {
    stop();
    throw;
  }
}

ComputeThreads::~ComputeThreads() { stop(); }

void ComputeThreads::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ComputeThreads::run(unsigned parts, Task task, void* context) noexcept {
  const std::uint32_t round = round_.load(std::memory_order_relaxed) + 1;
  task_ = task;
  context_ = context;
  unfinished_.store(parts, std::memory_order_relaxed);
  next_.store(std::uint64_t{round} << 32 | std::uint64_t{parts} << 16, std::memory_order_release);
  round_.store(round, std::memory_order_release);
  round_.notify_all();
  take_parts(round, 0);
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      relax();
    } else {
      std::this_thread::yield();  // more threads than processors
    }
  }
}

void ComputeThreads::take_parts(std::uint32_t round, unsigned thread) noexcept {
  std::uint64_t next = next_.load(std::memory_order_acquire);
  for (;;) {
    const auto part = static_cast<std::uint16_t>(next), parts = static_cast<std::uint16_t>(next >> 16);
    if (next >> 32 != round || part >= parts) return;
    if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    // The round cannot end, and its task not change, before this part is done.
    task_(context_, part, thread);
    unfinished_.fetch_sub(1, std::memory_order_release);
    next = next_.load(std::memory_order_acquire);
  }
}

void ComputeThreads::work(unsigned thread) noexcept {
  std::uint32_t seen = 0;
  for (;;) {
    std::uint32_t now = round_.load(std::memory_order_acquire);
    for (int spins = 0; now == seen && spins < kSpins; ++spins) {
      relax();
      now = round_.load(std::memory_order_acquire);
    }
    if (now == seen) {
      round_.wait(seen, std::memory_order_acquire);
      continue;
    }
    seen = now;
    if (stopping_.load(std::memory_order_relaxed)) return;
    take_parts(now, thread);
  }
}

}  // namespace naru::mockdev
