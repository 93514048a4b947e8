// Whole numbers that are known while a file is read: constants, shapes, and what small operators make of them. Converters write the parameters of a model
// with an open batch as such chains (SHAPE, STRIDED_SLICE, PACK); the operators stay in the graph, where the compiler folds them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace naru::sdk {

/// Used for one subgraph, its operators in order. Nothing is verified yet: what does not fit is not known.
class KnownNumbers {
 public:
  using Numbers = std::vector<std::int64_t>;

  /// Of a constant; nullopt for everything else, and for constants that are not i32 or i64 or have another size than their tensor.
  [[nodiscard]] static std::optional<Numbers> constant_of(const graph::Tensor& tensor);
  /// Of what follow() took note of; nullptr for everything else.
  [[nodiscard]] const Numbers* computed(graph::TensorId id) const;

  /// Takes note of what an operator computes, when that is known.
  void follow(const graph::Graph& graph, const graph::Operator& op);

 private:
  [[nodiscard]] std::optional<Numbers> of(const graph::Graph& graph, graph::TensorId id) const;
  /// Of a scalar or a vector.
  [[nodiscard]] std::optional<Numbers> vector_of(const graph::Graph& graph, graph::TensorId id) const;
  void note(const graph::Graph& graph, graph::TensorId id, std::optional<Numbers> values);
  void follow_unpack(const graph::Graph& graph, const graph::Operator& op);
  [[nodiscard]] std::optional<Numbers> result_of(const graph::Graph& graph, const graph::Operator& op) const;
  [[nodiscard]] std::optional<Numbers> sliced(const graph::Graph& graph, const graph::Operator& op) const;
  [[nodiscard]] std::optional<Numbers> joined(const graph::Graph& graph, const graph::Operator& op) const;
  [[nodiscard]] std::optional<Numbers> gathered(const graph::Graph& graph, const graph::Operator& op) const;
  [[nodiscard]] std::optional<Numbers> combined(const graph::Graph& graph, const graph::Operator& op) const;

  std::map<graph::TensorId, Numbers> computed_;
};

}  // namespace naru::sdk
