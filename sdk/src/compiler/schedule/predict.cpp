// Event driven: time jumps to the next end of a phase. Transfers keep their remaining work in integers, scaled so that an equal share among any
// number of DMA engines is whole.
#include "compiler/schedule/predict.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "naru/abi/cycles.h"

namespace naru::sdk::compiler {
namespace {

class Timeline {
 public:
  Timeline(const abi::Stream& stream, const abi::Chip& chip) : stream_(stream), chip_(chip), intervals_(stream.commands.size()) {
    for (std::size_t i = 0; i < stream.commands.size(); ++i)
      if (const auto engine = abi::index_of(stream.commands[i].engine); engine < lanes_.size()) lanes_[engine].program.push_back(i);
    for (std::uint64_t k = 1; k <= std::max<std::uint64_t>(chip.dma_engines, 1); ++k) scale_ = std::lcm(scale_, k);
  }

  std::uint64_t run() {
    while (true) {
      while (start_some()) {
      }
      const std::uint64_t sharers = transferring();
      const std::uint64_t rate = sharers == 0 ? 0 : chip_.dram_bytes_per_cycle * scale_ / sharers;
      std::uint64_t step = std::numeric_limits<std::uint64_t>::max();
      for (const Lane& lane : lanes_) {
        if (lane.phase == Phase::kFixed) step = std::min(step, lane.left);
        if (lane.phase == Phase::kTransfer) step = std::min(step, ceil_div(lane.left, rate));
      }
      if (step == std::numeric_limits<std::uint64_t>::max()) return now_;
      now_ += step;
      for (Lane& lane : lanes_) advance(lane, step, rate);
    }
  }
  [[nodiscard]] std::vector<Interval> intervals() && { return std::move(intervals_); }

 private:
  enum class Phase { kIdle, kFixed, kTransfer };
  struct Lane {
    std::vector<std::size_t> program;
    std::size_t at = 0;
    Phase phase = Phase::kIdle;
    std::uint64_t left = 0;      // cycles, or scaled bytes of a transfer
    std::uint64_t transfer = 0;  // scaled bytes that come after the fixed phase
    std::uint32_t retired = 0;
  };

  [[nodiscard]] std::uint64_t transferring() const { return static_cast<std::uint64_t>(std::ranges::count(lanes_, Phase::kTransfer, &Lane::phase)); }

  bool start_some() {
    bool started = false;
    for (Lane& lane : lanes_) {
      while (lane.phase == Phase::kIdle && lane.at < lane.program.size()) {
        const abi::Command& command = stream_.commands[lane.program[lane.at]];
        if (const auto* wait = std::get_if<abi::Wait>(&command.body); wait != nullptr && lanes_[abi::index_of(wait->on)].retired < wait->count) break;
        intervals_[lane.program[lane.at]] = {now_, now_};
        ++lane.at;
        started = true;
        if (abi::is_counted(command.body)) begin(lane, command);
      }
    }
    return started;
  }

  void begin(Lane& lane, const abi::Command& command) {
    auto source = abi::MemoryKind::kSram, target = abi::MemoryKind::kSram;
    if (const auto* dma = std::get_if<abi::Dma>(&command.body)) {
      source = stream_.regions[dma->source.region()].memory;
      target = stream_.regions[dma->target.region()].memory;
    }
    const abi::Cost cost = abi::cost_of(command, chip_, source, target);
    lane.phase = Phase::kFixed;
    lane.left = cost.fixed + cost.busy;
    lane.transfer = cost.dram_bytes * scale_;
    if (lane.left == 0) next_phase(lane);
  }

  void advance(Lane& lane, std::uint64_t cycles, std::uint64_t rate) {
    if (lane.phase == Phase::kIdle) return;
    const std::uint64_t done = lane.phase == Phase::kTransfer ? cycles * rate : cycles;
    lane.left -= std::min(lane.left, done);
    if (lane.left == 0) next_phase(lane);
  }

  void next_phase(Lane& lane) {
    if (lane.phase == Phase::kFixed && lane.transfer > 0) {
      lane.phase = Phase::kTransfer;
      lane.left = lane.transfer;
      return;
    }
    lane.phase = Phase::kIdle;
    intervals_[lane.program[lane.at - 1]].end = now_;
    ++lane.retired;
  }

  const abi::Stream& stream_;
  const abi::Chip& chip_;
  std::array<Lane, abi::kEnginesMax> lanes_{};
  std::uint64_t scale_ = 1;
  std::uint64_t now_ = 0;
  std::vector<Interval> intervals_;
};

}  // namespace

std::uint64_t predict_cycles(const abi::Stream& stream, const abi::Chip& chip) { return Timeline(stream, chip).run(); }

std::vector<Interval> predict_timeline(const abi::Stream& stream, const abi::Chip& chip) {
  Timeline timeline(stream, chip);
  (void)timeline.run();
  return std::move(timeline).intervals();
}

}  // namespace naru::sdk::compiler
