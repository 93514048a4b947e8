// The mock device: a usb::Function that executes command streams to the bit, keeps time and breaks on demand.
#pragma once

#include <memory>
#include <string>

#include "naru/abi/wire.h"
#include "naru/base/result.h"
#include "naru/profile/profile.h"
#include "naru/usb/function.h"

namespace naru::mockdev {

/// kVirtual: time is accounted and never waited for (in-process, and `--time free`). kReal: the host calls step() with the wall time that
/// passed, and nothing is ready before its time.
enum class TimeMode : std::uint8_t { kVirtual, kReal };

struct DeviceOptions {
  std::string serial = "MOCK0001";
  TimeMode time = TimeMode::kVirtual;
  std::string kernels;  // "", "amx", "vnni", "avx2" or "portable"; "" takes NARU_KERNELS, else the fastest that the CPU has
  unsigned threads = 0;  // that compute large commands together, 1 to 64; 0 takes NARU_THREADS, else 1. The bytes are the same
};

/// Faults that tests and `naru mock` plant. Each stays until cleared.
struct PlantedFaults {
  bool kernel_error = false;         // every MAC result's lowest output byte of a command is off by one: wrong bytes with status OK (F24)
  std::int64_t sram_stuck_bit = -1;  // bit number in SRAM (byte * 8 + bit) that always reads 1
  bool link_corruption = false;      // one bit of bulk data is flipped per transfer of 512 bytes or more, after checksums were made
};

class Device : public usb::Function {
 public:
  /// Errors: kProfileInvalid, kInvalidArgument (kernels, threads), kHostOutOfMemory.
  [[nodiscard]] static Result<std::unique_ptr<Device>> create(const profile::Profile& profile, DeviceOptions options = {});

  virtual void plant(const PlantedFaults& faults) = 0;
  [[nodiscard]] virtual abi::Counters counters() const = 0;
  [[nodiscard]] virtual abi::Sensors sensors() const = 0;
  [[nodiscard]] virtual std::string_view kernel_path() const noexcept = 0;
};

}  // namespace naru::mockdev
