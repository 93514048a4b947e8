// Which waits a command needs: the fewest that put it after everything it depends on. The verifier checks the result with code of its own.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "naru/abi/isa.h"
#include "naru/verify/footprint.h"

namespace naru::sdk::compiler {

class Dependences {
 public:
  /// Notes `command` as the next one of its engine, and returns the waits that must precede it. Commands come in an order that is right when they
  /// are executed one by one; regions are any numbers under 65536.
  [[nodiscard]] std::vector<abi::Wait> add(const abi::Command& command);

 private:
  /// How many commands of each engine are known to have retired.
  using Clock = std::array<std::uint32_t, abi::kEnginesMax>;

  struct Entry {
    std::uint32_t number = 0;  // of its engine's commands, from 1
    verify::StridedBox box;
    std::uint64_t end = 0;
  };
  struct Log {
    std::array<std::vector<Entry>, abi::kEnginesMax> reads, writes;  // by engine, ascending numbers
  };

  [[nodiscard]] Log& log_of(unsigned region);
  static void find_last(const std::vector<Entry>& entries, const Entry& access, std::uint32_t& needed);

  std::vector<Log> logs_;  // by region
  std::array<Clock, abi::kEnginesMax> known_{};
  std::array<std::vector<Clock>, abi::kEnginesMax> retired_;  // what is known once command n of the engine has retired
};

}  // namespace naru::sdk::compiler
