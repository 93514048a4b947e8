// A model with two subgraphs, each with a signature.
#pragma once

#include <memory>
#include <utility>

#include "model_builder.h"

namespace naru::testing_models {

/// Subgraph 0, "first", is a RELU; subgraph 1, "second", a TANH with one more tensor.
inline ModelBuilder two_subgraphs() {
  using namespace tflite;
  ModelBuilder b;
  const auto add = [&](BuiltinOperator code, std::uint32_t number, const char* key) {
    const int in = b.add_tensor("in", {1, 4}, TensorType_INT8, {1.0F / 128}), out = b.add_tensor("out", {1, 4}, TensorType_INT8, {1.0F / 128});
    b.add_operator(code, {in}, {out});
    auto signature = std::make_unique<SignatureDefT>();
    signature->signature_key = key;
    signature->subgraph_index = number;
    for (auto* maps : {&signature->inputs, &signature->outputs}) {
      auto map = std::make_unique<TensorMapT>();
      map->name = maps == &signature->inputs ? "given" : "found";
      map->tensor_index = maps == &signature->inputs ? 0 : 1;
      maps->push_back(std::move(map));
    }
    b.model.signature_defs.push_back(std::move(signature));
    b.graph().inputs = {0};
    b.graph().outputs = {1};
  };
  add(BuiltinOperator_TANH, 1, "second");
  auto second = std::move(b.model.subgraphs[0]);
  b.model.subgraphs[0] = std::make_unique<SubGraphT>();
  add(BuiltinOperator_RELU, 0, "first");
  b.model.subgraphs.push_back(std::move(second));
  return b;
}

}  // namespace naru::testing_models
