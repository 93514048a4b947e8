// Small random models, one operator of interest each: odd channels, strides to 3, dilation, one-pixel outputs, extreme zero points and scales.
#pragma once

#include "graph/graph.h"
#include "naru/base/random.h"

namespace naru::sdk::testing {

/// Collects tensors and operators; shapes of outputs are the caller's to know.
class ModelBuilder {
 public:
  explicit ModelBuilder(std::uint64_t seed) : random(seed) {}

  graph::TensorId input(graph::Shape shape, abi::ElementType type = abi::ElementType::kI8);
  graph::TensorId input_like(graph::TensorId other, graph::Shape shape);
  /// An activation with random scale and zero point, or with those given.
  graph::TensorId activation(graph::Shape shape, abi::ElementType type = abi::ElementType::kI8);
  graph::TensorId like(graph::TensorId other, graph::Shape shape);
  graph::TensorId quantized(graph::Shape shape, float scale, std::int32_t zero_point, abi::ElementType type = abi::ElementType::kI8);
  graph::TensorId real(graph::Shape shape);
  /// int8 weights with one scale per index of `axis` (or one for all), zero point 0.
  graph::TensorId weights(graph::Shape shape, std::int32_t axis, bool per_channel);
  graph::TensorId bias(std::int32_t channels);
  /// Makes a tensor that is there an input, or a constant of zeros.
  void add_input(graph::TensorId id) { graph_.inputs.push_back(id); }
  void set_constant(graph::TensorId id);
  graph::TensorId indices(const graph::Shape& values);
  graph::TensorId op(graph::OperatorKind kind, std::vector<graph::TensorId> inputs, graph::TensorId output, graph::Options options = {});
  /// Inputs and outputs are set, names and file numbers filled in.
  graph::Graph finish(std::vector<graph::TensorId> outputs);

  std::int32_t between(std::int32_t low, std::int32_t high) { return static_cast<std::int32_t>(random.between(low, high)); }
  graph::Activation any_activation() { return static_cast<graph::Activation>(random.below(4)); }

  Random random;

 private:
  graph::TensorId add(graph::Shape shape, abi::ElementType type);
  float any_scale();
  std::int32_t any_zero(abi::ElementType type);
  graph::Graph graph_;
};

/// A random model around an operator of `kind`.
graph::Graph random_model(graph::OperatorKind kind, std::uint64_t seed);

/// Seeded bytes of every input; floats are in -4 to 4.
std::vector<std::vector<std::byte>> random_inputs(const graph::Graph& graph, std::uint64_t seed);

}  // namespace naru::sdk::testing
