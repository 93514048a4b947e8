// How a known-answer case is put together: operands laid out, weights made up, the stream wrapped around the commands.
#pragma once

#include <array>
#include <utility>

#include "naru/abi/sigmoid.h"
#include "naru/abi/weights.h"
#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "runtime/diagnostics/known_answers.h"

namespace naru::sdk::runtime::diagnostics {

using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::Rights;

/// Lays a case's operands out in one input blob, which lies in SRAM as it lies in the blob.
class CaseBuilder {
 public:
  CaseBuilder(std::string_view name, std::uint64_t seed) : random_(seed) { case_.name = name; }

  Operand noise(std::size_t bytes) {
    const Operand place = reserve(bytes);
    for (std::size_t i = 0; i < bytes; ++i) case_.input[place.offset() + i] = static_cast<std::byte>(random_.next());
    return place;
  }

  /// Random dense_i8 weights whose results fill the range of int8.
  Operand dense_weights(std::uint64_t taps, std::uint64_t in_channels, std::uint64_t out_channels) {
    const std::uint64_t block_bytes = abi::dense_block_bytes(taps, in_channels);
    const Operand place = reserve(block_bytes * abi::weight_blocks(out_channels));
    for (std::uint64_t c = 0; c < out_channels; ++c) {
      std::byte* block = case_.input.data() + place.offset() + c / 16 * block_bytes;
      std::int32_t sum = 0;
      for (std::uint64_t tap = 0; tap < taps; ++tap)
        for (std::uint64_t i = 0; i < in_channels; ++i) sum += put_weight(block + abi::dense_weight_offset(tap, i, c % 16, in_channels));
      put_channel(block, c % 16, sum, taps * in_channels);
    }
    return place;
  }

  /// `weight_bytes` is 1 or 2; weights of 16 bits are of the order of 1000 and meet inputs of 16 bits.
  Operand depthwise_weights(std::uint64_t taps, std::uint64_t channels, std::uint64_t weight_bytes = 1) {
    const std::uint64_t block_bytes = abi::depthwise_block_bytes(taps, weight_bytes);
    const Operand place = reserve(block_bytes * abi::weight_blocks(channels));
    for (std::uint64_t c = 0; c < channels; ++c) {
      std::byte* block = case_.input.data() + place.offset() + c / 16 * block_bytes;
      std::int32_t sum = 0;
      for (std::uint64_t tap = 0; tap < taps; ++tap) {
        std::byte* at = block + abi::depthwise_weight_offset(tap, c % 16, weight_bytes);
        sum += weight_bytes == 1 ? put_weight(at) : put_wide_weight(at);
      }
      put_channel(block, c % 16, sum, taps, weight_bytes == 1 ? 0 : 11);
    }
    return place;
  }

  Operand sigmoid_table() {
    const Operand place = reserve(2 * abi::kSigmoidU16.size());
    for (std::size_t i = 0; i < abi::kSigmoidU16.size(); ++i) store_le<std::uint16_t>(case_.input.data() + place.offset() + 2 * i, abi::kSigmoidU16[i]);
    return place;
  }

  /// Room for what one command makes for the next; shipped as zeros.
  Operand room(std::size_t bytes) { return reserve(bytes); }

  /// Where the output will lie in SRAM. Call once, after all inputs.
  Operand output(std::size_t bytes) {
    case_.output_bytes = bytes;
    output_ = Operand::at(0, align_up<std::uint64_t>(case_.input.size(), 64));
    return output_;
  }

  KnownAnswerCase finish(Engine engine, std::vector<abi::CommandBody> bodies) {
    std::vector<abi::Command> commands;
    for (abi::CommandBody& body : bodies) commands.push_back({engine, 0, std::move(body)});
    return finish(std::move(commands));
  }

  /// Each command waits for the one before it where that is another engine's.
  KnownAnswerCase finish(std::vector<abi::Command> commands) {
    const auto input_bytes = static_cast<std::uint32_t>(case_.input.size());
    const auto output_bytes = static_cast<std::uint32_t>(case_.output_bytes);
    const auto region = [](MemoryKind memory, Rights rights, std::uint64_t bytes) { return abi::RegionDeclaration{.memory = memory, .rights = rights, .reserved = {}, .bytes = bytes}; };
    case_.stream.regions = {region(MemoryKind::kSram, Rights::kReadWrite, output_.offset() + output_bytes), region(MemoryKind::kDram, Rights::kRead, input_bytes),
                            region(MemoryKind::kDram, Rights::kWrite, output_bytes)};
    commands.insert(commands.begin(), {Engine::kDma0, 0, copy(Operand::at(1, 0), Operand::at(0, 0), input_bytes)});
    commands.push_back({Engine::kDma0, 0, copy(output_, Operand::at(2, 0), output_bytes)});
    std::array<std::uint32_t, abi::kEnginesMax> counted{};
    Engine last = Engine::kDma0;
    for (abi::Command& command : commands) {
      if (command.engine != last) case_.stream.commands.push_back({command.engine, 0, abi::Wait{.on = last, .reserved = {}, .count = counted[abi::index_of(last)]}});
      last = command.engine;
      ++counted[abi::index_of(last)];
      case_.stream.commands.push_back(std::move(command));
    }
    case_.stream.commands.push_back({Engine::kNone, 0, abi::End{}});
    return std::move(case_);
  }

 private:
  static abi::Dma copy(Operand source, Operand target, std::uint32_t bytes) {
    abi::Dma dma;
    dma.source = source;
    dma.target = target;
    dma.row_bytes = bytes;
    return dma;
  }
  Operand reserve(std::uint64_t bytes) {
    const std::uint64_t at = align_up<std::uint64_t>(case_.input.size(), 64);
    case_.input.resize(at + bytes);
    return Operand::at(0, at);
  }
  std::int32_t put_weight(std::byte* at) {
    const auto weight = static_cast<std::int8_t>(random_.between(-127, 127));
    *at = static_cast<std::byte>(weight);
    return weight;
  }
  std::int32_t put_wide_weight(std::byte* at) {
    const auto weight = static_cast<std::int16_t>(random_.between(-1000, 1000));
    store_le<std::int16_t>(at, weight);
    return weight;
  }
  void put_channel(std::byte* block, std::uint64_t c, std::int32_t sum, std::uint64_t depth, int more_shift = 0) {
    store_le<std::int64_t>(block + abi::kWeightStartOffset + 8 * c, random_.between(-2000, 2000) + 3 * sum);
    store_le<std::int32_t>(block + abi::kWeightMultiplierOffset + 4 * c, static_cast<std::int32_t>(random_.between(1 << 30, 0x7FFFFFFF)));
    store_le<std::int32_t>(block + abi::kWeightSumOffset + 4 * c, sum);
    // Products have about 5400 as standard deviation; the shift brings a sum of `depth` of them to the order of 64.
    auto shift = static_cast<std::int8_t>(-6 - more_shift);
    for (std::uint64_t n = depth; n > 1; n /= 4) --shift;
    block[abi::kWeightShiftOffset + c] = static_cast<std::byte>(shift);
  }

  Random random_;
  KnownAnswerCase case_;
  Operand output_;
};

}  // namespace naru::sdk::runtime::diagnostics
