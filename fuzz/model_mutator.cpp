// Where the FlatBuffers verifier passes, a change is made to the tables: in place, where fields and elements are overwritten (fast: most of the
// changes), or by unpacking, changing the structure and packing anew. Packing writes every scalar, defaults too, so that each can be changed in
// place later. Option tables are changed by their vtable alone: operators that the importer learns need nothing here.
#include "model_mutator.h"

#include <algorithm>
#include <cstring>

#include "import/tflite/schema.h"

#include "edge_values.h"
#include "model_surgery.h"
#include "target.h"

namespace naru::fuzzing {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

template <typename Vector>
auto* any_of(const Vector* vector, Random& random) {
  using Pointer = std::remove_const_t<std::remove_pointer_t<decltype(vector->Get(0))>>*;
  return vector == nullptr || vector->size() == 0 ? nullptr : const_cast<Pointer>(vector->Get(static_cast<flatbuffers::uoffset_t>(random.below(vector->size()))));
}

/// Any field of a table whose fields are scalars. Its width is not known: four bytes where four lie in the table, else one.
void change_scalar(flatbuffers::Table* table, Random& random) {
  if (table == nullptr) return;
  auto* start = reinterpret_cast<std::uint8_t*>(table);
  const std::uint8_t* vtable = table->GetVTable();
  const auto vtable_bytes = flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable);
  const auto table_bytes = flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable + sizeof(flatbuffers::voffset_t));
  if (vtable_bytes <= 4) return;
  const std::size_t slot = 4 + 2 * random.below((vtable_bytes - 4) / 2);
  const auto field = flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable + slot);
  if (field == 0 || field >= table_bytes) return;
  const bool aligned = field % 4 == 0 && field + 4U <= table_bytes;
  if (aligned && random.below(4) != 0) {
    const float real = edge_float(random);
    const auto integer = static_cast<std::int32_t>(edge_integer(random));
    std::memcpy(start + field, random.chance(5) ? static_cast<const void*>(&real) : &integer, 4);
  } else {
    start[field] = static_cast<std::uint8_t>(edge_integer(random));
  }
}

/// An element, or the number of them (smaller only: what follows stays where it is).
template <typename T>
void change_vector(const flatbuffers::Vector<T>* source, Random& random, std::int64_t index_end = 0) {
  if (source == nullptr || source->size() == 0) return;
  auto* vector = const_cast<flatbuffers::Vector<T>*>(source);
  if (random.chance(12)) {
    flatbuffers::WriteScalar(reinterpret_cast<std::uint8_t*>(vector), static_cast<flatbuffers::uoffset_t>(random.below(vector->size())));
    return;
  }
  const auto at = static_cast<flatbuffers::uoffset_t>(random.below(vector->size()));
  if constexpr (std::is_floating_point_v<T>) {
    vector->Mutate(at, random.chance(2) ? edge_float(random) : vector->Get(at) * (random.chance(2) ? 2.0F : 0.5F));
  } else {
    const std::int64_t value = index_end > 0 && !random.chance(6) ? random.between(-1, index_end - 1) : edge_integer(random);
    vector->Mutate(at, static_cast<T>(value));
  }
}

/// The parameters that lie in buffers: paddings, axes, shapes.
void change_buffer(Buffer* buffer, Random& random) {
  if (buffer == nullptr) return;
  if (random.chance(16)) return change_scalar(reinterpret_cast<flatbuffers::Table*>(buffer), random);
  const auto* data = buffer->data();
  if (data == nullptr || data->size() == 0) return;
  auto* bytes = const_cast<std::uint8_t*>(data->data());
  if (data->size() >= 4 && !random.chance(4)) {
    const auto value = static_cast<std::int32_t>(edge_integer(random));
    std::memcpy(bytes + random.below(data->size() / 4) * 4, &value, 4);
  } else {
    bytes[random.below(data->size())] = static_cast<std::uint8_t>(random.next());
  }
}

void change_tensor(Tensor* tensor, std::int64_t buffers, Random& random) {
  if (tensor == nullptr) return;
  auto* table = reinterpret_cast<flatbuffers::Table*>(tensor);
  switch (random.below(8)) {
    case 0: table->SetField<std::int8_t>(Tensor::VT_TYPE, static_cast<std::int8_t>(random.below(19)), -1); break;
    case 1: table->SetField<std::uint32_t>(Tensor::VT_BUFFER, static_cast<std::uint32_t>(random.chance(8) ? edge_integer(random) : random.between(0, buffers)), ~0U); break;
    case 2: table->SetField<std::uint8_t>(Tensor::VT_IS_VARIABLE, static_cast<std::uint8_t>(random.below(2)), 255); break;
    case 3:
    case 4:
    case 5: change_vector(tensor->shape(), random); break;
    default: {
      const auto* quantization = tensor->quantization();
      if (quantization == nullptr) return;
      if (random.chance(3)) change_vector(quantization->zero_point(), random);
      else if (random.chance(4)) reinterpret_cast<flatbuffers::Table*>(const_cast<QuantizationParameters*>(quantization))->SetField<std::int32_t>(QuantizationParameters::VT_QUANTIZED_DIMENSION, static_cast<std::int32_t>(edge_integer(random)), -99);
      else change_vector(quantization->scale(), random);
    }
  }
}

void change_operator(Operator* op, std::int64_t tensors, std::int64_t codes, Random& random) {
  if (op == nullptr) return;
  auto* table = reinterpret_cast<flatbuffers::Table*>(op);
  switch (random.below(10)) {
    case 0: table->SetField<std::uint32_t>(Operator::VT_OPCODE_INDEX, static_cast<std::uint32_t>(random.below(static_cast<std::uint64_t>(codes) + 1)), ~0U); break;
    case 1: table->SetField<std::uint8_t>(Operator::VT_BUILTIN_OPTIONS_TYPE, static_cast<std::uint8_t>(random.below(130)), 255); break;
    case 2: change_vector(op->outputs(), random, tensors); break;
    case 3: change_vector(op->custom_options(), random); break;
    case 4:
    case 5: change_vector(op->inputs(), random, tensors); break;
    default:
      // The verifier passes options of kinds that the schema does not declare without a look.
      if (op->builtin_options() != nullptr && *EnumNameBuiltinOptions(op->builtin_options_type()) != '\0')
        change_scalar(static_cast<flatbuffers::Table*>(const_cast<void*>(op->builtin_options())), random);
  }
}

void change_in_place(std::uint8_t* data, Random& random) {
  auto* model = const_cast<Model*>(GetModel(data));
  SubGraph* subgraph = any_of(model->subgraphs(), random);
  if (subgraph == nullptr) return change_scalar(reinterpret_cast<flatbuffers::Table*>(model), random);
  const auto count = [](const auto* vector) { return vector == nullptr ? std::int64_t{0} : static_cast<std::int64_t>(vector->size()); };
  switch (random.below(16)) {
    case 0: return change_vector(random.chance(2) ? subgraph->inputs() : subgraph->outputs(), random, count(subgraph->tensors()));
    case 1: return change_scalar(reinterpret_cast<flatbuffers::Table*>(any_of(model->operator_codes(), random)), random);
    case 2:
      if (auto* code = any_of(model->operator_codes(), random)) {
        auto* table = reinterpret_cast<flatbuffers::Table*>(code);
        // One of the two only: in a file that is odd enough the first write could change where the second one goes.
        if (random.chance(2)) table->SetField<std::int8_t>(OperatorCode::VT_DEPRECATED_BUILTIN_CODE, static_cast<std::int8_t>(random.below(128)), -1);
        else table->SetField<std::int32_t>(OperatorCode::VT_BUILTIN_CODE, static_cast<std::int32_t>(random.below(162)), -1);
      }
      return;
    case 3: return change_scalar(reinterpret_cast<flatbuffers::Table*>(any_of(model->metadata(), random)), random);
    case 4:
      if (auto* signature = any_of(model->signature_defs(), random)) change_scalar(reinterpret_cast<flatbuffers::Table*>(any_of(signature->inputs(), random)), random);
      return;
    case 5:
    case 6:
    case 7: return change_buffer(any_of(model->buffers(), random), random);
    case 8:
    case 9:
    case 10: return change_tensor(any_of(subgraph->tensors(), random), count(model->buffers()), random);
    default: return change_operator(any_of(subgraph->operators(), random), count(subgraph->tensors()), count(model->operator_codes()), random);
  }
}

/// Tables that are shared by many offsets would unpack to more than the file has bytes, so the verifier counts them.
bool is_model(const std::uint8_t* data, std::size_t size) {
  constexpr flatbuffers::uoffset_t kTablesMax = 1500;
  flatbuffers::Verifier verifier(data, size, 16, kTablesMax);
  if (size < 8 || !VerifyModelBuffer(verifier)) return false;
  // The verifier does not align elements of 8 bytes, which the generated accessors want; the importer reads them by itself.
  const auto aligned = [](const Tensor* tensor) {
    const auto* points = tensor->quantization() == nullptr ? nullptr : tensor->quantization()->zero_point();
    return points == nullptr || reinterpret_cast<std::uintptr_t>(points->Data()) % 8 == 0;
  };
  const auto* subgraphs = GetModel(data)->subgraphs();
  return subgraphs == nullptr || std::all_of(subgraphs->begin(), subgraphs->end(), [&](const SubGraph* graph) {
           return graph->tensors() == nullptr || std::all_of(graph->tensors()->begin(), graph->tensors()->end(), aligned);
         });
}

}  // namespace

std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  Random random(seed);
  if (random.chance(24) || !is_model(data, size)) return LLVMFuzzerMutate(data, size, size_max);
  if (random.below(4) != 0) {
    // A second change may find what the first one made: only what is still a model is read again.
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      change_in_place(data, random);
      if (changes > 1 && !is_model(data, size)) break;
    }
    return size;
  }
  ModelT model;
  GetModel(data)->UnPackTo(&model);
  // Options that a file claims and does not have are nothing that can be packed.
  for (const auto& subgraph : model.subgraphs)
    for (const auto& op : subgraph->operators)
      if (op->builtin_options.value == nullptr) op->builtin_options.Reset();
  for (std::uint64_t changes = 1 + random.below(2); changes > 0; --changes) operate_on(model, random);
  static flatbuffers::FlatBufferBuilder builder(1 << 14);
  builder.Clear();
  builder.ForceDefaults(true);
  FinishModelBuffer(builder, Model::Pack(builder, &model));
  if (builder.GetSize() > size_max) return size;
  std::memcpy(data, builder.GetBufferPointer(), builder.GetSize());
  return builder.GetSize();
}

}  // namespace naru::fuzzing
