// When a sum or difference of quantised bytes may go the short way through requantisation (kernels.h), for the files that compute it.
#pragma once

#include "naru/abi/isa.h"
#include "units/kernels.h"

namespace naru::mockdev {

[[nodiscard]] inline bool is_short_add(const abi::Elementwise& record) noexcept {
  // 510 << 20 each, so that no value and no sum reaches 2^30.
  const auto is_short = [](std::int32_t multiplier, std::int32_t shift) { return multiplier >= 0 && shift <= 0 && shift >= -kShortShiftMax; };
  const auto is_near = [](std::int32_t zero) { return zero >= -255 && zero <= 255; };
  if ((record.op != abi::ElementwiseOp::kAdd && record.op != abi::ElementwiseOp::kSub) || abi::element_bytes(record.type) != 1 || record.left_shift > 20) return false;
  if (!is_short(record.a_multiplier, record.a_shift) || !is_short(record.b_multiplier, record.b_shift) || !is_short(record.output_multiplier, record.output_shift)) return false;
  return is_near(record.a_zero) && is_near(record.b_zero) && is_near(record.output_zero) && bounds_fit(record.type, record.activation_min, record.activation_max);
}

}  // namespace naru::mockdev
