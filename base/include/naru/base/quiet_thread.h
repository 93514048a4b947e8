// Threads on which no signal handler of the process runs: the program that uses this library does not know them.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

#include <pthread.h>

namespace naru {

/// All signals are blocked from its first instruction on. std::system_error: no thread to be had.
template <typename Body>
[[nodiscard]] std::thread start_quiet_thread(Body&& body) {
  struct Blocked {
    sigset_t before{};
    Blocked() noexcept {
      sigset_t all;
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
  } const blocked;  // a thread begins with its maker's mask
  return std::thread(std::forward<Body>(body));
}

}  // namespace naru
