// What all parts of one device share: its numbers, clock, counters, epoch, log and planted faults. Owned by the Device; parts borrow it.
#pragma once

#include "core/log.h"
#include "naru/abi/wire.h"
#include "naru/base/clock.h"
#include "naru/base/random.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"

namespace naru::mockdev {

/// Seed of the bits that the link fault flips; a constant, so that a failing test repeats.
inline constexpr std::uint64_t kFaultSeed = 0x6E617275;

struct State {
  State(const profile::Profile& profile_, DeviceOptions options_) : profile(profile_), options(std::move(options_)) {}

  const profile::Profile profile;
  const DeviceOptions options;
  VirtualClock clock;
  abi::Counters counters;
  std::uint32_t epoch = 1;
  std::uint16_t protocol = abi::kProtocolMin;  // that the host speaks, as its newest message says
  std::uint64_t heartbeat = 0;  // commands retired since power-on
  Log log;
  PlantedFaults faults;
  Random fault_random{kFaultSeed};

  [[nodiscard]] const abi::Chip& chip() const noexcept { return profile.chip; }
  [[nodiscard]] std::uint32_t packet_bytes() const noexcept { return profile.link.super_speed ? 1024 : 512; }
};

}  // namespace naru::mockdev
