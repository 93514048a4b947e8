// Structure-aware changes to command streams: fields to values at the edges of their meaning, commands dropped, doubled and swapped, waits taken away.
#pragma once

#include <utility>
#include <vector>

#include "naru/abi/stream.h"
#include "naru/base/random.h"

namespace naru::testing {

/// A value at an edge: 0, 1, powers of two and their neighbours, all ones.
inline std::uint64_t edge_value(Random& random) {
  switch (random.below(5)) {
    case 0: return random.below(3);
    case 1: return ~std::uint64_t{0} >> random.below(64);
    case 2: return (std::uint64_t{1} << random.below(64)) - random.below(2);
    case 3: return random.below(70'000);
    default: return random.next();
  }
}

/// Changes one field of the record, chosen at random, an element of it if it is an array.
template <typename T>
void mutate_field(T& record, Random& random) {
  constexpr std::size_t kFields = std::tuple_size_v<decltype(T::fields())>;
  if constexpr (kFields > 0) {
    std::size_t chosen = random.below(kFields);
    const auto change = [&](const auto& field) {
      if (chosen-- != 0) return;
      auto& value = record.*field.member;
      using Value = std::remove_cvref_t<decltype(value)>;
      if constexpr (std::is_same_v<Value, abi::Operand>) {
        // Offsets matter more often than region numbers.
        value = random.chance(4) ? abi::Operand::at(static_cast<unsigned>(random.below(18)), value.offset())
                                 : abi::Operand::at(value.region(), random.chance(2) ? value.offset() + random.below(200) : edge_value(random));
      } else if constexpr (abi::is_std_array<Value>::value) {
        auto& element = value[random.below(value.size())];
        element = static_cast<std::remove_cvref_t<decltype(element)>>(random.chance(2) ? element + 1 : edge_value(random));
      } else if constexpr (!abi::is_reserved<Value>::value) {
        value = static_cast<Value>(random.chance(3) ? static_cast<std::uint64_t>(value) + 1 : edge_value(random));
      }
    };
    std::apply([&](const auto&... field) { (change(field), ...); }, T::fields());
  }
}

/// One to three changes. The last command stays END, so that most results get past framing.
inline void mutate(abi::Stream& stream, Random& random) {
  for (std::uint64_t changes = 1 + random.below(3); changes != 0; --changes) {
    const std::size_t body = stream.commands.size() - 1;  // without END
    if (body == 0) return;
    const std::size_t at = random.below(body);
    switch (random.below(10)) {
      case 0: stream.commands.erase(stream.commands.begin() + static_cast<std::ptrdiff_t>(at)); break;
      case 1: stream.commands.insert(stream.commands.begin() + static_cast<std::ptrdiff_t>(at), stream.commands[random.below(body)]); break;
      case 2: std::swap(stream.commands[at], stream.commands[random.below(body)]); break;
      case 3: stream.commands[at].engine = static_cast<abi::Engine>(random.below(7)); break;
      case 4:
        if (!stream.regions.empty()) mutate_field(stream.regions[random.below(stream.regions.size())], random);
        break;
      default: std::visit([&](auto& record) { mutate_field(record, random); }, stream.commands[at].body);
    }
  }
}

}  // namespace naru::testing
