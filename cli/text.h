// Figures for people: thousands separated, byte sizes, durations, shapes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "app.h"

namespace naru::cli {

[[nodiscard]] std::string with_commas(std::uint64_t value);        // 84,601
[[nodiscard]] std::string byte_size(std::uint64_t bytes);          // 96.0 KiB
[[nodiscard]] std::string milliseconds(std::chrono::nanoseconds);  // 0.17 ms
[[nodiscard]] std::string shape_text(const TensorInfo& info);      // 1x28x28x1 int8, scale 0.0039, zero point -128
[[nodiscard]] Json to_json(const TensorInfo& info);

}  // namespace naru::cli
