// State in files: resource variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, CALL_ONCE) and variable tensors of recurrent cells, both as graph::State.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "import/tflite/read.h"

namespace naru::sdk {

/// Used for one main subgraph, its operators in order.
class StateReader {
 public:
  StateReader(const TfliteFile& file, graph::Graph& graph, const GraphLimits& limits) : file_(file), graph_(graph), limits_(limits) {}

  [[nodiscard]] static bool is_state_operator(int builtin_code) noexcept;
  /// One of the four operators: what it leaves behind is added to the graph.
  [[nodiscard]] Result<void> read(const tflite::Operator& source, int builtin_code, std::int32_t index);
  /// Operand `operand` is a variable tensor that the operator changes: its new value becomes one more result.
  [[nodiscard]] Result<void> add_cell_state(graph::Operator& op, std::size_t operand);
  /// After the last operator.
  [[nodiscard]] Result<void> finish();

 private:
  struct Variable {
    graph::TensorId before = graph::kAbsent;
    graph::TensorId current = graph::kAbsent;
    std::span<const std::byte> initial;
    bool is_initialised = false;
  };
  using Key = std::pair<std::string, std::string>;  // container, shared name

  [[nodiscard]] Result<Variable*> variable_of(const graph::Operator& op);
  [[nodiscard]] Result<void> call_once(const tflite::Operator& source, const graph::Operator& op);
  [[nodiscard]] Result<void> initialise(std::uint32_t subgraph, const graph::Operator& caller);
  graph::TensorId copy_of(graph::TensorId like, bool is_variable);
  [[nodiscard]] std::span<const std::byte> zero_codes(const graph::Tensor& tensor);

  const TfliteFile& file_;
  graph::Graph& graph_;
  const GraphLimits& limits_;
  std::map<graph::TensorId, Key> handles_;
  std::map<Key, Variable> variables_;
  std::set<std::uint32_t> initialised_;                         // subgraphs that CALL_ONCE has named
  std::map<std::byte, std::span<const std::byte>> zero_codes_;  // by the code of zero: the longest that a state needed
  std::uint64_t zero_bytes_ = 0;
};

}  // namespace naru::sdk
