// A graph of one operator with operands and results of any type, and its run in the reference. For tests of kernels.
#pragma once

#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "reference/interpreter.h"

namespace naru::sdk {

/// Nearly every tensor of these tests: its scale and zero point; 0 stands for no quantisation.
struct Codes {
  float scale = 0.0F;
  std::int32_t zero = 0;
};

template <typename T>
constexpr abi::ElementType type_of() {
  if constexpr (std::is_same_v<T, std::int8_t>)
    return abi::ElementType::kI8;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return abi::ElementType::kU8;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return abi::ElementType::kI16;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return abi::ElementType::kI32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return abi::ElementType::kI64;
  else if constexpr (std::is_same_v<T, float>)
    return abi::ElementType::kF32;
  else
    return abi::ElementType::kBool;
}

/// std::vector<bool> has no elements in memory: bools are given as this.
enum class Bit : std::uint8_t { kFalse, kTrue };

class ReferenceOperator {
 public:
  explicit ReferenceOperator(graph::OperatorKind kind, graph::Options options = {}) {
    op_.kind = kind;
    op_.options = std::move(options);
    op_.file_index = 0;
  }

  template <typename T>
  ReferenceOperator& input(graph::Shape shape, std::vector<T> values, Codes codes = {}) {
    op_.inputs.push_back(add<T>(std::move(shape), codes));
    graph_.inputs.push_back(op_.inputs.back());
    inputs_.push_back(bytes_of(values));
    return *this;
  }
  template <typename T>
  ReferenceOperator& constant(graph::Shape shape, std::vector<T> values, Codes codes = {}) {
    op_.inputs.push_back(add<T>(std::move(shape), codes));
    graph_.tensor(op_.inputs.back()).constant = graph_.keep(bytes_of(values));
    return *this;
  }
  ReferenceOperator& absent(std::size_t count = 1) {
    op_.inputs.insert(op_.inputs.end(), count, graph::kAbsent);
    return *this;
  }
  /// An operand whose value lasts: result `after` gives the next one.
  template <typename T>
  ReferenceOperator& state(graph::Shape shape, std::vector<T> initial, Codes codes = {}) {
    op_.inputs.push_back(add<T>(std::move(shape), codes));
    graph_.tensor(op_.inputs.back()).is_variable = true;
    graph_.states.push_back({op_.inputs.back(), graph::kAbsent, graph_.keep(bytes_of(initial))});
    return *this;
  }
  template <typename T>
  ReferenceOperator& result(graph::Shape shape, Codes codes = {}) {
    op_.outputs.push_back(add<T>(std::move(shape), codes));
    graph_.outputs.push_back(op_.outputs.back());
    return *this;
  }
  /// The result that is the state's next value; in the order of the states.
  ReferenceOperator& next_state() {
    graph::State& state = graph_.states.at(next_state_++);
    state.after = graph_.add_tensor(graph_.tensor(state.before));
    op_.outputs.push_back(state.after);
    return *this;
  }

  [[nodiscard]] Result<reference::RunResult> try_run() {
    graph_.operators = {op_};
    const std::vector<std::span<const std::byte>> views(inputs_.begin(), inputs_.end());
    return reference::run(graph_, views, {.states = graph_.states.empty() ? nullptr : &states_});
  }
  /// Runs, and gives one of the results.
  template <typename T>
  [[nodiscard]] std::vector<T> run(std::size_t index = 0) {
    const auto done = try_run();
    EXPECT_TRUE(done) << (done ? "" : done.error().to_string(true));
    return done ? values_of<T>(done->outputs.at(index)) : std::vector<T>();
  }
  template <typename T>
  void replace_input(std::size_t index, const std::vector<T>& values) {
    inputs_.at(index) = bytes_of(values);
  }
  template <typename T>
  [[nodiscard]] std::vector<T> state_values(std::size_t index) const {
    return values_of<T>(states_.at(index));
  }

 private:
  template <typename T>
  static std::vector<std::byte> bytes_of(const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return {bytes.begin(), bytes.end()};
  }
  template <typename T>
  static std::vector<T> values_of(const std::vector<std::byte>& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  template <typename T>
  graph::TensorId add(graph::Shape shape, Codes codes) {
    graph::Tensor tensor;
    tensor.shape = std::move(shape);
    tensor.type = type_of<T>();
    if (codes.scale != 0.0F) tensor.quantization = graph::Quantization{{codes.scale}, {codes.zero}, 0};
    tensor.file_index = static_cast<std::int32_t>(graph_.tensors.size());
    return graph_.add_tensor(std::move(tensor));
  }

  graph::Graph graph_;
  graph::Operator op_;
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<reference::Bytes> states_;
  std::size_t next_state_ = 0;
};

/// first, first + 1, ...
template <typename T>
std::vector<T> counted(std::size_t count, int first = 0) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(first + static_cast<int>(i));
  return values;
}

}  // namespace naru::sdk
