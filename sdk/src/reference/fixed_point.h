// Functions of fixed-point numbers in 32 bits, as gemmlowp and TFLite define them: what LOGISTIC, TANH, SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION, DIV and
// RSQRT on codes are made of. Qm.n has m integer and n fractional bits; Q0.31 unless said otherwise.
#pragma once

#include <cstdint>

#include "reference/arithmetic.h"

namespace naru::sdk::reference {

/// value * 2^exponent: saturating to the left, rounding half away from zero to the right.
[[nodiscard]] std::int32_t times_power_of_two(std::int32_t value, int exponent);

/// e^x for x <= 0 with `integer_bits` integer bits (4 or 5).
[[nodiscard]] std::int32_t exp_of_negative(std::int32_t x, int integer_bits);

/// 1 / (1 + e^-x) and tanh(x) of x in Q4.27.
[[nodiscard]] std::int32_t logistic_of(std::int32_t x);
[[nodiscard]] std::int32_t tanh_of(std::int32_t x);

/// log(x) for x >= 1 in Q12.19; the result is in Q5.26.
[[nodiscard]] std::int32_t log_of_at_least_one(std::int32_t x);

/// 1 / x of a positive integer: result = 2^31 / x * 2^bits_over_unit, about; `integer_digits` is where x has its binary point.
struct Reciprocal {
  std::int32_t value = 0;
  int bits_over_unit = 0;
};
[[nodiscard]] Reciprocal reciprocal_of(std::int32_t x, int integer_digits);

/// 1 / sqrt(x) of an integer x >= 0 as a Rescale; x = 0 counts as 1.
[[nodiscard]] Rescale inverse_square_root_of(std::int32_t x);

/// How far integers may be from 0 before the function's argument leaves its format (CalculateInputRadius).
[[nodiscard]] std::int32_t input_radius(int integer_bits, int shift);

}  // namespace naru::sdk::reference
