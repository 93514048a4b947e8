// Softmax over one row of codes in fixed point (docs/spec/numerics.md 11).
#pragma once

#include <cstdint>
#include <span>

namespace naru::sdk::reference {

struct SoftmaxRule {
  std::int32_t multiplier = 0;  // Q31, of the differences
  int left_shift = 0;           // 0 to 30
  std::int32_t difference_min = 0;
};

/// Replaces the row's input codes by probabilities in 1/256, from 0 to 255. The row has at least one element.
void softmax_row(std::span<std::int32_t> row, const SoftmaxRule& rule);

}  // namespace naru::sdk::reference
