// The orders in which a device may execute a command stream: what a stream without proper waits may give.
#pragma once

#include <array>
#include <variant>
#include <vector>

#include "naru/abi/stream.h"

namespace naru::testing {

/// Walks the orders in which the engines may take the stream's commands: each engine its own as they stand, every wait obeyed, a command one act. An order
/// is given as a stream whose commands all stand on one engine, which is how the reference keeps them in it.
class Orders {
 public:
  static constexpr unsigned kOrdersMax = 2000;

  explicit Orders(const abi::Stream& stream) : stream_(stream) {
    for (std::size_t i = 0; i + 1 < stream.commands.size(); ++i) of_engine_[abi::index_of(stream.commands[i].engine)].push_back(i);
  }
  /// The stream's engines exist, as for every stream that a device took. `accepts` says whether an order explains what was seen; then no other is asked for.
  template <typename Accepts>
  bool any(const Accepts& accepts) {
    return step(accepts);
  }
  bool were_too_many() const { return orders_ >= kOrdersMax; }

 private:
  /// Waits that are over are passed at once: they change nothing.
  void pass_waits() {
    for (bool passed = true; passed;) {
      passed = false;
      for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine) {
        while (next_[engine] < of_engine_[engine].size()) {
          const abi::Command& command = stream_.commands[of_engine_[engine][next_[engine]]];
          const auto* wait = std::get_if<abi::Wait>(&command.body);
          if (!std::holds_alternative<abi::Mark>(command.body) && (wait == nullptr || retired_[abi::index_of(wait->on)] < wait->count)) break;
          ++next_[engine];
          passed = true;
        }
      }
    }
  }

  template <typename Accepts>
  bool step(const Accepts& accepts) {
    const auto before = next_;
    pass_waits();
    bool found = false, is_leaf = true;
    for (unsigned engine = 0; engine < abi::kEnginesMax && !found && !were_too_many(); ++engine) {
      if (next_[engine] == of_engine_[engine].size()) continue;
      const abi::Command& command = stream_.commands[of_engine_[engine][next_[engine]]];
      is_leaf = false;
      if (std::holds_alternative<abi::Wait>(command.body)) continue;
      order_.push_back(command);
      order_.back().engine = abi::Engine::kDma0;
      ++next_[engine];
      ++retired_[engine];
      found = step(accepts);
      --retired_[engine];
      --next_[engine];
      order_.pop_back();
    }
    if (is_leaf) {
      ++orders_;
      abi::Stream ordered = stream_;
      ordered.commands = order_;
      ordered.commands.push_back(stream_.commands.back());
      found = accepts(ordered);
    }
    next_ = before;
    return found;
  }

  const abi::Stream& stream_;
  std::array<std::vector<std::size_t>, abi::kEnginesMax> of_engine_;
  std::array<std::size_t, abi::kEnginesMax> next_{};
  std::array<std::uint32_t, abi::kEnginesMax> retired_{};
  std::vector<abi::Command> order_;
  unsigned orders_ = 0;
};

}  // namespace naru::testing
