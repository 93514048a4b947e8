// A profile: everything about one model of a device, read from a text file that a user can copy and change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "naru/abi/chip.h"
#include "naru/base/result.h"

namespace naru::profile {

/// What a mock needs beyond the chip. Units in the names.
struct Link {
  bool super_speed = true;
  std::uint32_t megabytes_per_second = 440;  // each way
  std::uint32_t round_trip_us = 270;
};
struct Power {
  std::uint32_t idle_milliwatts = 300;
  std::uint32_t full_mac_milliwatts = 2000;
  std::int32_t ambient_millicelsius = 25000;
  std::uint32_t thermal_resistance_millikelvin_per_watt = 20000;
  std::uint32_t thermal_time_constant_ms = 10000;
  std::int32_t throttle_millicelsius = 85000;
};

struct Profile {
  std::string name;
  abi::Chip chip;
  Link link;
  Power power;
};

/// By name (embedded ones, then installed ones in NARU_PROFILE_PATH or the install's share folder), then as a path.
/// kProfileNotFound lists the known names; kProfileInvalid names file, line and key.
[[nodiscard]] NARU_API Result<Profile> load(std::string_view name_or_path);
/// Parses the text of a profile; `origin` is used in errors.
[[nodiscard]] NARU_API Result<Profile> parse(std::string_view text, std::string_view origin);
/// The ranges that parse() demands, for a profile made or changed in code. kProfileInvalid names the key.
[[nodiscard]] NARU_API Result<void> check(const Profile& profile);
/// Names of the embedded profiles.
[[nodiscard]] NARU_API std::vector<std::string> names();

}  // namespace naru::profile
