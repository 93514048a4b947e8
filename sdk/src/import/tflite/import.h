// TensorFlow Lite models into graphs.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "import/verify.h"
#include "naru/base/result.h"

namespace naru::sdk {

struct ImportLimits {
  std::size_t file_bytes_max = std::size_t{1} << 30;
  GraphLimits graph;
};

/// Reads a .tflite file. The graph points into `bytes` and keeps it alive. The bytes are hostile until proven otherwise: structure is checked by the
/// FlatBuffers verifier, meaning by verify_graph(); an error (02xx) names operator, tensor and field. Blocks for the time of one pass over
/// the tables; constants are not copied unless they are misaligned.
/// `signature`: the key of the signature whose subgraph is read; empty: the first subgraph. kInvalidArgument: the file has none of that key.
[[nodiscard]] Result<graph::Graph> import_tflite(std::shared_ptr<const std::vector<std::byte>> bytes, const ImportLimits& limits = {}, std::string_view signature = {});

/// Whether the bytes claim to be a TFLite model (identifier "TFL3").
[[nodiscard]] bool looks_like_tflite(std::span<const std::byte> bytes) noexcept;

}  // namespace naru::sdk
