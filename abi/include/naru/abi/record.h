// Described records: one list of fields per record, from which encoding, decoding, size, disassembly, documentation and fuzzing come.
// Bytes on the wire are little-endian, packed in the order of fields(); the C++ layout never matters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "naru/base/bytes.h"

namespace naru::abi {

/// One member of a record: its name in disassembly and documentation, where it is, and what it means (with unit).
template <typename Owner, typename T>
struct Field {
  std::string_view name;
  T Owner::*member;
  std::string_view meaning;
};
template <typename Owner, typename T>
Field(const char*, T Owner::*, const char*) -> Field<Owner, T>;

/// Bytes that must be zero. A record whose reserved bytes are not is refused: they are how later versions stay recognisable.
template <std::size_t N>
struct Reserved {
  friend constexpr bool operator==(const Reserved&, const Reserved&) = default;
};

template <typename T>
concept Described = requires { T::fields(); };

template <typename T>
struct is_reserved : std::false_type {};
template <std::size_t N>
struct is_reserved<Reserved<N>> : std::true_type {};
template <typename T>
struct is_std_array : std::false_type {};
template <typename T, std::size_t N>
struct is_std_array<std::array<T, N>> : std::true_type {};

template <typename T>
[[nodiscard]] constexpr std::size_t wire_size();

namespace detail {
/// Made when this is compiled, so that a codec is straight-line loads and stores.
template <Described T>
inline constexpr auto kFields = T::fields();

template <std::size_t N>
constexpr std::size_t reserved_size(const Reserved<N>*) {
  return N;
}
}  // namespace detail

/// Bytes that a T takes on the wire.
template <typename T>
constexpr std::size_t wire_size() {
  if constexpr (is_reserved<T>::value) {
    return detail::reserved_size(static_cast<const T*>(nullptr));
  } else if constexpr (is_std_array<T>::value) {
    return std::tuple_size_v<T> * wire_size<typename T::value_type>();
  } else if constexpr (Described<T>) {
    return std::apply([](const auto&... field) { return (wire_size<std::remove_cvref_t<decltype(std::declval<T&>().*field.member)>>() + ... + 0); },
                      detail::kFields<T>);
  } else {
    static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
    return sizeof(T);
  }
}

namespace detail {

/// In two loads, which may overlap: compilers make one for each byte of a loop.
template <std::size_t N>
constexpr bool is_zero(const std::byte* at) {
  static_assert(N >= 1 && N <= 8);
  if constexpr (N >= 4) {
    return (load_le<std::uint32_t>(at) | load_le<std::uint32_t>(at + N - 4)) == 0;
  } else if constexpr (N >= 2) {
    return (load_le<std::uint16_t>(at) | load_le<std::uint16_t>(at + N - 2)) == 0;
  } else {
    return *at == std::byte{0};
  }
}

template <typename T>
constexpr void put(std::byte*& at, const T& value) {
  if constexpr (is_reserved<T>::value) {
    for (std::size_t i = 0; i < wire_size<T>(); ++i) *at++ = std::byte{0};
  } else if constexpr (is_std_array<T>::value) {
    for (const auto& element : value) put(at, element);
  } else if constexpr (Described<T>) {
    std::apply([&](const auto&... field) { (put(at, value.*field.member), ...); }, kFields<T>);
  } else if constexpr (std::is_enum_v<T>) {
    put(at, static_cast<std::underlying_type_t<T>>(value));
  } else {
    store_le(at, value);
    at += sizeof(T);
  }
}

/// Returns false when reserved bytes are not zero.
template <typename T>
constexpr bool take(const std::byte*& at, T& value) {
  bool clean = true;
  if constexpr (is_reserved<T>::value) {
    clean = is_zero<wire_size<T>()>(at);
    at += wire_size<T>();
  } else if constexpr (is_std_array<T>::value) {
    for (auto& element : value) clean = take(at, element) && clean;
  } else if constexpr (Described<T>) {
    std::apply([&](const auto&... field) { ((clean = take(at, value.*field.member) && clean), ...); }, kFields<T>);
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> raw{};
    take(at, raw);
    value = static_cast<T>(raw);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = *at != std::byte{0};
    clean = *at == std::byte{0} || *at == std::byte{1};
    ++at;
  } else {
    value = load_le<T>(at);
    at += sizeof(T);
  }
  return clean;
}

}  // namespace detail

template <Described T>
[[nodiscard]] constexpr std::array<std::byte, wire_size<T>()> encode(const T& record) {
  std::array<std::byte, wire_size<T>()> bytes{};
  std::byte* at = bytes.data();
  detail::put(at, record);
  return bytes;
}

/// Writes `record` at the front of `target`, which has at least wire_size<T>() bytes; returns that size.
template <Described T>
constexpr std::size_t encode_to(std::span<std::byte> target, const T& record) {
  std::byte* at = target.data();
  detail::put(at, record);
  return wire_size<T>();
}

enum class Decoded : std::uint8_t { kOk, kTooShort, kReservedNotZero };

/// Reads a T from the front of `source`. Checks length and reserved bytes only: ranges and enumerators are the reader's to check.
template <Described T>
[[nodiscard]] constexpr Decoded decode(std::span<const std::byte> source, T& record) {
  if (source.size() < wire_size<T>()) return Decoded::kTooShort;
  const std::byte* at = source.data();
  return detail::take(at, record) ? Decoded::kOk : Decoded::kReservedNotZero;
}

}  // namespace naru::abi
