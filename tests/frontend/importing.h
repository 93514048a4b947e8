// Importing models that tests make in memory, and running those of 8-bit codes on the reference.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "import/tflite/import.h"
#include "model_builder.h"
#include "reference/interpreter.h"

namespace naru::testing_models {

/// An empty graph, and a failure of the test, when it is refused.
inline sdk::graph::Graph imported(const ModelBuilder& builder) {
  auto graph = sdk::import_tflite(builder.bytes());
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().to_string(true));
  return graph.value_or(sdk::graph::Graph());
}

inline void expect_refusal(const ModelBuilder& builder, ErrorId id, const std::string& text) {
  const auto graph = sdk::import_tflite(builder.bytes());
  ASSERT_FALSE(graph) << text;
  EXPECT_EQ(graph.error().id(), id) << graph.error().to_string(true);
  EXPECT_THAT(graph.error().message(), ::testing::HasSubstr(text));
}

inline std::vector<int> values_of_codes(std::span<const std::byte> bytes) {
  std::vector<int> values;
  for (const std::byte byte : bytes) values.push_back(static_cast<std::int8_t>(byte));
  return values;
}

inline std::vector<std::byte> codes_of_values(const std::vector<int>& values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// The first output's codes for the only input's.
inline std::vector<int> run_of(const sdk::graph::Graph& graph, const std::vector<int>& input, std::vector<sdk::reference::Bytes>* states = nullptr) {
  const auto bytes = codes_of_values(input);
  const std::span<const std::byte> inputs[] = {bytes};
  const auto result = sdk::reference::run(graph, inputs, {.states = states});
  EXPECT_TRUE(result) << (result ? "" : result.error().to_string(true));
  return result ? values_of_codes(result->outputs[0]) : std::vector<int>();
}

/// Codes of scale 0.5.
inline int codes(ModelBuilder& b, const sdk::graph::Shape& shape, std::int64_t zero_point = 0) { return b.add_tensor("codes", shape, tflite::TensorType_INT8, {0.5F}, zero_point); }
inline int numbers(ModelBuilder& b, const std::vector<std::int32_t>& values) {
  return b.constant(b.add_tensor("numbers", {static_cast<std::int32_t>(values.size())}, tflite::TensorType_INT32), values);
}

}  // namespace naru::testing_models
