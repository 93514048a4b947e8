// The known-answer jobs: one small command stream per operator with seeded inputs, and the answers that the reference gave when this was shipped.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "naru/abi/stream.h"

namespace naru::sdk::runtime::diagnostics {

/// Regions of every case's stream: 0 SRAM, 1 input (DRAM, read), 2 output (DRAM, written).
struct KnownAnswerCase {
  std::string_view name;  // "operator.conv2d"; several cases may share a name
  abi::Stream stream;
  std::vector<std::byte> input;
  std::size_t output_bytes = 0;
};
[[nodiscard]] std::vector<KnownAnswerCase> known_answer_cases();

/// By case, in order. Made by tools/known_answers from the stream reference; a test makes them again and compares.
[[nodiscard]] std::span<const std::span<const unsigned char>> known_answers();

}  // namespace naru::sdk::runtime::diagnostics
