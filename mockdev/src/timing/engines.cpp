// Discrete events over the engines of one job.
#include "timing/engines.h"

#include <algorithm>

namespace naru::mockdev {
namespace {
constexpr std::uint64_t kParts = 12;  // divisible by 1, 2, 3 and 4
}

void Engines::start(const LoadedStream& stream, const abi::Chip& chip) noexcept {
  stream_ = &stream;
  chip_ = &chip;
  cycle_ = retired_ = 0;
  transferring_ = 0;
  for (const unsigned engine : used()) {
    engines_[engine] = {};
    counts_.busy_cycles[engine] = counts_.wait_cycles[engine] = counts_.retired[engine] = 0;
  }
  counts_.dram_stall_cycles = 0;
  used_ = stream.engines;
  used_count_ = stream.engine_count;
}

std::uint64_t Engines::share() const noexcept { return kParts * chip_->dram_bytes_per_cycle / std::max(transferring_, 1u); }

std::uint32_t Engines::issue() noexcept {
  for (const unsigned engine : used()) {
    EngineState& state = engines_[engine];
    const std::vector<std::uint32_t>& commands = stream_->engine_commands[engine];
    while ((state.phase == Phase::kReady || state.phase == Phase::kWaiting) && state.position < commands.size()) {
      const std::uint32_t index = commands[state.position];
      const abi::CommandBody& body = stream_->stream.commands[index].body;
      if (const auto* wait = std::get_if<abi::Wait>(&body)) {
        if (state.phase == Phase::kReady) {
          state.phase = Phase::kWaiting;
          state.since = cycle_;
        }
        if (counts_.retired[abi::index_of(wait->on)] < wait->count) break;
        counts_.wait_cycles[engine] += cycle_ - state.since;
        state.phase = Phase::kReady;
        ++state.position;
        continue;
      }
      if (!abi::is_counted(body)) {  // MARK
        ++state.position;
        continue;
      }
      const abi::Cost& cost = stream_->costs[index];
      state.phase = Phase::kFixed;
      state.begun = cycle_;
      state.until = cycle_ + cost.fixed + cost.busy;
      state.dram_bytes = cost.dram_bytes;
      return index;
    }
  }
  return kNoCommand;
}

std::uint64_t Engines::next_event() const noexcept {
  std::uint64_t next = kNever;
  for (const unsigned engine : used()) {
    const EngineState& state = engines_[engine];
    if (state.phase == Phase::kFixed) next = std::min(next, state.until);
    if (state.phase == Phase::kTransferring) next = std::min(next, cycle_ + ceil_div<std::uint64_t>(state.remaining, share()));
  }
  return next;
}

void Engines::advance(std::uint64_t cycle) noexcept {
  const std::uint64_t moved = (cycle - cycle_) * share();
  cycle_ = cycle;
  // First the transfers, at the share of the cycles that went by; then the phases that change now.
  for (const unsigned engine : used()) {
    EngineState& state = engines_[engine];
    if (state.phase != Phase::kTransferring) continue;
    state.remaining -= std::min(state.remaining, moved);
    if (state.remaining != 0) continue;
    --transferring_;
    counts_.dram_stall_cycles += cycle_ - state.since - ceil_div<std::uint64_t>(state.dram_bytes, chip_->dram_bytes_per_cycle);
    retire(engine);
  }
  for (const unsigned engine : used()) {
    EngineState& state = engines_[engine];
    if (state.phase != Phase::kFixed || state.until > cycle_) continue;
    if (state.dram_bytes == 0) {
      retire(engine);
    } else {
      state.phase = Phase::kTransferring;
      state.since = cycle_;
      state.remaining = state.dram_bytes * kParts;
      ++transferring_;
    }
  }
}

void Engines::retire(unsigned engine) noexcept {
  EngineState& state = engines_[engine];
  counts_.busy_cycles[engine] += cycle_ - state.begun;
  ++counts_.retired[engine];
  ++retired_;
  ++state.position;
  state.phase = Phase::kReady;
}

bool Engines::finished() const noexcept {
  for (const unsigned engine : used())
    if (engines_[engine].position < stream_->engine_commands[engine].size()) return false;
  return true;
}

std::optional<std::uint32_t> Engines::running(unsigned engine) const noexcept {
  const EngineState& state = engines_[engine];
  if (state.phase != Phase::kFixed && state.phase != Phase::kTransferring) return std::nullopt;
  return stream_->engine_commands[engine][state.position];
}

}  // namespace naru::mockdev
