// The 16-bit sigmoid and tanh of LOGISTIC, TANH and the LSTM's gates (numerics 25), and the float ones.
#pragma once

#include <cstdint>

namespace naru::sdk::reference {

/// How a 16-bit code comes to the table's argument: times `multiplier`, then `shift` bits to the right, rounded. A multiplier of 0 stands for a scale
/// that is a power of two: 3 << shift and no shift.
struct GateScale {
  std::int32_t multiplier = 0;
  int shift = 0;
};

/// The scale of LOGISTIC's or TANH's operand. Powers of two 2^-12 (and for TANH 2^-11) need no multiplier.
[[nodiscard]] GateScale gate_scale_of(float scale, int shift_max);

/// round(log2(x)), by float32 logarithms as TFLite takes it; `exact` when x is a power of two within a thousandth.
struct Log2 {
  int value = 0;
  bool exact = false;
};
[[nodiscard]] Log2 log2_of(float x);

/// Results are in Q0.15.
[[nodiscard]] std::int16_t sigmoid_16(std::int16_t x, const GateScale& scale);
[[nodiscard]] std::int16_t tanh_16(std::int16_t x, const GateScale& scale);

/// 1 / (1 + e^-x) in float32; beyond TFLite's limits it is 1 or e^x.
[[nodiscard]] float sigmoid_real(float x);

}  // namespace naru::sdk::reference
