// Judges a device's results by the reference, and finds the first operator that differs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

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

/// Codes must be equal bit by bit. Float arithmetic may be done in another order by whoever does it: within 1e-5 of the larger of 1 and the value.
bool floats_agree(const TensorInfo& info, const std::byte* device, const std::byte* reference) {
  if (info.type != DataType::kFloat32) return false;
  constexpr float kTolerance = 1.0e-5F;
  float a = 0, b = 0;
  std::memcpy(&a, device, sizeof(a));
  std::memcpy(&b, reference, sizeof(b));
  return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= kTolerance * std::max(1.0F, std::abs(b));
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
    if (std::memcmp(device.data() + i * size, reference.data() + i * size, size) == 0) continue;
    if (floats_agree(info, device.data() + i * size, reference.data() + i * size)) {
      ++row.rounded;
      continue;
    }
    if (row.differing++ == 0) row.first_difference = fmt::format("element {}: device {}, reference {}", i, element_text(info, device, i), element_text(info, reference, i));
  }
  return row;
}

using TensorGroup = std::vector<std::int32_t>;  // tensors of the model file, in the order of its operators

/// The rows of the operators whose results this inference kept, up to the first that differs. `group`: of these alone, since every inference gives the model's outputs too.
std::vector<CheckRow> compare_operators(const Graph& graph, const Outputs& outputs, const std::vector<sdk::reference::Bytes>& reference, const TensorGroup* group = nullptr) {
  std::vector<CheckRow> rows;
  for (const Operator& op : graph.operators) {
    for (TensorId id : op.outputs) {
      if (group != nullptr && std::find(group->begin(), group->end(), graph.tensor(id).file_index) == group->end()) continue;
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

using Inputs = std::vector<std::vector<std::byte>>;

Result<Outputs> run_with(Session& session, std::span<const std::vector<std::byte>> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    MutableTensorView view = session.input(i);
    NARU_CHECK_OK(view.fill_from(std::span<const std::byte>(inputs[i])));
  }
  return session.run();
}

/// What may keep a model without fusion and with all its tensors from fitting: the outputs are judged all the same.
bool is_too_large(const Error& error) {
  return error.kind() == ErrorKind::kOutOfMemory || error.id() == ErrorId::kCompileDramTooSmall || error.id() == ErrorId::kPackageRequirement;
}

}  // namespace

struct Checker::Data {
  using Group = TensorGroup;

  Device device;
  Model source;
  std::optional<Session> unfused;  // keeps every tensor; absent where the device's memory cannot hold them all at once
  std::vector<Group> groups;       // then: what one inference after another keeps
  std::vector<Inputs> history;     // of a model with state and groups: the inputs since the state was reset
  std::string operators_skipped;
  std::vector<sdk::reference::Bytes> states;

  [[nodiscard]] const Graph& graph() const { return *source.handle()->graph; }

  [[nodiscard]] Result<Session> open(const Group& group) const {
    return Session::create(device, source, {.keep_tensors = group, .keep_all_tensors = false, .fuse = false, .depth = 1});
  }

  Result<void> choose_groups() {
    Result<Session> session = Session::create(device, source, {.keep_tensors = {}, .keep_all_tensors = true, .fuse = false, .depth = 1});
    if (session) {
      unfused = std::move(*session);
      return {};
    }
    if (!is_too_large(session.error())) return fail(std::move(session).error());
    Group all;
    for (const Operator& op : graph().operators)
      for (TensorId id : op.outputs)
        if (graph().tensor(id).file_index >= 0) all.push_back(graph().tensor(id).file_index);
    return add_groups(all, session.error());
  }

  /// Halves what was `refused` for its size until the parts fit.
  Result<void> add_groups(const Group& refused, const Error& error) {
    if (refused.size() <= 1) {
      groups.clear();
      operators_skipped = error.message();
      return {};
    }
    const auto middle = refused.begin() + static_cast<std::ptrdiff_t>(refused.size() / 2);
    for (const Group& half : {Group(refused.begin(), middle), Group(middle, refused.end())}) {
      const Result<Session> session = open(half);
      if (session) groups.push_back(half);
      else if (!is_too_large(session.error())) return fail(session.error());
      else NARU_CHECK_OK(add_groups(half, session.error()));
      if (!operators_skipped.empty()) return {};
    }
    return {};
  }

  /// The inference that keeps `group`: a session of its own, brought to the present state first.
  [[nodiscard]] Result<Outputs> run_group(const Group& group, std::span<const std::vector<std::byte>> inputs) const {
    NARU_TRY(Session session, open(group));
    for (const Inputs& before : history) NARU_CHECK_OK(run_with(session, before));
    return run_with(session, inputs);
  }

  /// Operator by operator, up to the first that differs.
  Result<std::vector<CheckRow>> check_operators(std::span<const std::vector<std::byte>> inputs, const std::vector<sdk::reference::Bytes>& reference) {
    if (unfused) {
      NARU_TRY(const Outputs outputs, run_with(*unfused, inputs));
      return compare_operators(graph(), outputs, reference);
    }
    std::vector<CheckRow> rows;
    for (const Group& group : groups) {
      NARU_TRY(const Outputs outputs, run_group(group, inputs));
      for (CheckRow& row : compare_operators(graph(), outputs, reference, &group)) rows.push_back(std::move(row));
      if (!rows.empty() && rows.back().differing != 0) break;
    }
    if (!groups.empty() && !states.empty()) history.emplace_back(inputs.begin(), inputs.end());
    return rows;
  }
};

Checker::Checker(std::unique_ptr<Data> data) noexcept : data_(std::move(data)) {}
Checker::Checker(Checker&&) noexcept = default;
Checker& Checker::operator=(Checker&&) noexcept = default;
Checker::~Checker() = default;

Result<Checker> Checker::create(const Device& device, const Model& source) {
  return sdk::runtime::guarded([&]() -> Result<Checker> {
    if (source.is_compiled()) return fail(Error(ErrorId::kInvalidArgument, "A package cannot be checked: the reference runs the model").with_remedy("Give the source model."));
    auto data = std::unique_ptr<Data>(new Data{device, source, std::nullopt, {}, {}, {}, {}});
    NARU_CHECK_OK_WHILE(data->choose_groups(), "comparing operator by operator");
    return Checker(std::move(data));
  });
}

Result<void> Checker::reset_state() {
  data_->states.clear();
  data_->history.clear();
  return data_->unfused ? data_->unfused->reset_state() : Result<void>();
}

Result<CheckReport> Checker::check(std::span<const std::vector<std::byte>> inputs, const Outputs& outputs) {
  return sdk::runtime::guarded([&]() -> Result<CheckReport> {
    const Graph& graph = data_->graph();
    std::vector<std::span<const std::byte>> spans(inputs.begin(), inputs.end());
    NARU_TRY(const sdk::reference::RunResult reference, sdk::reference::run(graph, spans, {.keep_intermediates = true, .states = &data_->states}));
    CheckReport report;
    for (std::size_t i = 0; i < outputs.size() && i < reference.outputs.size(); ++i) {
      const TensorView view = outputs.at(i);
      report.outputs.push_back(compare(view.info(), view.bytes(), reference.outputs[i]));
      report.equal = report.equal && report.outputs.back().differing == 0;
    }
    if (outputs.size() != reference.outputs.size()) report.equal = false;
    report.operators_skipped = data_->operators_skipped;
    Result<std::vector<CheckRow>> operators = data_->check_operators(inputs, reference.tensors);
    if (!operators) return fail(std::move(operators).error().while_doing("comparing operator by operator"));
    report.operators = std::move(*operators);
    for (const CheckRow& row : report.operators) report.equal = report.equal && row.differing == 0;
    return report;
  });
}

Result<CheckReport> check(const Device& device, const Model& source, std::span<const std::vector<std::byte>> inputs, const Outputs& outputs) {
  NARU_TRY(Checker checker, Checker::create(device, source));
  return checker.check(inputs, outputs);
}

}  // namespace naru
