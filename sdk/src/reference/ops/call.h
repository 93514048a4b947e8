// One execution of one operator on whole tensors: what every reference kernel is given.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "naru/base/error_ids.h"

namespace naru::sdk::reference {

/// Why a kernel could not do its work: a type without a kernel, or values that the operator is not defined for.
struct Refusal {
  ErrorId id = ErrorId::kModelTypeUnsupported;
  std::string text;
};

/// The operator is one of a graph that has passed verify_graph(), and the spans have the tensors' sizes and alignment.
/// inputs[i] is empty where operand i is left out, results[i] where result i is; results are zeroed.
struct Call {
  const graph::Graph& graph;
  const graph::Operator& op;
  std::span<const std::span<const std::byte>> inputs;
  std::span<std::vector<std::byte>> results;
  std::optional<Refusal>& refusal;

  [[nodiscard]] bool has(std::size_t index) const { return index < inputs.size() && !inputs[index].empty(); }
  [[nodiscard]] const graph::Tensor& input(std::size_t index) const { return graph.tensor(op.inputs[index]); }
  [[nodiscard]] const graph::Tensor& output(std::size_t index = 0) const { return graph.tensor(op.outputs[index]); }
  template <typename T>
  [[nodiscard]] const T* data(std::size_t index) const {
    return has(index) ? reinterpret_cast<const T*>(inputs[index].data()) : nullptr;
  }
  template <typename T>
  [[nodiscard]] T* out(std::size_t index = 0) const {
    return index < results.size() && !results[index].empty() ? reinterpret_cast<T*>(results[index].data()) : nullptr;
  }
  template <typename Options>
  [[nodiscard]] const Options& options() const {
    static const Options kDefaults{};
    const Options* found = std::get_if<Options>(&op.options);
    return found == nullptr ? kDefaults : *found;
  }
  void refuse(ErrorId id, std::string text) const {
    if (!refusal) refusal = Refusal{id, std::move(text)};
  }
};

using Kernel = void (*)(const Call&);

// conv.cpp, transpose_conv.cpp, matrix.cpp
void conv_2d(const Call& call);
void depthwise_conv_2d(const Call& call);
void transpose_conv(const Call& call);
void fully_connected(const Call& call);
void batch_matmul(const Call& call);
// pool.cpp, reduce.cpp
void average_pool_2d(const Call& call);
void max_pool_2d(const Call& call);
void mean(const Call& call);
void sum(const Call& call);
void reduce_max(const Call& call);
void reduce_min(const Call& call);
void arg_max(const Call& call);
void arg_min(const Call& call);
// binary.cpp, compare.cpp
void add(const Call& call);
void sub(const Call& call);
void mul(const Call& call);
void div(const Call& call);
void minimum(const Call& call);
void maximum(const Call& call);
void squared_difference(const Call& call);
void floor_div(const Call& call);
void floor_mod(const Call& call);
void power(const Call& call);
void compare(const Call& call);
void logical(const Call& call);
void select(const Call& call);
// activation.cpp, gate.cpp, unary.cpp
void relu(const Call& call);
void leaky_relu(const Call& call);
void prelu(const Call& call);
void hard_swish(const Call& call);
void logistic(const Call& call);
void tanh(const Call& call);
void unary(const Call& call);
// quantize.cpp
void quantize(const Call& call);
void dequantize(const Call& call);
void cast(const Call& call);
// softmax.cpp
void softmax(const Call& call);
void log_softmax(const Call& call);
void l2_normalization(const Call& call);
// resize.cpp
void resize_bilinear(const Call& call);
void resize_nearest_neighbor(const Call& call);
// move.cpp, select_elements.cpp
void copy(const Call& call);
void pad(const Call& call);
void mirror_pad(const Call& call);
void transpose(const Call& call);
void concatenation(const Call& call);
void slice(const Call& call);
void split(const Call& call);
void pack(const Call& call);
void unpack(const Call& call);
void tile(const Call& call);
void broadcast_to(const Call& call);
void space_to_depth(const Call& call);
void depth_to_space(const Call& call);
void space_to_batch_nd(const Call& call);
void batch_to_space_nd(const Call& call);
void gather(const Call& call);
void gather_nd(const Call& call);
void shape(const Call& call);
void fill(const Call& call);
// recurrent.cpp, detection.cpp
void svdf(const Call& call);
void unidirectional_sequence_lstm(const Call& call);
void detection_post_process(const Call& call);

}  // namespace naru::sdk::reference
