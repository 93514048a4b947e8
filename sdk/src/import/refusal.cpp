// Renders where a model is refused.
#include "import/refusal.h"

#include <fmt/format.h>

namespace naru::sdk {
namespace {

constexpr std::size_t kNameCharactersMax = 80;

/// Cut between characters, so that the headline stays UTF-8.
std::string_view shortened(std::string_view name) {
  if (name.size() <= kNameCharactersMax) return name;
  std::size_t end = kNameCharactersMax;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  return name.substr(0, end);
}

}  // namespace

tl::unexpected<Error> refuse(ErrorId id, const Place& place, std::string_view message) {
  std::string where;
  const auto add = [&](std::string part) { where += where.empty() ? part : ", " + part; };
  if (place.operator_index >= 0) add(fmt::format("operator {}{}{}", place.operator_index, place.operator_kind.empty() ? "" : " ", place.operator_kind));
  if (place.tensor_index >= 0) {
    const std::string_view name = shortened(place.tensor_name);
    add(name.empty() ? fmt::format("tensor {}", place.tensor_index) : fmt::format("tensor {} \"{}\"", place.tensor_index, name));
  }
  if (!place.field.empty()) add(std::string(place.field));
  if (where.empty()) where = "model";
  if (where[0] >= 'a' && where[0] <= 'z') where[0] = static_cast<char>(where[0] - 'a' + 'A');

  Error error(id, fmt::format("{}: {}", where, message));
  if (place.operator_index >= 0) error = std::move(error).with_value("operator", std::to_string(place.operator_index));
  if (!place.operator_kind.empty()) error = std::move(error).with_value("kind", std::string(place.operator_kind));
  if (place.tensor_index >= 0) error = std::move(error).with_value("tensor", std::to_string(place.tensor_index));
  if (!place.field.empty()) error = std::move(error).with_value("field", std::string(place.field));
  return tl::unexpected<Error>(std::move(error));
}

Place place_of(const graph::Operator& op, std::string_view field) {
  return {.operator_index = op.file_index, .operator_kind = graph::name_of(op.kind), .tensor_index = -1, .tensor_name = {}, .field = field};
}

Place place_of(const graph::Tensor& tensor, std::string_view field) {
  return {.operator_index = -1, .operator_kind = {}, .tensor_index = tensor.file_index, .tensor_name = tensor.name, .field = field};
}

Place place_of(const graph::Operator& op, const graph::Tensor& tensor, std::string_view field) {
  Place place = place_of(tensor, field);
  place.operator_index = op.file_index;
  place.operator_kind = graph::name_of(op.kind);
  return place;
}

}  // namespace naru::sdk
