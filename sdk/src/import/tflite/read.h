// The steps of the importer: tensors first, then operators, whose options may lie in constant tensors.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/text.h"
#include "import/tflite/schema.h"
#include "import/verify.h"
#include "naru/base/result.h"

namespace naru::sdk {

/// Constants that lie misaligned in a file, by where they lie there: one copy each, however many tensors name them.
struct AlignedCopies {
  std::map<std::pair<const std::byte*, std::size_t>, std::shared_ptr<const std::vector<std::byte>>> made;
  std::uint64_t bytes = 0;
};

struct TfliteFile {
  const tflite::Model* model = nullptr;
  const tflite::SubGraph* subgraph = nullptr;
  std::uint32_t number = 0;  // of the subgraph
  std::shared_ptr<const std::vector<std::byte>> bytes;
  std::shared_ptr<AlignedCopies> copies = std::make_shared<AlignedCopies>();  // of all subgraphs
};

/// Empty for a text that the file leaves out.
using graph::clean_text;
[[nodiscard]] inline std::string clean_text(const flatbuffers::String* text) { return text == nullptr ? std::string() : graph::clean_text(std::string_view(text->data(), text->size())); }

/// A list of tensors that may be left out of the file.
[[nodiscard]] inline std::vector<graph::TensorId> ids_of(const flatbuffers::Vector<std::int32_t>* ids) {
  return ids == nullptr ? std::vector<graph::TensorId>() : std::vector<graph::TensorId>(ids->begin(), ids->end());
}

/// Fills graph.tensors. Checks buffers and what the graph cannot hold (sparsity, custom quantisation, 64-bit zero points); leaves meaning to verify_graph.
[[nodiscard]] Result<void> read_tensors(const TfliteFile& file, graph::Graph& graph, const GraphLimits& limits);
/// Refuses the first operator that Naru does not know, by name: what a model's owner needs to hear before anything else.
[[nodiscard]] Result<void> check_operators_known(const TfliteFile& file);
/// Converters keep weights in FLOAT16 behind a DEQUANTIZE: its result becomes a constant of f32, whose bytes are returned; the operator is done then.
/// 0 when no FLOAT16 is there. Any other use of it is refused.
[[nodiscard]] Result<std::uint64_t> widen_halves(const TfliteFile& file, graph::Graph& graph, const graph::Operator& op, const GraphLimits& limits);
/// Fills graph.operators, resolving axes, paddings, permutations and shapes from constant operands.
[[nodiscard]] Result<void> read_operators(const TfliteFile& file, graph::Graph& graph, const GraphLimits& limits);
/// Files leave the shapes of what detection finds open, or write others: its options say them. What a later operator reads has the shape it was built for.
void give_detections_shapes(const TfliteFile& file, graph::Graph& graph, const graph::Operator& op);

}  // namespace naru::sdk
