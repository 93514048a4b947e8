// A layer as a job of the mock device: operands loaded once under a lease, then a stream of nothing but the layer's command.
#include <cmath>

#include "layer.h"
#include "naru/abi/stream.h"
#include "naru/abi/weights.h"
#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"

namespace naru::bench {
namespace {

constexpr std::uint32_t kLease = 1;
constexpr std::uint8_t kPaddingCode = 0x80;  // the signed zero point
constexpr std::int32_t kZero = -128;

/// Q31 and a shift, positive to the left, nearest to `value`, which is greater than 0.
void split_scale(double value, std::int32_t& multiplier, std::int8_t& shift) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  std::int64_t rounded = std::llround(fraction * 2147483648.0);
  if (rounded == std::int64_t{1} << 31) rounded /= 2, ++exponent;
  multiplier = static_cast<std::int32_t>(rounded);
  shift = static_cast<std::int8_t>(exponent);
}

std::vector<std::byte> pad_input(const LayerData& data) {
  const Shape& shape = data.shape;
  std::vector<std::byte> padded(std::size_t{shape.padded_rows()} * shape.padded_cols() * shape.in_channels, std::byte{kPaddingCode});
  const std::size_t pixel = shape.in_channels;
  for (std::uint32_t row = 0; row < shape.size_rows; ++row)
    for (std::uint32_t col = 0; col < shape.size_cols; ++col) {
      const std::uint32_t y = row + shape.pad, x = col + shape.pad;
      if (y >= shape.padded_rows() || x >= shape.padded_cols()) continue;
      for (std::size_t c = 0; c < pixel; ++c)
        padded[(std::size_t{y} * shape.padded_cols() + x) * pixel + c] = static_cast<std::byte>(data.input[(std::size_t{row} * shape.size_cols + col) * pixel + c] ^ 0x80);
    }
  return padded;
}

std::vector<std::byte> pack_weights(const LayerData& data) {
  const Shape& shape = data.shape;
  const std::size_t taps = std::size_t{shape.kernel} * shape.kernel, in = shape.depthwise ? 1 : shape.in_channels;
  const std::size_t block_bytes = shape.depthwise ? abi::depthwise_block_bytes(taps) : abi::dense_block_bytes(taps, in);
  std::vector<std::byte> packed(abi::weight_blocks(shape.out_channels) * block_bytes);
  for (std::uint32_t channel = 0; channel < shape.out_channels; ++channel) {
    std::byte* const block = packed.data() + channel / abi::kWeightBlockChannels * block_bytes;
    const std::uint32_t c = channel % abi::kWeightBlockChannels;
    std::int32_t sum = 0;
    for (std::size_t tap = 0; tap < taps; ++tap)
      for (std::size_t i = 0; i < in; ++i) {
        const std::int8_t weight = data.weights[(channel * taps + tap) * in + i];
        sum += weight;
        block[shape.depthwise ? abi::depthwise_weight_offset(tap, c) : abi::dense_weight_offset(tap, i, c, in)] = static_cast<std::byte>(weight);
      }
    std::int32_t multiplier = 0;
    std::int8_t shift = 0;
    split_scale(data.scale[channel], multiplier, shift);
    store_le<std::int64_t>(block + abi::kWeightStartOffset + 8 * c, -std::int64_t{kZero} * sum);
    store_le<std::int32_t>(block + abi::kWeightMultiplierOffset + 4 * c, multiplier);
    store_le<std::int32_t>(block + abi::kWeightSumOffset + 4 * c, sum);
    store_le<std::int8_t>(block + abi::kWeightShiftOffset + c, shift);
  }
  return packed;
}

}  // namespace

LayerData LayerData::random(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  LayerData data{.shape = shape, .input = {}, .weights = {}, .scale = {}};
  data.input.resize(std::size_t{shape.size_rows} * shape.size_cols * shape.in_channels);
  for (std::uint8_t& code : data.input) code = static_cast<std::uint8_t>(random.next());
  data.weights.resize(shape.out_channels * shape.depth());
  for (std::int8_t& weight : data.weights) weight = static_cast<std::int8_t>(static_cast<int>(random.next() % 128) - 64);
  // So that most codes lie inside the range: sums are about 147 * 37 * sqrt(depth) around 0.
  for (std::uint32_t c = 0; c < shape.out_channels; ++c) data.scale.push_back((60.0 + c % 64) / (5400.0 * std::sqrt(static_cast<double>(shape.depth()))));
  return data;
}

struct DeviceLayer::State {
  std::unique_ptr<mockdev::Device> mock;
  std::unique_ptr<driver::Device> device;
  driver::Queue queue;
  driver::Buffer memory;                     // operands, then the output
  driver::Stream load, compute, look;
  std::vector<driver::Binding> bindings;     // DRAM, SRAM
  std::size_t output_offset = 0, output_count = 0, element_bytes = 1;

  Result<void> run_stream(const driver::Stream& stream, abi::LeaseUse use) {
    NARU_TRY(driver::Job job, queue.submit({.stream = &stream, .bindings = bindings, .lease_use = use, .lease = kLease}));
    NARU_CHECK_OK(job.wait());
    return {};
  }
};

DeviceLayer::DeviceLayer(std::unique_ptr<State> state) : state_(std::move(state)) {}
DeviceLayer::DeviceLayer(DeviceLayer&&) noexcept = default;
DeviceLayer::~DeviceLayer() = default;

Result<DeviceLayer> DeviceLayer::make(const LayerData& data, Form form, const std::string& kernels, std::size_t copies) {
  using namespace abi;
  const Shape& shape = data.shape;
  auto state = std::make_unique<State>();
  NARU_TRY(const profile::Profile profile, profile::load("edge"));
  NARU_TRY(state->mock, mockdev::Device::create(profile, {.serial = "BENCH", .time = mockdev::TimeMode::kVirtual, .kernels = kernels}));
  NARU_TRY(state->device, driver::Device::open(std::make_unique<driver::InprocTransport>(*state->mock)));
  NARU_TRY(state->queue, state->device->queue(0));

  const std::vector<std::byte> input = pad_input(data), weights = pack_weights(data);
  const bool codes = form == Form::kRequantized;
  state->element_bytes = codes ? 1 : 4;
  state->output_count = std::size_t{shape.out_rows()} * shape.out_cols() * shape.out_channels;
  const auto offset_after = [](std::size_t bytes) { return align_up<std::size_t>(bytes, kWeightAlignment); };
  const std::size_t weights_offset = offset_after(input.size());
  state->output_offset = weights_offset + offset_after(weights.size());
  const std::size_t total = state->output_offset + offset_after(state->output_count * state->element_bytes);
  std::vector<std::byte> operands(total);
  std::copy(input.begin(), input.end(), operands.begin());
  std::copy(weights.begin(), weights.end(), operands.begin() + static_cast<std::ptrdiff_t>(weights_offset));
  NARU_TRY(state->memory, state->device->create_buffer(total));
  NARU_CHECK_OK(state->device->write(state->memory, 0, operands));
  state->bindings = {{.buffer = &state->memory, .offset = 0, .bytes = total, .rights = Rights::kReadWrite}, {.buffer = nullptr, .offset = 0, .bytes = total, .rights = Rights::kReadWrite}};

  const auto bytes32 = [](std::size_t bytes) { return static_cast<std::uint32_t>(bytes); };
  const std::vector<RegionDeclaration> regions = {{.memory = MemoryKind::kDram, .rights = Rights::kReadWrite, .reserved = {}, .bytes = bytes32(total)},
                                             {.memory = MemoryKind::kSram, .rights = Rights::kReadWrite, .reserved = {}, .bytes = bytes32(total)}};
  const auto copy = [&](unsigned from, unsigned to, std::size_t offset, std::size_t bytes) {
    return Command{Engine::kDma0, 0, Dma{.source = Operand::at(from, offset), .target = Operand::at(to, offset), .row_bytes = bytes32(bytes)}};
  };
  const Command end{Engine::kNone, 0, End{}};
  NARU_TRY(state->load, state->device->load_stream(encode_stream({.regions = regions, .commands = {copy(0, 1, 0, state->output_offset), end}})));
  NARU_TRY(state->look, state->device->load_stream(encode_stream({.regions = regions, .commands = {copy(1, 0, state->output_offset, total - state->output_offset), end}})));

  const auto fill_in = [&](auto command) {
    command.input = Operand::at(1, 0), command.weights = Operand::at(1, weights_offset), command.output = Operand::at(1, state->output_offset);
    command.output_type = codes ? ElementType::kI8 : ElementType::kI32;
    command.out_rows = shape.out_rows(), command.out_cols = shape.out_cols();
    command.kernel_rows = command.kernel_cols = static_cast<std::uint16_t>(shape.kernel);
    command.stride_rows = command.stride_cols = static_cast<std::uint16_t>(shape.stride);
    command.input_pixel_stride = shape.in_channels, command.input_row_stride = shape.padded_cols() * shape.in_channels;
    command.output_pixel_stride = bytes32(shape.out_channels * state->element_bytes), command.output_row_stride = shape.out_cols() * command.output_pixel_stride;
    if (codes) command.output_zero = kZero, command.activation_min = -128, command.activation_max = 127;
    return command;
  };
  Stream stream{.regions = regions, .commands = {}};
  for (std::size_t i = 0; i < copies; ++i) {
    if (shape.depthwise) {
      Depthwise command;
      command.channels = shape.out_channels;
      stream.commands.push_back({Engine::kMac, 0, fill_in(command)});
    } else {
      Conv command;
      command.in_channels = shape.in_channels, command.out_channels = shape.out_channels;
      stream.commands.push_back({Engine::kMac, 0, fill_in(command)});
    }
  }
  stream.commands.push_back(end);
  NARU_TRY(state->compute, state->device->load_stream(encode_stream(stream)));
  NARU_CHECK_OK(state->run_stream(state->load, LeaseUse::kTake));
  return DeviceLayer(std::move(state));
}

Result<void> DeviceLayer::run() { return state_->run_stream(state_->compute, abi::LeaseUse::kNeed); }

Result<std::vector<std::int32_t>> DeviceLayer::output() {
  State& state = *state_;
  NARU_CHECK_OK(state.run_stream(state.look, abi::LeaseUse::kNeed));
  std::vector<std::byte> bytes(state.output_count * state.element_bytes);
  NARU_CHECK_OK(state.device->read(state.memory, state.output_offset, bytes));
  std::vector<std::int32_t> values(state.output_count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = state.element_bytes == 1 ? load_le<std::int8_t>(bytes.data() + i) - kZero : load_le<std::int32_t>(bytes.data() + 4 * i);
  }
  return values;
}

}  // namespace naru::bench
