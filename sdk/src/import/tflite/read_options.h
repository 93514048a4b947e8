// What the readers of options share; one reader per option table, each returns options that are resolved but not yet checked against operands.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "import/refusal.h"
#include "import/tflite/known.h"
#include "import/tflite/schema.h"
#include "naru/base/result.h"

namespace naru::sdk {

/// What a reader of options needs: the file's operator, ours, the graph whose constants may hold more, and what is known of what earlier operators compute.
struct Source {
  const tflite::Operator& file;
  const graph::Operator& op;
  const graph::Graph& graph;
  const KnownNumbers& known;

  [[nodiscard]] bool is_constant(std::size_t operand) const { return op.input(operand) != graph::kAbsent && graph.tensor(op.input(operand)).is_constant(); }
};

[[nodiscard]] tl::unexpected<Error> missing_options(const graph::Operator& op);
[[nodiscard]] Result<graph::Activation> read_activation(const graph::Operator& op, tflite::ActivationFunctionType activation);
[[nodiscard]] Result<graph::Padding> read_padding(const graph::Operator& op, tflite::Padding padding);
/// The values of an i32 or i64 operand that is a parameter rather than data: constant, without elements, or computed from shapes and constants.
[[nodiscard]] Result<std::vector<std::int64_t>> read_parameter(const Source& source, std::size_t operand, std::string_view field);
/// Parameters that were resolved into options; where they have no elements (the shape of a scalar), nothing is left that a tensor could hold.
void drop_empty_parameters(const graph::Graph& graph, graph::Operator& op);
/// A dimension number of the first operand, where negative ones count from the end.
[[nodiscard]] Result<std::int32_t> read_axis(const Source& source, std::int64_t axis, std::string_view field);
[[nodiscard]] Result<std::int32_t> read_size(const Source& source, std::int64_t value, std::string_view field);

[[nodiscard]] Result<graph::Options> read_arg(const Source& source);
[[nodiscard]] Result<graph::Options> read_pack(const Source& source);
[[nodiscard]] Result<graph::Options> read_unpack(const Source& source);
[[nodiscard]] Result<graph::Options> read_strided_slice(const Source& source);
[[nodiscard]] Result<graph::Options> read_svdf(const Source& source);
[[nodiscard]] Result<graph::Options> read_lstm(const Source& source);
[[nodiscard]] Result<graph::Options> read_slice(const Source& source);
[[nodiscard]] Result<graph::Options> read_split(const Source& source);
[[nodiscard]] Result<graph::Options> read_split_v(const Source& source);
[[nodiscard]] Result<graph::Options> read_gather(const Source& source);
[[nodiscard]] Result<graph::Options> read_space_batch(const Source& source);
[[nodiscard]] Result<graph::Options> read_mirror_pad(const Source& source);
[[nodiscard]] Result<graph::Options> read_transpose_conv(const Source& source);
[[nodiscard]] Result<graph::Options> read_reshape(const Source& source);
[[nodiscard]] Result<graph::Options> read_expand_dims(const Source& source);
[[nodiscard]] Result<graph::Options> read_squeeze(const Source& source);
[[nodiscard]] Result<graph::Options> read_tile(const Source& source);
[[nodiscard]] Result<graph::Options> read_broadcast(const Source& source);
[[nodiscard]] Result<graph::Options> read_fill(const Source& source);
[[nodiscard]] Result<graph::Options> read_detection(const Source& source);
/// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR: the second operand is the result's height and width.
[[nodiscard]] Result<void> check_new_size(const Source& source);
template <typename FileOptions>
[[nodiscard]] Result<graph::Options> read_resize(const Source& source) {
  const auto* from = source.file.builtin_options_as<FileOptions>();
  if (from == nullptr) return missing_options(source.op);
  NARU_CHECK_OK(check_new_size(source));
  return graph::ResizeOptions{from->align_corners(), from->half_pixel_centers()};
}

}  // namespace naru::sdk
