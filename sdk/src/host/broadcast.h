// Broadcasting as in numpy, for operators of up to three operands: one walk over the result with a stride per operand and dimension.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "graph/graph.h"

namespace naru::sdk::host {

class Broadcast {
 public:
  /// nullopt when an operand does not broadcast to `out`.
  static std::optional<Broadcast> of(std::span<const graph::Shape* const> operands, const graph::Shape& out);
  static std::optional<Broadcast> of(const graph::Shape& a, const graph::Shape& b, const graph::Shape& out) {
    const std::array<const graph::Shape*, 2> operands = {&a, &b};
    return of(operands, out);
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }

  /// f(index of a, index of b, index of the result) for every element of the result, in its order.
  template <typename F>
  void each(F&& f) const {
    walk([&](const std::array<std::int64_t, 3>& at, const Axis& inner, std::size_t out) {
      for (std::int64_t i = 0; i < inner.extent; ++i)
        f(static_cast<std::size_t>(at[0] + i * inner.strides[0]), static_cast<std::size_t>(at[1] + i * inner.strides[1]), out + static_cast<std::size_t>(i));
    });
  }
  template <typename F>
  void each_of_three(F&& f) const {
    walk([&](const std::array<std::int64_t, 3>& at, const Axis& inner, std::size_t out) {
      for (std::int64_t i = 0; i < inner.extent; ++i)
        f(static_cast<std::size_t>(at[0] + i * inner.strides[0]), static_cast<std::size_t>(at[1] + i * inner.strides[1]),
          static_cast<std::size_t>(at[2] + i * inner.strides[2]), out + static_cast<std::size_t>(i));
    });
  }

 private:
  struct Axis {
    std::int64_t extent = 1;
    std::array<std::int64_t, 3> strides{};
  };

  using Row = void (*)(void* function, const std::array<std::int64_t, 3>& at, const Axis& inner, std::size_t out);

  /// One copy of the walk for all operators: only what is done along a row is theirs.
  template <typename F>
  void walk(F&& inner) const {
    walk_rows([](void* function, const std::array<std::int64_t, 3>& at, const Axis& axis, std::size_t out) { (*static_cast<std::remove_reference_t<F>*>(function))(at, axis, out); },
              std::addressof(inner));
  }
  void walk_rows(Row row, void* function) const;

  std::vector<Axis> axes_;  // outermost first; never empty
  std::size_t count_ = 1;
};

}  // namespace naru::sdk::host
