// Result<T> and the one macro for passing errors on.
#pragma once

#include <tl/expected.hpp>

#include "naru/base/error.h"

namespace naru {

/// A value, or the error that stands in its place. [[nodiscard]] comes from tl::expected's own declaration being wrapped by functions here.
template <typename T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorId::kDeviceLost, "Device {} is gone");` builds the failing side of any Result.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorId id, std::string message) {
  return tl::unexpected<Error>(Error(id, std::move(message)));
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace naru

#define NARU_DETAIL_JOIN2(a, b) a##b
#define NARU_DETAIL_JOIN(a, b) NARU_DETAIL_JOIN2(a, b)
#define NARU_DETAIL_TRY(temporary, target, expression)                                       \
  auto temporary = (expression);                                                             \
  if (!temporary) [[unlikely]]                                                               \
    return tl::unexpected<::naru::Error>(std::move(temporary).error());                      \
  target = std::move(*temporary)

/// `NARU_TRY(auto tile, plan(op));` binds the value or returns the error.
#define NARU_TRY(target, ...) NARU_DETAIL_TRY(NARU_DETAIL_JOIN(naru_try_, __COUNTER__), target, (__VA_ARGS__))
/// `NARU_CHECK_OK(write(...));` for Result<void>: returns the error, or goes on.
#define NARU_CHECK_OK(...)                                                                   \
  do {                                                                                       \
    if (auto naru_result = (__VA_ARGS__); !naru_result) [[unlikely]]                         \
      return tl::unexpected<::naru::Error>(std::move(naru_result).error());                  \
  } while (false)
/// The same with a "while ..." line: `NARU_CHECK_OK_WHILE(write(...), fmt::format("uploading {}", name));`
#define NARU_CHECK_OK_WHILE(expression, what)                                                \
  do {                                                                                       \
    if (auto naru_result = (expression); !naru_result) [[unlikely]]                          \
      return tl::unexpected<::naru::Error>(std::move(naru_result).error().while_doing(what)); \
  } while (false)
