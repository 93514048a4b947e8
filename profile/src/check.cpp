// Range checks of a profile's values, whoever made it.
#include "keys.h"

namespace naru::profile {

Result<void> check(const Profile& profile) {
  const auto refuse = [&](std::string what) { return fail(ErrorId::kProfileInvalid, fmt::format("Profile \"{}\": {}", profile.name, what)); };
  if (profile.name.empty() || profile.name.size() > 23) return refuse("name must have 1 to 23 characters");
  std::string fault;
  for_each_key(profile, [&](std::string_view section, std::string_view key, const auto& value, Range range) {
    const auto wide = static_cast<std::int64_t>(value);
    if (!fault.empty() || (wide >= range.low && wide <= range.high)) return;
    fault = fmt::format("{}.{} is {}; it must be from {} to {}", section, key, wide, range.low, range.high);
  });
  if (fault.empty() && profile.power.full_mac_milliwatts < profile.power.idle_milliwatts)
    fault = fmt::format("power.full_mac_milliwatts is {}, below power.idle_milliwatts {}", profile.power.full_mac_milliwatts, profile.power.idle_milliwatts);
  if (!fault.empty()) return refuse(fault);
  return {};
}

}  // namespace naru::profile
