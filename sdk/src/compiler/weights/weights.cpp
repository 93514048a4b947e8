// start[c] = bias[c] - input_zero * sum(w[c] - weight_zero): commands know no input zero point (docs/spec/weights.md).
#include "compiler/weights/weights.h"

#include <algorithm>

#include "naru/abi/weights.h"

namespace naru::sdk::compiler {
namespace {

class Packer {
 public:
  Packer(const graph::Graph& graph, const WindowNode& node)
      : node_(node),
        taps_(node.kernel_rows * node.kernel_cols),
        depth_(node.kind == WindowNode::Kind::kDense ? node.in_channels / node.groups : 1),
        filter_(graph.tensor(node.filter).constant),
        filter_type_(graph.tensor(node.filter).type),
        bias_(node.bias == graph::kAbsent ? std::span<const std::byte>{} : graph.tensor(node.bias).constant),
        bias_bytes_(node.bias == graph::kAbsent ? 4 : abi::element_bytes(graph.tensor(node.bias).type)) {}

  /// Channel `channel` of the whole filter at place `lane` of its block, with inputs [from, to).
  void put(std::byte* block, std::uint32_t channel, std::uint32_t lane, std::uint32_t from, std::uint32_t to) const {
    std::int64_t sum = 0;
    for (std::uint32_t tap = 0; tap < taps_; ++tap) {
      for (std::uint32_t i = from; i < to; ++i) {
        const std::int32_t weight = at(channel, tap, i);
        sum += weight;
        switch (node_.weight_format) {
          case abi::WeightFormat::kDepthwiseI16: store_le(block + abi::depthwise_weight_offset(tap, lane, 2), static_cast<std::int16_t>(weight)); break;
          case abi::WeightFormat::kDepthwiseI8: block[abi::depthwise_weight_offset(tap, lane)] = static_cast<std::byte>(weight); break;
          default: block[abi::dense_weight_offset(tap, i - from, lane, to - from)] = static_cast<std::byte>(weight);
        }
      }
    }
    const numerics::Multiplier& multiplier = node_.multipliers[channel];
    store_le(block + abi::kWeightStartOffset + 8 * lane, from == 0 ? start(channel) : std::int64_t{0});
    store_le(block + abi::kWeightMultiplierOffset + 4 * lane, multiplier.value);
    store_le(block + abi::kWeightSumOffset + 4 * lane, static_cast<std::int32_t>(sum));
    block[abi::kWeightShiftOffset + lane] = static_cast<std::byte>(static_cast<std::int8_t>(multiplier.shift));
  }

 private:
  /// As it is stored: codes of u8 less 128.
  [[nodiscard]] std::int32_t at(std::uint32_t channel, std::uint32_t tap, std::uint32_t i) const {
    const std::size_t index = node_.filter_channels_last ? std::size_t{tap} * node_.out_channels + channel : (std::size_t{channel} * taps_ + tap) * depth_ + i;
    if (filter_type_ == abi::ElementType::kI16) return load_le<std::int16_t>(filter_.data() + 2 * index);
    if (filter_type_ == abi::ElementType::kU8) return std::to_integer<std::int32_t>(filter_[index]) - 128;
    return static_cast<std::int8_t>(filter_[index]);
  }
  [[nodiscard]] std::int64_t bias(std::uint32_t channel) const {
    if (bias_.empty()) return 0;
    const std::byte* at = bias_.data() + std::size_t{bias_bytes_} * channel;
    return bias_bytes_ == 8 ? load_le<std::int64_t>(at) : load_le<std::int32_t>(at);
  }
  [[nodiscard]] std::int64_t start(std::uint32_t channel) const {
    std::int64_t sum = 0;
    for (std::uint32_t tap = 0; tap < taps_; ++tap)
      for (std::uint32_t i = 0; i < depth_; ++i) sum += std::int64_t{at(channel, tap, i)} - node_.weight_zero;
    return bias(channel) - node_.input_zero * sum;
  }

  const WindowNode& node_;
  std::uint32_t taps_, depth_;
  std::span<const std::byte> filter_;
  abi::ElementType filter_type_;
  std::span<const std::byte> bias_;
  std::uint32_t bias_bytes_;
};

}  // namespace

std::uint64_t weight_block_bytes(const WindowNode& node, std::uint32_t depth) {
  const std::uint64_t taps = std::uint64_t{node.kernel_rows} * node.kernel_cols;
  if (node.weight_format == abi::WeightFormat::kDepthwiseI16) return abi::depthwise_block_bytes(taps, 2);
  return node.weight_format == abi::WeightFormat::kDepthwiseI8 ? abi::depthwise_block_bytes(taps) : abi::dense_block_bytes(taps, depth);
}

PackedWeights pack_weights(const graph::Graph& graph, const WindowNode& node, std::uint32_t depth, std::vector<std::byte>& constants) {
  const Packer packer(graph, node);
  const std::uint32_t groups = node.kind == WindowNode::Kind::kDense ? node.groups : 1;
  const std::uint32_t group_depth = node.kind == WindowNode::Kind::kDense ? node.in_channels / node.groups : 1;
  const std::uint32_t group_channels = node.out_channels / groups;
  PackedWeights packed;
  packed.depth_chunks = ceil_div(group_depth, depth);
  for (std::uint32_t from = 0; from < group_depth; from += depth) packed.block_bytes.push_back(weight_block_bytes(node, std::min(depth, group_depth - from)));
  for (std::uint32_t group = 0; group < groups; ++group) {
    for (std::uint32_t chunk = 0; chunk < packed.depth_chunks; ++chunk) {
      const std::uint64_t offset = align_up<std::uint64_t>(constants.size(), abi::kWeightAlignment);
      packed.objects.push_back(offset);
      constants.resize(offset + abi::weight_blocks(group_channels) * packed.block_bytes[chunk]);
      const std::uint32_t from = chunk * depth;
      const std::uint32_t to = std::min(from + depth, group_depth);
      for (std::uint32_t c = 0; c < group_channels; ++c)
        packer.put(constants.data() + offset + c / 16 * packed.block_bytes[chunk], group * group_channels + c, c % 16, from, to);
    }
  }
  packed.end = constants.size();
  return packed;
}

}  // namespace naru::sdk::compiler
