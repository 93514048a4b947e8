// The one list of profile keys: name, where the value goes, what it may be. Reader and checks walk it; nothing else knows a key.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <fmt/format.h>

#include "naru/profile/profile.h"

namespace naru::profile {

struct Range {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

inline constexpr std::int64_t kGiga = std::int64_t{1} << 30;

/// What a chip's numbers may be; the lanes bound keeps cycle sums far inside 64 bits.
[[nodiscard]] constexpr Range chip_range(std::string_view key) noexcept {
  if (key == "isa_generation") return {abi::kIsaGeneration, abi::kIsaGeneration};
  if (key == "dma_engines") return {1, abi::kDmaEnginesMax};
  if (key == "clock_khz") return {1, 10'000'000};
  if (key == "start_cycles" || key == "dram_latency_cycles") return {0, 1'000'000};
  if (key == "dram_burst_bytes") return {1, 65536};
  if (key == "sram_bytes") return {4096, kGiga};
  if (key == "dram_bytes") return {1 << 20, 64 * kGiga};
  if (key == "job_cycles_max") return {1, std::int64_t{1} << 40};
  return {1, 65536};
}

/// Calls use(key, value, range) for every key of the file but `name`; `key` is "section.key".
template <typename ProfileType, typename Use>
void for_each_key(ProfileType& profile, Use&& use) {
  std::apply([&](const auto&... field) { (use("chip", field.name, profile.chip.*field.member, chip_range(field.name)), ...); }, abi::Chip::fields());
  use("link", "super_speed", profile.link.super_speed, Range{0, 1});
  use("link", "megabytes_per_second", profile.link.megabytes_per_second, Range{1, 1'000'000});
  use("link", "round_trip_us", profile.link.round_trip_us, Range{0, 1'000'000});
  use("power", "idle_milliwatts", profile.power.idle_milliwatts, Range{0, 1'000'000});
  use("power", "full_mac_milliwatts", profile.power.full_mac_milliwatts, Range{0, 1'000'000});
  use("power", "ambient_millicelsius", profile.power.ambient_millicelsius, Range{-55'000, 125'000});
  use("power", "thermal_resistance_millikelvin_per_watt", profile.power.thermal_resistance_millikelvin_per_watt, Range{0, 1'000'000});
  use("power", "thermal_time_constant_ms", profile.power.thermal_time_constant_ms, Range{1, 1'000'000});
  use("power", "throttle_millicelsius", profile.power.throttle_millicelsius, Range{-55'000, 200'000});
}

}  // namespace naru::profile
