// Variables in SSA form: reading gives what was assigned last, or what the inference began with; the last assignment is what the next one begins with.
#include "import/tflite/read_state.h"

#include <algorithm>

#include <fmt/format.h>

#include "import/refusal.h"

namespace naru::sdk {
namespace {

using graph::kAbsent;
using graph::Operator;
using graph::OperatorKind;
using graph::Tensor;
using graph::TensorId;

/// What the four operators are called, and how many operands and results they have.
struct Form {
  std::string_view name;
  std::size_t inputs, outputs;
};
Form form_of(int code) {
  switch (code) {
    case tflite::BuiltinOperator_CALL_ONCE: return {"CALL_ONCE", 0, 0};
    case tflite::BuiltinOperator_VAR_HANDLE: return {"VAR_HANDLE", 0, 1};
    case tflite::BuiltinOperator_READ_VARIABLE: return {"READ_VARIABLE", 1, 1};
    default: return {"ASSIGN_VARIABLE", 2, 0};
  }
}

Result<void> check_form(const Operator& op, int code, std::int64_t tensors) {
  const Form form = form_of(code);
  const Place place{.operator_index = op.file_index, .operator_kind = form.name, .field = "inputs"};
  if (op.inputs.size() != form.inputs || op.outputs.size() != form.outputs)
    return refuse(ErrorId::kModelOptions, place, fmt::format("and outputs are {} and {}; must be {} and {}", op.inputs.size(), op.outputs.size(), form.inputs, form.outputs));
  for (const auto* list : {&op.inputs, &op.outputs})
    for (TensorId id : *list)
      if (id < 0 || id >= tensors) return refuse(ErrorId::kModelTensorIndex, place, fmt::format("names tensor {}; the model has {}", id, tensors));
  return {};
}

/// Without options the variable is the one without a name, as in TFLite Micro.
std::pair<std::string, std::string> key_of(const tflite::Operator& handle) {
  const auto* options = handle.builtin_options_as_VarHandleOptions();
  if (options == nullptr) return {};
  return {clean_text(options->container()), clean_text(options->shared_name())};
}

}  // namespace

bool StateReader::is_state_operator(int code) noexcept {
  return code == tflite::BuiltinOperator_CALL_ONCE || code == tflite::BuiltinOperator_VAR_HANDLE || code == tflite::BuiltinOperator_READ_VARIABLE ||
         code == tflite::BuiltinOperator_ASSIGN_VARIABLE;
}

TensorId StateReader::copy_of(TensorId like, bool is_variable) {
  Tensor tensor = graph_.tensor(like);
  tensor.constant = {};
  tensor.is_variable = is_variable;
  tensor.file_index = -1;
  return graph_.add_tensor(std::move(tensor));
}

std::span<const std::byte> StateReader::zero_codes(const Tensor& tensor) {
  const std::uint64_t bytes = graph::byte_size(tensor);
  if (bytes > limits_.tensor_bytes_max) return {};  // verify_graph says so
  const bool codes = tensor.type == abi::ElementType::kI8 || tensor.type == abi::ElementType::kU8;
  const std::byte zero = codes ? static_cast<std::byte>(tensor.zero_point()) : std::byte{0};
  // States share their zeros: a small file may have many large ones.
  std::span<const std::byte>& zeros = zero_codes_[zero];
  if (zeros.size() < bytes) {
    zero_bytes_ += bytes;
    if (zero_bytes_ > limits_.all_tensor_bytes_max) return {};  // so are the states, as verify_graph says
    zeros = graph_.keep(std::vector<std::byte>(bytes, zero));
  }
  return zeros.first(bytes);
}

Result<StateReader::Variable*> StateReader::variable_of(const Operator& op) {
  const auto handle = handles_.find(op.inputs[0]);
  if (handle == handles_.end()) return refuse(ErrorId::kModelGraph, place_of(op, "inputs"), fmt::format("tensor {} is no variable's handle", op.inputs[0]));
  return &variables_[handle->second];
}

Result<void> StateReader::read(const tflite::Operator& source, int code, std::int32_t index) {
  Operator op;
  op.file_index = index;
  op.inputs = ids_of(source.inputs());
  op.outputs = ids_of(source.outputs());
  op.kind = code == tflite::BuiltinOperator_READ_VARIABLE ? OperatorKind::kReadVariable : OperatorKind::kAssignVariable;
  NARU_CHECK_OK(check_form(op, code, static_cast<std::int64_t>(graph_.tensors.size())));
  if (code == tflite::BuiltinOperator_CALL_ONCE) return call_once(source, op);
  if (code == tflite::BuiltinOperator_VAR_HANDLE) {
    const Key key = key_of(source);
    handles_[op.outputs[0]] = key;
    variables_.try_emplace(key);
    return {};
  }
  NARU_TRY(Variable* variable, variable_of(op));
  const bool reads = code == tflite::BuiltinOperator_READ_VARIABLE;
  const TensorId value = reads ? op.outputs[0] : op.inputs[1];
  if (variable->before == kAbsent) {
    variable->before = copy_of(value, true);
    variable->current = variable->before;
  }
  const Tensor& before = graph_.tensor(variable->before);
  // The same bytes may be seen under several shapes, as TFLite Micro lets them.
  if (graph_.tensor(value).type != before.type || graph::byte_size(graph_.tensor(value)) != graph::byte_size(before))
    return refuse(ErrorId::kModelShape, place_of(op, graph_.tensor(value), "shape"),
                  fmt::format("is {}; the variable has {}", graph::to_string(graph_.tensor(value).shape), graph::to_string(before.shape)));
  if (reads) {
    op.inputs = {variable->current};
  } else {
    op.inputs = {value};
    const graph::Shape shape = before.shape;
    op.outputs = {copy_of(value, false)};
    graph_.tensor(op.outputs[0]).shape = shape;
    variable->current = op.outputs[0];
  }
  op.name = graph_.tensor(value).name;
  graph_.operators.push_back(std::move(op));
  return {};
}

Result<void> StateReader::call_once(const tflite::Operator& source, const Operator& op) {
  const auto place = [&](std::string_view field) { return Place{.operator_index = op.file_index, .operator_kind = "CALL_ONCE", .field = field}; };
  const auto* options = source.builtin_options_as_CallOnceOptions();
  if (options == nullptr) return refuse(ErrorId::kModelOptions, place("builtin_options"), "are missing");
  const std::int64_t subgraph = options->init_subgraph_index();
  const std::int64_t count = file_.model->subgraphs()->size();
  if (subgraph < 0 || subgraph >= count || subgraph == file_.number)
    return refuse(ErrorId::kModelGraph, place("init_subgraph_index"), fmt::format("is {}; must be one of {} subgraphs, and not the main one", subgraph, count));
  const auto number = static_cast<std::uint32_t>(subgraph);
  return initialised_.insert(number).second ? initialise(number, op) : Result<void>();
}

Result<void> StateReader::initialise(std::uint32_t number, const Operator& caller) {
  const auto refuse_here = [&](ErrorId id, std::string_view field, std::string message) {
    return refuse(id, {.operator_index = caller.file_index, .operator_kind = "CALL_ONCE", .field = field}, message);
  };
  TfliteFile other = file_;
  other.subgraph = file_.model->subgraphs()->Get(number);
  other.number = number;
  graph::Graph scratch;
  NARU_CHECK_OK(read_tensors(other, scratch, limits_));
  graph_.storage.insert(graph_.storage.end(), scratch.storage.begin(), scratch.storage.end());
  std::map<TensorId, Key> handles;
  const auto* operators = other.subgraph->operators();
  for (std::uint32_t i = 0; operators != nullptr && i < operators->size(); ++i) {
    const tflite::Operator& source = *operators->Get(i);
    const auto* codes = file_.model->operator_codes();
    if (codes == nullptr || source.opcode_index() >= codes->size()) return refuse_here(ErrorId::kModelStructure, "init_subgraph_index", fmt::format("operator {} of subgraph {} has no code", i, number));
    const tflite::OperatorCode& operator_code = *codes->Get(source.opcode_index());
    const int code = std::max(static_cast<int>(operator_code.deprecated_builtin_code()), static_cast<int>(operator_code.builtin_code()));
    if (code != tflite::BuiltinOperator_VAR_HANDLE && code != tflite::BuiltinOperator_ASSIGN_VARIABLE)
      return refuse_here(ErrorId::kModelOperatorUnsupported, "init_subgraph_index", fmt::format("operator {} of subgraph {} is neither VAR_HANDLE nor ASSIGN_VARIABLE", i, number));
    Operator op;
    op.file_index = static_cast<std::int32_t>(i);
    op.inputs = ids_of(source.inputs());
    op.outputs = ids_of(source.outputs());
    NARU_CHECK_OK(check_form(op, code, static_cast<std::int64_t>(scratch.tensors.size())));
    if (code == tflite::BuiltinOperator_VAR_HANDLE) {
      handles[op.outputs[0]] = key_of(source);
      continue;
    }
    const auto handle = handles.find(op.inputs[0]);
    const Tensor& value = scratch.tensor(op.inputs[1]);
    if (handle == handles.end() || !value.is_constant())
      return refuse_here(ErrorId::kModelOperatorUnsupported, "init_subgraph_index", fmt::format("operator {} of subgraph {} does not give a variable a constant", i, number));
    Variable& variable = variables_[handle->second];
    variable.initial = value.constant;
    variable.is_initialised = true;
  }
  return {};
}

Result<void> StateReader::add_cell_state(Operator& op, std::size_t operand) {
  const TensorId id = op.input(operand);
  if (id == kAbsent) return refuse(ErrorId::kModelTensorIndex, place_of(op, "inputs"), fmt::format("operand {} is left out, but is not optional", operand));
  if (!graph_.tensor(id).is_variable) return refuse(ErrorId::kModelGraph, place_of(op, graph_.tensor(id), "is_variable"), "is not set; the operator's state is a variable");
  for (const graph::State& state : graph_.states)
    if (state.before == id) return refuse(ErrorId::kModelGraph, place_of(op, graph_.tensor(id), "inputs"), "is the state of two operators");
  const TensorId after = copy_of(id, false);
  op.outputs.push_back(after);
  graph_.states.push_back({id, after, zero_codes(graph_.tensor(id))});
  return {};
}

Result<void> StateReader::finish() {
  for (auto& [key, variable] : variables_) {
    if (variable.before == kAbsent) continue;
    const Tensor& before = graph_.tensor(variable.before);
    if (variable.is_initialised && variable.initial.size() != graph::byte_size(before))
      return refuse(ErrorId::kModelConstant, place_of(before, "initial value"), fmt::format("of variable \"{}\" has {} bytes; it needs {}", key.second, variable.initial.size(), graph::byte_size(before)));
    graph_.states.push_back({variable.before, variable.current, variable.is_initialised ? variable.initial : zero_codes(before)});
  }
  return {};
}

}  // namespace naru::sdk
