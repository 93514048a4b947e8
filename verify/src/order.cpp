// Vector clocks from engine programs and waits. Every engine's commands retire in program order; WAIT is the only tie between engines.

#include "order.h"

#include <algorithm>

namespace naru::verify {
namespace {

void join(Clock& clock, const Clock& other) {
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

class Orderer {
 public:
  Orderer(const std::vector<abi::Command>& commands, unsigned engine_count) : commands_(commands), engine_count_(engine_count) {
    for (std::uint32_t i = 0; i < commands.size(); ++i) {
      const abi::Command& command = commands[i];
      if (std::holds_alternative<abi::End>(command.body)) continue;
      Program& program = programs_[abi::index_of(command.engine)];
      program.commands.push_back(i);
      if (abi::is_counted(command.body)) ++program.counted;
    }
  }

  Result<std::vector<Ordered>> run() {
    for (std::uint32_t i = 0; i < commands_.size(); ++i)
      if (const auto* wait = std::get_if<abi::Wait>(&commands_[i].body)) NARU_CHECK_OK(check_reachable({i, &commands_[i]}, *wait));
    std::vector<Ordered> order;
    order.reserve(commands_.size());
    // The engine whose next command stands first in the stream goes first: it keeps the order close to the emitter's.
    while (Program* program = next_ready()) step(*program, order);
    for (const Program& program : programs_) {
      if (program.done()) continue;
      const std::uint32_t index = program.commands[program.at];
      const auto& wait = std::get<abi::Wait>(commands_[index].body);
      return fail(refusal(ErrorId::kStreamDeadlock, {index, &commands_[index]}, "count",
                          fmt::format("{} never retires {} commands, because it waits for this engine in turn: {} retired when all engines stand still",
                                      abi::name_of(wait.on), wait.count, programs_[abi::index_of(wait.on)].retired.size())));
    }
    for (const Program& program : programs_) NARU_CHECK_OK(check_needed(program));
    return order;
  }

 private:
  struct Program {
    std::vector<std::uint32_t> commands;  // indices in the stream
    std::uint32_t counted = 0;
    std::size_t at = 0;
    Clock clock{};
    std::vector<Clock> retired;  // clock after each counted command

    [[nodiscard]] bool done() const { return at == commands.size(); }
  };

  [[nodiscard]] Result<void> check_reachable(const Subject& subject, const abi::Wait& wait) const {
    const auto refuse = [&](std::string_view field, std::string what) { return fail(refusal(ErrorId::kStreamWait, subject, field, what)); };
    if (abi::index_of(wait.on) >= engine_count_) return refuse("on", fmt::format("on is {}, which is no engine of this chip", abi::index_of(wait.on)));
    if (wait.on == subject.command->engine) return refuse("on", fmt::format("on is {}, the engine that waits", abi::name_of(wait.on)));
    if (wait.count == 0) return refuse("count", "count is 0; it must be at least 1");
    const std::uint32_t counted = programs_[abi::index_of(wait.on)].counted;
    if (wait.count > counted)
      return refuse("count", fmt::format("count is {}; {} retires only {} commands in this stream", wait.count, abi::name_of(wait.on), counted));
    return {};
  }

  [[nodiscard]] bool ready(const Program& program) const {
    const auto* wait = std::get_if<abi::Wait>(&commands_[program.commands[program.at]].body);
    return wait == nullptr || programs_[abi::index_of(wait->on)].retired.size() >= wait->count;
  }

  [[nodiscard]] Program* next_ready() {
    Program* best = nullptr;
    for (Program& program : programs_) {
      if (program.done() || (best != nullptr && program.commands[program.at] > best->commands[best->at])) continue;
      if (ready(program)) best = &program;
    }
    return best;
  }

  void step(Program& program, std::vector<Ordered>& order) {
    const std::uint32_t index = program.commands[program.at++];
    const abi::Command& command = commands_[index];
    if (const auto* wait = std::get_if<abi::Wait>(&command.body)) join(program.clock, implied_by(*wait));
    if (!abi::is_counted(command.body)) return;
    const auto number = static_cast<std::uint32_t>(program.retired.size() + 1);
    order.push_back({index, number, program.clock});
    program.clock[abi::index_of(command.engine)] = number;
    program.retired.push_back(program.clock);
  }

  [[nodiscard]] const Clock& implied_by(const abi::Wait& wait) const { return programs_[abi::index_of(wait.on)].retired[wait.count - 1]; }

  /// Every wait must add something to what its engine knows already and to what the waits beside it say, and something must follow it.
  [[nodiscard]] Result<void> check_needed(const Program& program) const {
    Clock known{};
    std::uint32_t retired = 0;
    std::vector<std::uint32_t> group;  // waits that stand together
    for (std::uint32_t index : program.commands) {
      const abi::Command& command = commands_[index];
      if (std::holds_alternative<abi::Wait>(command.body)) {
        group.push_back(index);
        continue;
      }
      NARU_CHECK_OK(check_group(group, known));
      for (std::uint32_t each : group) join(known, implied_by(std::get<abi::Wait>(commands_[each].body)));
      group.clear();
      if (abi::is_counted(command.body)) known[abi::index_of(command.engine)] = ++retired;
    }
    if (group.empty()) return {};
    const std::uint32_t index = group.front();
    return fail(refusal(ErrorId::kStreamWait, {index, &commands_[index]}, "count", "no command of its engine follows this wait"));
  }

  [[nodiscard]] Result<void> check_group(const std::vector<std::uint32_t>& group, const Clock& known) const {
    std::vector<Clock> after(group.size() + 1);  // after[i]: what the waits from i on imply
    for (std::size_t i = group.size(); i-- > 0;) {
      after[i] = after[i + 1];
      join(after[i], implied_by(std::get<abi::Wait>(commands_[group[i]].body)));
    }
    Clock before = known;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const auto& wait = std::get<abi::Wait>(commands_[group[i]].body);
      Clock others = before;
      join(others, after[i + 1]);
      const std::uint32_t implied = others[abi::index_of(wait.on)];
      if (implied >= wait.count)
        return fail(refusal(ErrorId::kStreamWait, {group[i], &commands_[group[i]]}, "count",
                            fmt::format("other waits already imply {} retired commands of {}; this one asks for {}", implied, abi::name_of(wait.on), wait.count)));
      join(before, implied_by(wait));
    }
    return {};
  }

  const std::vector<abi::Command>& commands_;
  unsigned engine_count_;
  std::array<Program, abi::kEnginesMax> programs_{};
};

}  // namespace

Result<std::vector<Ordered>> order_commands(const std::vector<abi::Command>& commands, unsigned engine_count) {
  return Orderer(commands, engine_count).run();
}

}  // namespace naru::verify
