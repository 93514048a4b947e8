// The two pinned chips, as a test's parameter.
#pragma once

#include <string>

#include "naru/abi/chip.h"
#include "naru/profile/profile.h"

namespace naru::sdk::testing {

struct Chip {
  std::string name;
  abi::Chip numbers;
  friend std::ostream& operator<<(std::ostream& out, const Chip& chip) { return out << chip.name; }
};

inline Chip chip_of(const std::string& name) { return {name, profile::load(name).value().chip}; }
inline Chip edge() { return chip_of("edge"); }
inline Chip tiny() { return chip_of("tiny"); }

}  // namespace naru::sdk::testing
