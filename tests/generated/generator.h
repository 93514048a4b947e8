// Random valid models from a seed: graphs of up to a dozen operators of every kind, or one of a given kind.
#pragma once

#include <span>

#include "growth.h"

namespace naru::generated {

/// A way to go on from a tensor, by one operator or several. `append` says false, and has added no operator, when it cannot.
struct Kind {
  const char* name;
  unsigned weight;
  unsigned types;
  std::int32_t rank_min, rank_max;
  std::function<bool(Growth&, const Value&)> append;

  [[nodiscard]] bool applicable(const Value& value) const { return (set_of(value.type) & types) != 0 && value.rank() >= rank_min && value.rank() <= rank_max; }
  [[nodiscard]] bool is_of_device() const;
};

/// All of them, in an order that does not change.
[[nodiscard]] std::span<const Kind> kinds();

struct Generated {
  std::uint64_t seed = 0;
  testing_models::ModelBuilder builder;
  std::vector<std::size_t> kinds;  // one per appended part, indices into kinds()
};

[[nodiscard]] Generated generate(std::uint64_t seed, const Limits& limits = {});
/// One of a kind (and what it cannot be without).
[[nodiscard]] Generated generate_one(std::size_t kind, std::uint64_t seed, const Limits& limits = {});

[[nodiscard]] std::vector<Kind> product_kinds();
[[nodiscard]] std::vector<Kind> element_kinds();
[[nodiscard]] std::vector<Kind> row_kinds();
[[nodiscard]] std::vector<Kind> movement_kinds();
[[nodiscard]] std::vector<Kind> repeat_kinds();
[[nodiscard]] std::vector<Kind> image_kinds();
/// Of several operators each; the last ones of kinds().
[[nodiscard]] std::vector<Kind> compound_kinds();
[[nodiscard]] std::vector<Kind> pattern_kinds();

}  // namespace naru::generated
