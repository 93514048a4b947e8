// The profiles that are part of the library, as text.
#pragma once

#include <span>
#include <string_view>

namespace naru::profile {

struct EmbeddedProfile {
  std::string_view name;
  std::string_view text;
};

[[nodiscard]] std::span<const EmbeddedProfile> embedded_profiles() noexcept;

}  // namespace naru::profile
