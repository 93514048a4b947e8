// Random changes to an encoded stream, mostly to its commands, with its lengths put right so that most changes get past framing.
#pragma once

#include <vector>

#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "sample_streams.h"

namespace naru::test {

inline void mutate(std::vector<std::byte>& bytes, Random& random) {
  const std::uint64_t changes = 1 + random.below(3);
  for (std::uint64_t i = 0; i < changes; ++i) {
    // Mostly commands: the header is fragile and soon refused.
    const std::size_t from = random.chance(16) ? 0 : kCommandsAt;
    const std::size_t at = from + random.below(bytes.size() - from);
    switch (random.below(4)) {
      case 0: bytes[at] = static_cast<std::byte>(random.next()); break;
      case 1: bytes[at] ^= static_cast<std::byte>(1U << random.below(8)); break;
      case 2: bytes[at] = static_cast<std::byte>(std::to_integer<unsigned>(bytes[at]) + (random.chance(2) ? 1U : 255U)); break;
      default:
        if (at + 4 <= bytes.size()) store_le<std::uint32_t>(bytes.data() + at, random.chance(2) ? 0xFFFF'FFFF : static_cast<std::uint32_t>(random.below(70'000)));
    }
  }
  if (random.chance(40)) bytes.resize(random.below(bytes.size() + 1));
  if (bytes.size() >= kCommandsAt) store_le<std::uint64_t>(bytes.data() + 16, bytes.size() - kCommandsAt);
}

}  // namespace naru::test
