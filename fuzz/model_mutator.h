// Changes to a TFLite file that keep it a TFLite file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace naru::fuzzing {

/// Changes `data` in place, at most to `size_max` bytes, and returns its new size. The same seed makes the same change.
[[nodiscard]] std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed);

}  // namespace naru::fuzzing
