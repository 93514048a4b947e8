// A job that does nothing, and everything around it: what is measured in-process and over USB alike.
#pragma once

#include <vector>

#include "naru/driver/device.h"

namespace naru::bench {

/// One stream of END only that declares one region, loaded (and verified) once. Borrows the device.
class NullJob {
 public:
  [[nodiscard]] static Result<NullJob> make(driver::Device& device);

  /// Submit with a deadline armed, wait, look at the fence, destroy the ticket.
  [[nodiscard]] Result<void> run();
  /// `count` of them, so many in flight: the oldest is waited for before the next is submitted.
  [[nodiscard]] Result<void> run_in_flight(std::size_t in_flight, std::size_t count);
  /// `count` of them by one submit_batch(); all waited for and destroyed.
  [[nodiscard]] Result<void> run_batch(std::size_t count);

 private:
  [[nodiscard]] Result<driver::Job> submit();
  [[nodiscard]] Result<void> finish(driver::Job& job);

  driver::Device* device_ = nullptr;
  driver::Queue queue_;
  driver::Buffer buffer_;
  driver::Stream stream_;
  std::vector<driver::JobDescription> descriptions_;
  std::vector<driver::Job> jobs_;
};

}  // namespace naru::bench
