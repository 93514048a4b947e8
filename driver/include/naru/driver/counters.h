// What the driver itself counted: transfers, bytes and copies on the host's side of the cable.
#pragma once

#include <cstdint>

namespace naru::driver {

/// All since the device was opened. The device's own counters are abi::Counters.
struct HostCounters {
  std::uint64_t control_transfers = 0, out_transfers = 0, in_transfers = 0;
  std::uint64_t out_bytes = 0, in_bytes = 0;
  std::uint64_t messages_out = 0, messages_in = 0;
  std::uint64_t copies = 0, copied_bytes = 0;  // payload moved by the host's CPU: inline payloads and the odd tail of a large one
  std::uint64_t jobs_submitted = 0, jobs_done = 0, jobs_failed = 0;
  std::uint64_t recoveries = 0, stale_messages = 0, protocol_errors = 0, checksum_errors = 0, memory_backoffs = 0;
};

}  // namespace naru::driver
