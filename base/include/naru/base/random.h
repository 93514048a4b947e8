// Seeded randomness for tests, generators and simulations: the same seed gives the same numbers on every platform.
#pragma once

#include <cstdint>

namespace naru {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Not for secrets.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound); bound > 0. The bias for bounds far below 2^64 is negligible here.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  /// Uniform in [low, high], both included.
  constexpr std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  constexpr bool chance(std::uint64_t one_in) noexcept { return below(one_in) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace naru
