// The plain loops for what the tile kernels do not cover: 16-bit inputs with 64-bit sums, and depthwise weight zero points of any size.
#pragma once

#include "units/units.h"

namespace naru::mockdev {

/// Whether sums are of 64 bits and follow numerics 5.
template <typename Record>
[[nodiscard]] bool accumulates_wide(const Record& record) noexcept {
  return record.input_type == abi::ElementType::kI16 && record.weight_format != abi::WeightFormat::kDepthwiseI16;
}

void execute_conv_wide(const abi::Conv& record, const ConvPointers& at) noexcept;
void execute_depthwise_wide(const abi::Depthwise& record, const DepthwisePointers& at) noexcept;

}  // namespace naru::mockdev
