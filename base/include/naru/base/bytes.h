// Little-endian loads and stores, alignment and checked 64-bit arithmetic: all that a record's bytes or a size computation needs.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace naru {

/// Reads an integer of T from `bytes` (at least sizeof(T) of them), whatever the host's byte order and alignment.
template <std::integral T>
[[nodiscard]] constexpr T load_le(const std::byte* bytes) noexcept {
  using U = std::make_unsigned_t<T>;
  // What compilers make of the loop is not always one load.
  if constexpr (std::endian::native == std::endian::little) {
    if (!std::is_constant_evaluated()) {
      T result;
      std::memcpy(&result, bytes, sizeof(T));
      return result;
    }
  }
  U value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<U>(value | static_cast<U>(static_cast<U>(bytes[i]) << (8 * i)));
  return static_cast<T>(value);
}

template <std::integral T>
constexpr void store_le(std::byte* bytes, T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    if (!std::is_constant_evaluated()) {
      std::memcpy(bytes, &value, sizeof(T));
      return;
    }
  }
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(bits) >> (8 * i));
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr T ceil_div(T value, T divisor) noexcept {
  return static_cast<T>(value / divisor + (value % divisor != 0 ? 1 : 0));
}

/// `alignment` is any positive number; the caller knows that the sum fits.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T align_up(T value, T alignment) noexcept {
  return ceil_div(value, alignment) * alignment;
}

/// nullopt when the 64-bit result does not fit.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

template <typename T>
[[nodiscard]] std::span<const std::byte> bytes_of(std::span<const T> values) noexcept {
  return std::as_bytes(values);
}

}  // namespace naru
