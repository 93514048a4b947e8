// Random networks of many operators: what stays in the SRAM, frames around images, loads ahead of their readers and jobs that are partly in tiles, on chips from
// roomy to cramped, must give the reference's bits; every stream must verify, and need every one of its waits.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "chips.h"
#include "compiler/compiler.h"
#include "import/verify.h"
#include "naru/abi/stream.h"
#include "naru/verify/verify.h"
#include "package_runner.h"
#include "random_models.h"
#include "reference/interpreter.h"

namespace naru::sdk::testing {
namespace {

using graph::OperatorKind;
using graph::Padding;
using graph::Shape;
using graph::TensorId;

/// Grows a network from one input: every operator reads tensors that are there already. All activations share one quantisation, so that all may meet.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::uint64_t seed) : b_(seed) {}

  graph::Graph build() {
    const std::int32_t images = b_.random.chance(6) ? 2 : 1;
    const Shape shape{images, b_.between(3, 20), b_.between(3, 20), b_.between(1, 20)};
    first_ = b_.input(shape);
    add(first_, shape);
    const std::int32_t count = b_.between(3, 12);
    for (std::int32_t i = 0; i < count; ++i) grow();
    // Whatever nobody reads is an output; now and then also something that is read.
    std::vector<TensorId> outputs;
    for (std::size_t i = 1; i < images_.size(); ++i)
      if (!images_[i].is_read || b_.random.chance(10)) outputs.push_back(images_[i].id);
    return b_.finish(outputs);
  }

 private:
  struct Image {
    TensorId id;
    Shape shape;
    bool is_read = false;
  };

  void add(TensorId id, const Shape& shape) { images_.push_back({id, shape}); }
  Image& pick() {
    // Mostly one of the last, so that networks are deep.
    const std::size_t from = b_.random.chance(3) ? 0 : images_.size() - std::min<std::size_t>(images_.size(), 2);
    Image& image = images_[from + b_.random.below(images_.size() - from)];
    image.is_read = true;
    return image;
  }
  TensorId put(OperatorKind kind, const std::vector<TensorId>& inputs, const Shape& shape, graph::Options options) {
    const TensorId id = b_.op(kind, inputs, b_.like(first_, shape), std::move(options));
    add(id, shape);
    return id;
  }
  static std::int32_t size(std::int32_t in, std::int32_t kernel, std::int32_t stride, std::int32_t dilation, Padding padding) {
    return padding == Padding::kSame ? (in + stride - 1) / stride : (in - (kernel - 1) * dilation - 1) / stride + 1;
  }

  void grow() {
    const Image in = pick();
    const Shape& s = in.shape;
    switch (b_.random.below(9)) {
      case 0:
      case 1:
      case 2: return window(in, b_.random.chance(2));
      case 3: return add_two(in);
      case 4: return pool(in);
      case 5: {
        const Shape flat{s[0], s[2], s[1], s[3]};
        (void)put(OperatorKind::kReshape, {in.id}, flat, graph::ReshapeOptions{});
        return;
      }
      case 6: {
        const Shape before{0, b_.between(0, 2), b_.between(0, 2), 0}, after{0, b_.between(0, 2), b_.between(0, 2), 0};
        Shape padded = s;
        Shape pads;
        for (std::size_t d = 0; d < 4; ++d) {
          padded[d] += before[d] + after[d];
          pads.insert(pads.end(), {before[d], after[d]});
        }
        (void)put(OperatorKind::kPad, {in.id, b_.indices(pads)}, padded, graph::PadOptions{before, after});
        return;
      }
      case 7: return join(in);
      default: (void)put(OperatorKind::kRelu6, {in.id}, s, graph::Options{});
    }
  }

  void window(const Image& in, bool depthwise) {
    const Shape& s = in.shape;
    const std::int32_t kernel = b_.between(0, 2) * 2 + 1, stride = b_.random.chance(3) ? 2 : 1, dilation = stride == 1 && b_.random.chance(5) ? 2 : 1;
    const Padding padding = (kernel - 1) * dilation >= std::min(s[1], s[2]) || b_.random.chance(4) == 0 ? Padding::kSame : Padding::kValid;
    const std::int32_t channels = depthwise ? s[3] : b_.between(1, 40);
    const Shape out{s[0], size(s[1], kernel, stride, dilation, padding), size(s[2], kernel, stride, dilation, padding), channels};
    const graph::ConvOptions options{padding, stride, stride, dilation, dilation, 1, b_.any_activation()};
    const TensorId filter = depthwise ? b_.weights({1, kernel, kernel, channels}, 3, true) : b_.weights({channels, kernel, kernel, s[3]}, 0, true);
    (void)put(depthwise ? OperatorKind::kDepthwiseConv2d : OperatorKind::kConv2d, {in.id, filter, b_.bias(channels)}, out, options);
  }

  void add_two(const Image& in) {
    TensorId other = in.id;
    for (Image& image : images_)
      if (image.shape == in.shape && image.id != in.id) {
        other = image.id;
        image.is_read = true;
      }
    (void)put(OperatorKind::kAdd, {in.id, other}, in.shape, graph::ElementwiseOptions{b_.any_activation()});
  }

  void pool(const Image& in) {
    const Shape& s = in.shape;
    const std::int32_t kernel = std::min({b_.between(1, 3), s[1], s[2]}), stride = b_.between(1, 2);
    const Padding padding = b_.random.chance(2) ? Padding::kSame : Padding::kValid;
    const Shape out{s[0], size(s[1], kernel, stride, 1, padding), size(s[2], kernel, stride, 1, padding), s[3]};
    (void)put(b_.random.chance(2) ? OperatorKind::kAveragePool2d : OperatorKind::kMaxPool2d, {in.id}, out,
              graph::PoolOptions{padding, stride, stride, kernel, kernel, graph::Activation::kNone});
  }

  void join(const Image& in) {
    std::vector<TensorId> parts{in.id};
    Shape out = in.shape;
    for (Image& image : images_) {
      if (parts.size() == 3 || image.id == in.id || !std::equal(image.shape.begin(), image.shape.begin() + 3, out.begin())) continue;
      parts.push_back(image.id);
      image.is_read = true;
      out[3] += image.shape[3];
    }
    if (parts.size() == 1) return pool(in);
    (void)put(OperatorKind::kConcatenation, parts, out, graph::ConcatenationOptions{3, graph::Activation::kNone});
  }

  ModelBuilder b_;
  TensorId first_ = graph::kAbsent;
  std::vector<Image> images_;
};

std::vector<Chip> chips() {
  std::vector<Chip> chips{edge(), tiny()};
  for (std::uint64_t kibibytes : {6, 12, 24, 48}) {
    Chip chip{fmt::format("tiny with {} KiB", kibibytes), tiny().numbers};
    chip.numbers.sram_bytes = kibibytes * 1024;
    chips.push_back(chip);
    chip.name = fmt::format("edge with {} KiB", kibibytes);
    chip.numbers = edge().numbers;
    chip.numbers.sram_bytes = kibibytes * 1024;
    chips.push_back(chip);
  }
  Chip hasty{"tiny with short jobs", tiny().numbers};
  hasty.numbers.job_cycles_max = 60'000;
  chips.push_back(hasty);
  return chips;
}

TEST(Networks, GiveTheReferencesBitsOnEveryChip) {
  std::uint64_t compiled = 0, too_small = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const graph::Graph graph = NetworkBuilder(seed).build();
    const auto verified = verify_graph(graph);
    ASSERT_TRUE(verified) << "seed " << seed << ": " << verified.error().to_string(true);
    const auto inputs = random_inputs(graph, seed);
    const std::vector<std::span<const std::byte>> views(inputs.begin(), inputs.end());
    const auto expected = reference::run(graph, views, {});
    ASSERT_TRUE(expected) << expected.error().to_string(true);
    for (const Chip& chip : chips()) {
      compiler::CompileOptions options;
      options.fuse = seed % 4 != 0;
      options.keep_all_tensors = seed % 7 == 0;
      const auto package = compiler::compile(graph, chip.numbers, options);
      if (!package && (package.error().id() == ErrorId::kCompileSramTooSmall || package.error().id() == ErrorId::kCompileTooLong)) {
        ++too_small;
        continue;
      }
      ASSERT_TRUE(package) << "seed " << seed << " on " << chip.name << ": " << package.error().to_string(true);
      ++compiled;
      for (const auto& step : package->steps) {
        const auto* job = std::get_if<package::NpuJob>(&step);
        if (job == nullptr) continue;
        const auto report = verify::verify_stream(job->stream, chip.numbers);
        ASSERT_TRUE(report) << "seed " << seed << " on " << chip.name << ": " << report.error().to_string(true);
        EXPECT_LE(job->worst_case_cycles, chip.numbers.job_cycles_max);
      }
      EXPECT_LE(package->memory.sram_peak_bytes, chip.numbers.sram_bytes);
      const auto tensors = run_package(*package, inputs);
      ASSERT_TRUE(tensors) << tensors.error().to_string(true);
      for (std::size_t i = 0; i < package->outputs.size(); ++i)
        ASSERT_TRUE((*tensors)[package->outputs[i]] == expected->outputs[i]) << "seed " << seed << " on " << chip.name << ", output " << i;
    }
  }
  EXPECT_GT(compiled, 5 * too_small);
}

TEST(Networks, NeedEveryOneOfTheirWaits) {
  std::uint64_t removed = 0;
  for (std::uint64_t seed = 1000; seed < 1020; ++seed) {
    const graph::Graph graph = NetworkBuilder(seed).build();
    for (const Chip& chip : chips()) {
      const auto package = compiler::compile(graph, chip.numbers, {});
      if (!package) continue;
      for (const auto& step : package->steps) {
        const auto* job = std::get_if<package::NpuJob>(&step);
        abi::Stream stream;
        if (job == nullptr || abi::decode_stream(job->stream, stream).fault != abi::StreamFault::kNone || stream.commands.size() > 300) continue;
        for (std::size_t i = 0; i < stream.commands.size(); ++i) {
          if (!std::holds_alternative<abi::Wait>(stream.commands[i].body)) continue;
          abi::Stream without = stream;
          without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(i));
          const auto report = verify::verify_stream(without, chip.numbers);
          ++removed;
          ASSERT_FALSE(report) << "seed " << seed << " on " << chip.name << ": the wait at command " << i << " is not needed";
          ASSERT_EQ(report.error().id(), ErrorId::kStreamHazard) << report.error().to_string(true);
        }
      }
    }
  }
  EXPECT_GT(removed, 500U);
}

}  // namespace
}  // namespace naru::sdk::testing
