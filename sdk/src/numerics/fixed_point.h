// 32-bit fixed point as TFLite's integer kernels compute it (numerics 1, 11 and 23): a number of n integer bits is its raw value times 2^(n - 31).
// For tables made by the compiler and for host steps; every overflow saturates or wraps as there.
#pragma once

#include <cstdint>

#include "numerics/numerics.h"

namespace naru::sdk::numerics {

/// The nearest value that 32 bits hold.
[[nodiscard]] std::int32_t saturate(std::int64_t value) noexcept;
/// High half of twice the product, rounded to nearest, saturated.
[[nodiscard]] std::int32_t rounding_high_mul(std::int32_t a, std::int32_t b) noexcept;
/// value / 2^exponent, half away from zero; 0 from exponent 32 on.
[[nodiscard]] std::int32_t divide_by_power(std::int32_t value, int exponent) noexcept;
/// value * 2^exponent, saturated; exponent 0 to 31.
[[nodiscard]] std::int32_t saturating_left(std::int64_t value, int exponent) noexcept;

/// e^value for a value of 4 or 5 integer bits that is not over 0; the result has none.
[[nodiscard]] std::int32_t exp_of_negative(std::int32_t value, int integer_bits = 5) noexcept;
/// 1/(1 + value) for a value of no integer bits in 0 to 1; the result has none.
[[nodiscard]] std::int32_t one_over_one_plus(std::int32_t value) noexcept;
/// 1/(1 + e^-value) and tanh(value) for a value of 4 integer bits; the result has none.
[[nodiscard]] std::int32_t logistic(std::int32_t value) noexcept;
[[nodiscard]] std::int32_t tanh(std::int32_t value) noexcept;
/// ln of a value of 12 integer bits; the result has 5.
[[nodiscard]] std::int32_t logarithm(std::int32_t value) noexcept;

/// 1/value = scale * 2^-bits_over_unit, where value (over 0) has `integer_bits`; the scale has no integer bits.
struct Reciprocal {
  std::int32_t scale = 0;
  int bits_over_unit = 0;
};
[[nodiscard]] Reciprocal reciprocal(std::int32_t value, int integer_bits) noexcept;
/// 1/sqrt(value) for a whole number; 1 and less count as 1.
[[nodiscard]] Multiplier inverse_square_root(std::int32_t value) noexcept;

}  // namespace naru::sdk::numerics
