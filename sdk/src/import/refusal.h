// How a refused model is reported: headline and values name the operator, the tensor and the field.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"
#include "naru/base/result.h"

namespace naru::sdk {

/// Where in a model a refusal is; what does not apply is left out.
struct Place {
  std::int32_t operator_index = -1;
  std::string_view operator_kind = {};
  std::int32_t tensor_index = -1;
  std::string_view tensor_name = {};
  std::string_view field = {};
};

/// `message` says what is there and what must be: "is 0; must be at least 1".
[[nodiscard]] tl::unexpected<Error> refuse(ErrorId id, const Place& place, std::string_view message);

[[nodiscard]] Place place_of(const graph::Operator& op, std::string_view field = {});
[[nodiscard]] Place place_of(const graph::Tensor& tensor, std::string_view field = {});
[[nodiscard]] Place place_of(const graph::Operator& op, const graph::Tensor& tensor, std::string_view field = {});

}  // namespace naru::sdk
