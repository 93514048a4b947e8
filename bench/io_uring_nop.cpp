// liburing, defaults, one submission per call.
#include "io_uring_nop.h"

#include <liburing.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace naru::bench {
namespace {

constexpr unsigned kEntries = 64;

}  // namespace

struct IoUringNop::State {
  io_uring ring{};
};

IoUringNop::IoUringNop() : state_(std::make_unique<State>()) {
  if (const int code = ::io_uring_queue_init(kEntries, &state_->ring, 0); code < 0) throw std::runtime_error(std::string("io_uring cannot be used here: ") + std::strerror(-code));
}

IoUringNop::~IoUringNop() { ::io_uring_queue_exit(&state_->ring); }

void IoUringNop::run(std::size_t count) {
  io_uring& ring = state_->ring;
  for (std::size_t i = 0; i < count; ++i) {
    io_uring_sqe* const entry = ::io_uring_get_sqe(&ring);
    if (entry == nullptr) throw std::runtime_error("io_uring: the queue is full");
    ::io_uring_prep_nop(entry);
  }
  if (::io_uring_submit_and_wait(&ring, static_cast<unsigned>(count)) < 0) throw std::runtime_error("io_uring: submitting failed");
  for (std::size_t i = 0; i < count; ++i) {
    io_uring_cqe* completion = nullptr;
    if (::io_uring_wait_cqe(&ring, &completion) < 0) throw std::runtime_error("io_uring: waiting failed");
    ::io_uring_cqe_seen(&ring, completion);
  }
}

}  // namespace naru::bench
