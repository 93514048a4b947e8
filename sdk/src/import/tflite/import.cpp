// Opens a TFLite file: FlatBuffers verifier, then tensors, operators and names, then the semantic verifier.
#include "import/tflite/import.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

Result<void> check_version(const tflite::Model& model) {
  if (model.version() != kSchemaVersion)
    return refuse(ErrorId::kModelStructure, {.field = "version"}, fmt::format("is {}; must be {}", model.version(), kSchemaVersion));
  if (model.subgraphs() == nullptr || model.subgraphs()->size() == 0) return refuse(ErrorId::kModelGraph, {.field = "subgraphs"}, "there are none");
  return {};
}

/// What any subgraph must keep to, read or not: operators and lists name tensors that it has, and codes that the model has.
Result<void> check_indices(const tflite::Model& model, std::uint32_t number) {
  const tflite::SubGraph& subgraph = *model.subgraphs()->Get(number);
  const std::int64_t tensors = subgraph.tensors() == nullptr ? 0 : subgraph.tensors()->size(), codes = model.operator_codes() == nullptr ? 0 : model.operator_codes()->size();
  const auto check = [&](const flatbuffers::Vector<std::int32_t>* ids, std::string_view field, std::int32_t op, std::int64_t lowest) -> Result<void> {
    for (const graph::TensorId id : ids_of(ids))
      if (id < lowest || id >= tensors)
        return refuse(ErrorId::kModelTensorIndex, {.operator_index = op, .field = field}, fmt::format("is {}; subgraph {} has {} tensors", id, number, tensors));
    return {};
  };
  NARU_CHECK_OK(check(subgraph.inputs(), "inputs of the graph", -1, 0));
  NARU_CHECK_OK(check(subgraph.outputs(), "outputs of the graph", -1, 0));
  const flatbuffers::uoffset_t count = subgraph.operators() == nullptr ? 0 : subgraph.operators()->size();
  for (flatbuffers::uoffset_t i = 0; i < count; ++i) {
    const tflite::Operator& op = *subgraph.operators()->Get(i);
    const auto index = static_cast<std::int32_t>(i);
    if (op.opcode_index() >= codes) return refuse(ErrorId::kModelStructure, {.operator_index = index, .field = "opcode_index"}, fmt::format("is {}; the model has {} codes", op.opcode_index(), codes));
    NARU_CHECK_OK(check(op.inputs(), "inputs", index, graph::kAbsent));
    NARU_CHECK_OK(check(op.outputs(), "outputs", index, 0));
  }
  return {};
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

Result<std::vector<graph::Signature>> read_signatures(const tflite::Model& model) {
  std::vector<graph::Signature> signatures;
  if (model.signature_defs() == nullptr) return signatures;
  for (const tflite::SignatureDef* source : *model.signature_defs()) {
    if (source->subgraph_index() >= model.subgraphs()->size())
      return refuse(ErrorId::kModelGraph, {.field = "signature_defs.subgraph_index"},
                    fmt::format("is {}; the model has {} subgraphs", source->subgraph_index(), model.subgraphs()->size()));
    graph::Signature signature;
    signature.key = clean_text(source->signature_key());
    signature.subgraph = source->subgraph_index();
    const auto* tensors = model.subgraphs()->Get(signature.subgraph)->tensors();
    const std::uint32_t count = tensors == nullptr ? 0 : tensors->size();
    const auto read = [&](const auto* maps, auto& target) -> Result<void> {
      if (maps == nullptr) return {};
      for (const tflite::TensorMap* map : *maps) {
        if (map->tensor_index() >= count)
          return refuse(ErrorId::kModelTensorIndex, {.field = "signature_defs"}, fmt::format("names tensor {}; the model has {}", map->tensor_index(), count));
        target.emplace_back(clean_text(map->name()), static_cast<graph::TensorId>(map->tensor_index()));
      }
      return {};
    };
    NARU_CHECK_OK(read(source->inputs(), signature.inputs));
    NARU_CHECK_OK(read(source->outputs(), signature.outputs));
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

/// The subgraph that a signature stands for; of several with one key the first.
Result<std::uint32_t> subgraph_of(const std::vector<graph::Signature>& signatures, std::string_view key) {
  if (key.empty()) return 0;
  const auto found = std::ranges::find(signatures, key, &graph::Signature::key);
  if (found != signatures.end()) return found->subgraph;
  std::vector<std::string_view> keys;
  for (const graph::Signature& signature : signatures) keys.emplace_back(signature.key);
  return fail(Error(ErrorId::kInvalidArgument, fmt::format("The model has no signature \"{}\"", clean_text(key)))
                  .with_remedy(keys.empty() ? "It has none at all: leave the signature out." : fmt::format("It has: {}.", fmt::join(keys, ", "))));
}

}  // namespace

bool looks_like_tflite(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kIdentifierEnd && tflite::ModelBufferHasIdentifier(bytes.data());
}

Result<graph::Graph> import_tflite(std::shared_ptr<const std::vector<std::byte>> bytes, const ImportLimits& limits, std::string_view signature) {
  if (!bytes) return fail(ErrorId::kInvalidArgument, "import_tflite() was given no bytes");
  TfliteFile file;
  file.bytes = bytes;
  NARU_TRY(file.model, verified_model(*bytes, limits));
  NARU_CHECK_OK(check_version(*file.model));
  NARU_TRY(std::vector<graph::Signature> signatures, read_signatures(*file.model));
  NARU_TRY(file.number, subgraph_of(signatures, signature));
  file.subgraph = file.model->subgraphs()->Get(file.number);
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
  graph.signatures = std::move(signatures);
  graph.subgraph = file.number;
  graph.subgraphs = file.model->subgraphs()->size();
  for (std::uint32_t i = 0; i < graph.subgraphs; ++i)
    if (i != file.number) NARU_CHECK_OK(check_indices(*file.model, i));
  NARU_CHECK_OK(verify_graph(graph, limits.graph));
  return graph;
}

}  // namespace naru::sdk
