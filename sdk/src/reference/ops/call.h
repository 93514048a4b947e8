// One execution of one operator on whole tensors: what every reference kernel is given.
#pragma once

#include <cstddef>
#include <span>

#include "graph/graph.h"

namespace naru::sdk::reference {

/// The operator is one of a graph that has passed verify_graph(), and the spans have the tensors' sizes and alignment.
/// inputs[i] is empty where operand i is left out.
struct Call {
  const graph::Graph& graph;
  const graph::Operator& op;
  std::span<const std::span<const std::byte>> inputs;
  std::span<std::byte> result;

  [[nodiscard]] const graph::Tensor& input(std::size_t index) const { return graph.tensor(op.inputs[index]); }
  [[nodiscard]] const graph::Tensor& output() const { return graph.tensor(op.outputs[0]); }
  template <typename T>
  [[nodiscard]] const T* data(std::size_t index) const {
    return index < inputs.size() && !inputs[index].empty() ? reinterpret_cast<const T*>(inputs[index].data()) : nullptr;
  }
  template <typename T>
  [[nodiscard]] T* out() const {
    return reinterpret_cast<T*>(result.data());
  }
  template <typename Options>
  [[nodiscard]] const Options& options() const {
    static const Options kDefaults{};
    const Options* found = std::get_if<Options>(&op.options);
    return found == nullptr ? kDefaults : *found;
  }
};

void conv_2d(const Call& call);
void depthwise_conv_2d(const Call& call);
void fully_connected(const Call& call);
void average_pool_2d(const Call& call);
void max_pool_2d(const Call& call);
void add(const Call& call);
void mul(const Call& call);
void pad(const Call& call);
void mean(const Call& call);
void reshape(const Call& call);
void softmax(const Call& call);
void relu(const Call& call);
void concatenation(const Call& call);
void transpose(const Call& call);
void quantize(const Call& call);
void dequantize(const Call& call);

}  // namespace naru::sdk::reference
