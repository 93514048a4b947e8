// Models: files to graphs or packages, and back.
#include "naru/model.h"

#include <fmt/format.h>

#include "import/tflite/import.h"
#include "naru/base/file.h"
#include "naru/base/hash.h"
#include "naru/version.h"
#include "package/codec.h"
#include "runtime/handles.h"

namespace naru {

std::string_view version() noexcept { return "0.1.0"; }

namespace sdk::runtime {

DataType to_data_type(abi::ElementType type) noexcept {
  switch (type) {
    case abi::ElementType::kI8: return DataType::kInt8;
    case abi::ElementType::kU8: return DataType::kUint8;
    case abi::ElementType::kI16: return DataType::kInt16;
    case abi::ElementType::kI32: return DataType::kInt32;
    case abi::ElementType::kF32: return DataType::kFloat32;
    case abi::ElementType::kI64: return DataType::kInt64;
    case abi::ElementType::kBool: return DataType::kBool;
    case abi::ElementType::kNone: break;
  }
  return DataType::kNone;
}

namespace {

TensorInfo make_info(const std::string& name, const graph::Shape& shape, abi::ElementType type, const std::optional<graph::Quantization>& quantization, std::int32_t file_index,
                     std::uint64_t bytes) {
  TensorInfo info{.name = name, .shape = shape, .type = to_data_type(type), .quantization = {}, .file_index = file_index, .bytes = static_cast<std::size_t>(bytes)};
  if (quantization) info.quantization = {quantization->scales, quantization->zero_points, quantization->axis};
  return info;
}

}  // namespace

TensorInfo to_info(const graph::Tensor& tensor) { return make_info(tensor.name, tensor.shape, tensor.type, tensor.quantization, tensor.file_index, graph::byte_size(tensor)); }
TensorInfo to_info(const package::Tensor& tensor) { return make_info(tensor.name, tensor.shape, tensor.type, tensor.quantization, tensor.file_index, tensor.bytes); }

Model make_model(std::string name, package::Package package, const std::array<std::byte, 32>& content_sha256) {
  auto handle = std::make_shared<detail::ModelHandle>();
  handle->name = std::move(name);
  for (std::uint32_t index : package.inputs) handle->inputs.push_back(to_info(package.tensors[index]));
  for (std::uint32_t index : package.outputs) handle->outputs.push_back(to_info(package.tensors[index]));
  handle->package = std::move(package);
  handle->content_sha256 = content_sha256;
  return Model(std::move(handle));
}

}  // namespace sdk::runtime

namespace {

Result<Model> from_owned(std::shared_ptr<const std::vector<std::byte>> bytes, std::string name, const std::string& signature) {
  if (sdk::package::is_package(*bytes)) {
    if (!signature.empty()) return fail(Error(ErrorId::kInvalidArgument, "A package holds one subgraph; a signature cannot be chosen any more").with_remedy("Compile the model with that signature."));
    NARU_TRY(sdk::package::Package package, sdk::package::decode(std::move(bytes)));
    const Sha256 source = package.model_sha256;
    return sdk::runtime::make_model(std::move(name), std::move(package), source);
  }
  const Sha256 hash = sha256(*bytes);
  NARU_TRY(sdk::graph::Graph graph, sdk::import_tflite(std::move(bytes), {}, signature));
  auto handle = std::make_shared<detail::ModelHandle>();
  handle->name = std::move(name);
  for (sdk::graph::TensorId id : graph.inputs) handle->inputs.push_back(sdk::runtime::to_info(graph.tensor(id)));
  for (sdk::graph::TensorId id : graph.outputs) handle->outputs.push_back(sdk::runtime::to_info(graph.tensor(id)));
  handle->graph = std::move(graph);
  handle->content_sha256 = hash;
  return Model(std::move(handle));
}

}  // namespace

Result<Model> Model::load(const std::string& path, const std::string& signature) {
  return sdk::runtime::guarded([&]() -> Result<Model> {
    NARU_TRY(std::vector<std::byte> bytes, read_file(path));
    const std::size_t slash = path.find_last_of('/');
    Result<Model> model = from_owned(std::make_shared<const std::vector<std::byte>>(std::move(bytes)), slash == std::string::npos ? path : path.substr(slash + 1), signature);
    if (!model) return fail(std::move(model).error().found_in(path));
    return model;
  });
}

Result<Model> Model::from_bytes(std::span<const std::byte> bytes, std::string name, const std::string& signature) {
  return sdk::runtime::guarded(
      [&]() -> Result<Model> { return from_owned(std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()), std::move(name), signature); });
}

const std::string& Model::name() const noexcept { return handle_->name; }
bool Model::is_compiled() const noexcept { return handle_->package.has_value(); }
const std::vector<TensorInfo>& Model::inputs() const noexcept { return handle_->inputs; }
const std::vector<TensorInfo>& Model::outputs() const noexcept { return handle_->outputs; }

Result<std::vector<std::byte>> Model::to_bytes() const {
  return sdk::runtime::guarded([&]() -> Result<std::vector<std::byte>> {
    if (!is_compiled()) return fail(Error(ErrorId::kWrongThreadOrState, fmt::format("{} is not compiled", name())).with_remedy("Call naru::compile() first."));
    return sdk::package::encode(*handle_->package);
  });
}

Result<void> Model::save(const std::string& path) const {
  NARU_TRY(const std::vector<std::byte> bytes, to_bytes());
  return write_file(path, bytes);
}

}  // namespace naru
