// One operator on the host, from values written in a test.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/graph.h"
#include "host/host.h"

namespace naru::sdk {

template <typename T>
constexpr abi::ElementType element_type() {
  if constexpr (std::is_same_v<T, std::int8_t>) return abi::ElementType::kI8;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return abi::ElementType::kU8;
  else if constexpr (std::is_same_v<T, std::int16_t>) return abi::ElementType::kI16;
  else if constexpr (std::is_same_v<T, std::int32_t>) return abi::ElementType::kI32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return abi::ElementType::kI64;
  else return abi::ElementType::kF32;
}

class HostRun {
 public:
  explicit HostRun(graph::OperatorKind kind, graph::Options options = {}) {
    op.kind = kind;
    op.options = std::move(options);
  }

  template <typename T>
  HostRun& in(graph::Shape shape, std::vector<T> values, float scale = 0.0F, std::int32_t zero = 0) {
    op.inputs.push_back(add(std::move(shape), element_type<T>(), scale, zero));
    const auto bytes = std::as_bytes(std::span(values));
    // One byte further than a vector begins, so that nothing is aligned.
    std::vector<std::byte> held(bytes.size() + 1);
    std::ranges::copy(bytes, held.begin() + 1);
    inputs_.push_back(std::move(held));
    return *this;
  }
  HostRun& truth(graph::Shape shape, std::vector<std::uint8_t> values) {
    in<std::uint8_t>(std::move(shape), std::move(values));
    tensors.back().type = abi::ElementType::kBool;
    return *this;
  }
  HostRun& left_out() {
    op.inputs.push_back(graph::kAbsent);
    inputs_.emplace_back();
    return *this;
  }
  template <typename T>
  HostRun& out(graph::Shape shape, float scale = 0.0F, std::int32_t zero = 0) {
    op.outputs.push_back(add(std::move(shape), element_type<T>(), scale, zero));
    return *this;
  }
  HostRun& truth_out(graph::Shape shape) {
    out<std::uint8_t>(std::move(shape));
    tensors.back().type = abi::ElementType::kBool;
    return *this;
  }

  /// Runs; results are filled with a pattern before, which an error must leave.
  Result<void> execute() {
    outputs_.clear();
    for (graph::TensorId id : op.outputs) outputs_.emplace_back(graph::byte_size(tensors[static_cast<std::size_t>(id)]), std::byte{0xA5});
    std::vector<std::span<const std::byte>> in;
    for (const auto& held : inputs_) in.push_back(held.empty() ? std::span<const std::byte>() : std::span(held).subspan(1));
    std::vector<std::span<std::byte>> out(outputs_.begin(), outputs_.end());
    auto done = host::execute(op, tensors, in, out);
    for (const auto& bytes : outputs_) {
      const bool untouched = std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0xA5}; });
      EXPECT_TRUE(done || untouched) << "written on error";
    }
    return done;
  }
  template <typename T>
  std::vector<T> result(std::size_t index = 0) const {
    std::vector<T> values(outputs_[index].size() / sizeof(T));
    std::memcpy(values.data(), outputs_[index].data(), outputs_[index].size());
    return values;
  }
  template <typename T>
  std::vector<T> run() {
    const auto able = host::can_execute(op, tensors);
    EXPECT_TRUE(able) << able.error().to_string();
    const auto done = execute();
    EXPECT_TRUE(done) << done.error().to_string();
    return done ? result<T>() : std::vector<T>();
  }
  /// The error, whether asked or run.
  ErrorId refused() {
    const auto able = host::can_execute(op, tensors);
    const auto done = execute();
    EXPECT_FALSE(able) << "can_execute has it";
    EXPECT_FALSE(done);
    if (able || done) return ErrorId::kInternal;
    EXPECT_EQ(able.error().id(), done.error().id());
    return done.error().id();
  }
  /// Data without a result: can_execute has the operator, execute refuses.
  ErrorId refused_for_its_data() {
    EXPECT_TRUE(host::can_execute(op, tensors));
    const auto done = execute();
    EXPECT_FALSE(done);
    return done ? ErrorId::kInternal : done.error().id();
  }

  graph::Operator op;
  std::vector<graph::Tensor> tensors;

 private:
  graph::TensorId add(graph::Shape shape, abi::ElementType type, float scale, std::int32_t zero) {
    graph::Tensor tensor;
    tensor.shape = std::move(shape);
    tensor.type = type;
    if (scale > 0.0F) tensor.quantization = graph::Quantization{{scale}, {zero}, 0};
    tensors.push_back(std::move(tensor));
    return static_cast<graph::TensorId>(tensors.size() - 1);
  }

  std::vector<std::vector<std::byte>> inputs_;
  std::vector<std::vector<std::byte>> outputs_;
};

}  // namespace naru::sdk
