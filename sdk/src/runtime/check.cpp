// Judges a device's results by the reference, and finds the first operator that differs.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "naru/session.h"
#include "reference/interpreter.h"
#include "runtime/handles.h"

namespace naru {
namespace {

using sdk::graph::Graph;
using sdk::graph::Operator;
using sdk::graph::TensorId;

std::string element_text(const TensorInfo& info, std::span<const std::byte> bytes, std::size_t index) {
  const std::size_t size = std::max<std::size_t>(1, size_of(info.type));
  const TensorView view(info, bytes);
  switch (info.type) {
    case DataType::kInt8: return fmt::format("{}", static_cast<std::int8_t>(bytes[index]));
    case DataType::kUint8:
    case DataType::kBool: return fmt::format("{}", static_cast<std::uint8_t>(bytes[index]));
    case DataType::kInt16:
    case DataType::kInt32: {
      std::int32_t value = 0;
      std::memcpy(&value, bytes.data() + index * size, size);
      return fmt::format("{}", size == 2 ? static_cast<std::int16_t>(value) : value);
    }
    case DataType::kInt64: {
      std::int64_t value = 0;
      std::memcpy(&value, bytes.data() + index * size, size);
      return fmt::format("{}", value);
    }
    case DataType::kFloat32: {
      float value = 0;
      std::memcpy(&value, bytes.data() + index * size, size);
      return fmt::format("{:.9g}", value);
    }
    case DataType::kNone: break;
  }
  return "?";
}

CheckRow compare(const TensorInfo& info, std::span<const std::byte> device, std::span<const std::byte> reference) {
  const std::size_t size = std::max<std::size_t>(1, size_of(info.type));
  CheckRow row{.kind = {}, .name = info.name, .tensor = info.file_index, .elements = reference.size() / size, .first_difference = {}};
  if (device.size() != reference.size()) {
    row.differing = row.elements;
    row.first_difference = fmt::format("{} bytes from the device, {} from the reference", device.size(), reference.size());
    return row;
  }
  for (std::size_t i = 0; i < row.elements; ++i) {
    if (std::equal(device.begin() + static_cast<std::ptrdiff_t>(i * size), device.begin() + static_cast<std::ptrdiff_t>((i + 1) * size), reference.begin() + static_cast<std::ptrdiff_t>(i * size))) continue;
    if (row.differing++ == 0) row.first_difference = fmt::format("element {}: device {}, reference {}", i, element_text(info, device, i), element_text(info, reference, i));
  }
  return row;
}

/// The same model without fusion and with every tensor kept: the rows of its operators up to the first that differs.
Result<std::vector<CheckRow>> compare_operators(const Device& device, const Model& source, std::span<const std::vector<std::byte>> inputs,
                                                const std::vector<sdk::reference::Bytes>& reference) {
  const Graph& graph = *source.handle()->graph;
  NARU_TRY(Session session, Session::create(device, source, {.keep_tensors = {}, .keep_all_tensors = true, .fuse = false, .depth = 1}));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    MutableTensorView view = session.input(i);
    NARU_CHECK_OK(view.fill_from(std::span<const std::byte>(inputs[i])));
  }
  NARU_TRY(const Outputs outputs, session.run());
  std::vector<CheckRow> rows;
  for (const Operator& op : graph.operators) {
    for (TensorId id : op.outputs) {
      const Result<TensorView> kept = outputs.tensor(graph.tensor(id).file_index);
      if (!kept) continue;
      CheckRow row = compare(kept->info(), kept->bytes(), reference[static_cast<std::size_t>(id)]);
      row.operator_index = op.file_index;
      row.kind = sdk::graph::name_of(op.kind);
      rows.push_back(row);
      if (row.differing != 0) return rows;
    }
  }
  return rows;
}

}  // namespace

Result<CheckReport> check(const Device& device, const Model& source, std::span<const std::vector<std::byte>> inputs, const Outputs& outputs) {
  return sdk::runtime::guarded([&]() -> Result<CheckReport> {
    if (source.is_compiled()) return fail(Error(ErrorId::kInvalidArgument, "A package cannot be checked: the reference runs the model").with_remedy("Give the source model."));
    const Graph& graph = *source.handle()->graph;
    std::vector<std::span<const std::byte>> spans(inputs.begin(), inputs.end());
    NARU_TRY(const sdk::reference::RunResult reference, sdk::reference::run(graph, spans, {.keep_intermediates = true}));
    CheckReport report;
    for (std::size_t i = 0; i < outputs.size() && i < reference.outputs.size(); ++i) {
      const TensorView view = outputs.at(i);
      report.outputs.push_back(compare(view.info(), view.bytes(), reference.outputs[i]));
      report.equal = report.equal && report.outputs.back().differing == 0;
    }
    if (outputs.size() != reference.outputs.size()) report.equal = false;
    Result<std::vector<CheckRow>> operators = compare_operators(device, source, inputs, reference.tensors);
    if (operators) {
      report.operators = std::move(*operators);
      for (const CheckRow& row : report.operators) report.equal = report.equal && row.differing == 0;
    } else if (operators.error().kind() == ErrorKind::kOutOfMemory || operators.error().id() == ErrorId::kCompileDramTooSmall || operators.error().id() == ErrorId::kPackageRequirement) {
      report.operators_skipped = operators.error().message();
    } else {
      return fail(std::move(operators).error().while_doing("comparing operator by operator"));
    }
    return report;
  });
}

}  // namespace naru
