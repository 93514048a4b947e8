// The handler only sets a flag; verbs look at it between waits.
#include "interrupt.h"

#include <csignal>

namespace naru::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int) { interrupted = 1; }

/// A signal that was ignored at the start (SIGINT of a script's `&`) stays ignored.
void take(int signal) noexcept {
  struct sigaction before{};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = &on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(signal, &action, nullptr);
}

void give_back(int signal) noexcept {
  struct sigaction now{};
  sigaction(signal, nullptr, &now);
  if (now.sa_handler == &on_signal) std::signal(signal, SIG_DFL);
}

}  // namespace

Interruption::Interruption() noexcept {
  interrupted = 0;
  take(SIGINT);
  take(SIGTERM);
}

Interruption::~Interruption() {
  give_back(SIGINT);
  give_back(SIGTERM);
}

bool Interruption::requested() const noexcept { return interrupted != 0; }

}  // namespace naru::cli
