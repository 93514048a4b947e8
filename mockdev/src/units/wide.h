// The plain loops for what the tile kernels do not cover: 16-bit inputs with 64-bit sums, and depthwise weight zero points of any size.
#pragma once

#include "units/units.h"

namespace naru::mockdev {

void execute_conv_wide(const abi::Conv& record, const ConvPointers& at) noexcept;
void execute_depthwise_wide(const abi::Depthwise& record, const DepthwisePointers& at) noexcept;

}  // namespace naru::mockdev
