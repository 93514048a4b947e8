// Opens a TFLite file: FlatBuffers verifier, then tensors, operators and names, then the semantic verifier.
#include "import/tflite/import.h"

#include <fmt/format.h>

#include "import/refusal.h"
#include "import/tflite/read.h"

namespace naru::sdk {
namespace {

constexpr std::size_t kIdentifierEnd = 8;
constexpr std::uint32_t kSchemaVersion = 3;

Result<const tflite::Model*> verified_model(std::span<const std::byte> bytes, const ImportLimits& limits) {
  if (bytes.size() > limits.file_bytes_max || bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return refuse(ErrorId::kModelLimit, {.field = "file"}, fmt::format("has {} bytes; the limit is {}", bytes.size(), limits.file_bytes_max));
  if (!looks_like_tflite(bytes)) return fail(ErrorId::kModelNotTflite, "The file is not a TFLite model: it does not have TFL3 at byte 4");
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (!tflite::VerifyModelBuffer(verifier)) return fail(ErrorId::kModelStructure, "The file's tables are damaged: an offset, a size or an alignment is wrong");
  return tflite::GetModel(bytes.data());
}

Result<const tflite::SubGraph*> main_subgraph(const tflite::Model& model) {
  if (model.version() != kSchemaVersion)
    return refuse(ErrorId::kModelStructure, {.field = "version"}, fmt::format("is {}; must be {}", model.version(), kSchemaVersion));
  const auto* subgraphs = model.subgraphs();
  if (subgraphs == nullptr || subgraphs->size() == 0) return refuse(ErrorId::kModelGraph, {.field = "subgraphs"}, "there are none");
  return subgraphs->Get(0);
}

Result<void> check_metadata(const tflite::Model& model) {
  const std::uint32_t buffers = model.buffers() == nullptr ? 0 : model.buffers()->size();
  if (model.metadata() != nullptr)
    for (const tflite::Metadata* metadata : *model.metadata())
      if (metadata->buffer() >= buffers)
        return refuse(ErrorId::kModelBufferIndex, {.field = "metadata.buffer"}, fmt::format("is {}; the model has {} buffers", metadata->buffer(), buffers));
  if (model.metadata_buffer() != nullptr)
    for (std::int32_t index : *model.metadata_buffer())
      if (index < 0 || static_cast<std::uint32_t>(index) >= buffers)
        return refuse(ErrorId::kModelBufferIndex, {.field = "metadata_buffer"}, fmt::format("has {}; the model has {} buffers", index, buffers));
  return {};
}

Result<void> read_signatures(const tflite::Model& model, graph::Graph& graph) {
  if (model.signature_defs() == nullptr) return {};
  for (const tflite::SignatureDef* source : *model.signature_defs()) {
    if (source->subgraph_index() >= model.subgraphs()->size())
      return refuse(ErrorId::kModelGraph, {.field = "signature_defs.subgraph_index"},
                    fmt::format("is {}; the model has {} subgraphs", source->subgraph_index(), model.subgraphs()->size()));
    // Initialisers and bodies of control flow have signatures too; their tensors are numbered apart.
    if (source->subgraph_index() != 0) continue;
    graph::Signature signature;
    signature.key = clean_text(source->signature_key());
    const auto read = [&](const auto* maps, auto& target) -> Result<void> {
      if (maps == nullptr) return {};
      for (const tflite::TensorMap* map : *maps) {
        if (map->tensor_index() >= graph.tensors.size())
          return refuse(ErrorId::kModelTensorIndex, {.field = "signature_defs"}, fmt::format("names tensor {}; the model has {}", map->tensor_index(), graph.tensors.size()));
        target.emplace_back(clean_text(map->name()), static_cast<graph::TensorId>(map->tensor_index()));
      }
      return {};
    };
    NARU_CHECK_OK(read(source->inputs(), signature.inputs));
    NARU_CHECK_OK(read(source->outputs(), signature.outputs));
    graph.signatures.push_back(std::move(signature));
  }
  return {};
}

}  // namespace

bool looks_like_tflite(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kIdentifierEnd && tflite::ModelBufferHasIdentifier(bytes.data());
}

Result<graph::Graph> import_tflite(std::shared_ptr<const std::vector<std::byte>> bytes, const ImportLimits& limits) {
  if (!bytes) return fail(ErrorId::kInvalidArgument, "import_tflite() was given no bytes");
  TfliteFile file;
  file.bytes = bytes;
  NARU_TRY(file.model, verified_model(*bytes, limits));
  NARU_TRY(file.subgraph, main_subgraph(*file.model));
  NARU_CHECK_OK(check_metadata(*file.model));
  NARU_CHECK_OK(check_operators_known(file));

  graph::Graph graph;
  graph.storage.push_back(bytes);
  graph.name = clean_text(file.subgraph->name());
  graph.description = clean_text(file.model->description());
  NARU_CHECK_OK(read_tensors(file, graph, limits.graph));
  NARU_CHECK_OK(read_operators(file, graph, limits.graph));
  graph.inputs = ids_of(file.subgraph->inputs());
  graph.outputs = ids_of(file.subgraph->outputs());
  NARU_CHECK_OK(read_signatures(*file.model, graph));
  NARU_CHECK_OK(verify_graph(graph, limits.graph));
  return graph;
}

}  // namespace naru::sdk
