// From a tensor's element type to a C++ type, for kernels that are templates.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "reference/ops/call.h"

namespace naru::sdk::reference {

/// A bool tensor's element: any byte but 0 is true.
struct Truth {
  std::uint8_t byte = 0;
  Truth() = default;
  explicit Truth(bool value) : byte(value ? 1 : 0) {}
  operator bool() const { return byte != 0; }
};
static_assert(sizeof(Truth) == 1);

template <typename T>
[[nodiscard]] constexpr abi::ElementType element_type_of() {
  if constexpr (std::is_same_v<T, std::int8_t>)
    return abi::ElementType::kI8;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return abi::ElementType::kU8;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return abi::ElementType::kI16;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return abi::ElementType::kI32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return abi::ElementType::kI64;
  else if constexpr (std::is_same_v<T, float>)
    return abi::ElementType::kF32;
  else
    return abi::ElementType::kBool;
}

/// Calls function(T{}) with the one of Ts that `type` stands for; refuses when there is none.
template <typename... Ts, typename Function>
void dispatch(const Call& call, abi::ElementType type, const Function& function) {
  const bool done = ((element_type_of<Ts>() == type ? (function(Ts{}), true) : false) || ...);
  if (!done) call.refuse(ErrorId::kModelTypeUnsupported, "has no reference kernel for " + std::string(abi::name_of(type)));
}

}  // namespace naru::sdk::reference
