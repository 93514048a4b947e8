// What works along an axis: softmax and its like, sums and extremes, and where the extreme is.
#include <algorithm>

#include "generator.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

bool is_float(const Value& value) { return value.type == TensorType_FLOAT32; }

void bound_unit(Value& result, const Value& value) {
  if (value.is_bounded()) result.low = -1, result.high = 1;
}

bool append_softmax(Growth& g, const Value& value) {
  constexpr float kBetas[] = {1.0F, 1.0F, 0.5F, 2.0F, 0.1F};
  SoftmaxOptionsT options;
  options.beta = g.any_of(kBetas);
  const bool widens = value.type == TensorType_INT8 && g.chance(6);
  Value result = value.type == TensorType_INT8
                     ? widens ? g.quantized(value.shape, TensorType_INT16, 1.0F / 65536, -32768) : g.quantized(value.shape, value.type, 1.0F / 256, -128)
                 : value.type == TensorType_UINT8 ? g.quantized(value.shape, value.type, 1.0F / 256, 0)
                 : value.type == TensorType_INT16 ? g.quantized(value.shape, value.type, 1.0F / 32768, 0)
                                                  : g.tensor(value.shape, value.type);
  if (is_float(value)) bound_unit(result, value);
  g.add(BuiltinOperator_SOFTMAX, {value.tensor}, {result}, options);
  // Its zero point is one that no other operator takes.
  if (widens) g.forget_last();
  return true;
}

bool append_log_softmax(Growth& g, const Value& value) {
  Value result = is_float(value) ? g.tensor(value.shape, value.type) : g.quantized(value.shape, value.type, 16.0F / 256, 127);
  return g.add(BuiltinOperator_LOG_SOFTMAX, {value.tensor}, {result}, LogSoftmaxOptionsT());
}

bool append_l2_normalization(Growth& g, const Value& value) {
  Value result =
      is_float(value) ? g.tensor(value.shape, value.type) : g.quantized(value.shape, value.type, 1.0F / 128, value.type == TensorType_INT8 ? 0 : 128);
  if (is_float(value)) bound_unit(result, value);
  return g.add(BuiltinOperator_L2_NORMALIZATION, {value.tensor}, {result}, L2NormOptionsT());
}

enum class Reduction : std::uint8_t { kMean, kSum, kExtreme };

Kind reduction(const char* name, BuiltinOperator code, Reduction how, unsigned types) {
  return {name, 5, types, 1, 5, [=](Growth& g, const Value& value) {
            ReducerOptionsT options;
            options.keep_dims = g.chance(2);
            std::vector<std::int32_t> axes;
            Shape shape;
            std::int64_t reduced = 1;
            const bool may_be_none = g.chance(8);
            for (std::int32_t d = 0; d < value.rank(); ++d) {
              const std::int32_t extent = value.shape[static_cast<std::size_t>(d)];
              const bool is_reduced = g.chance(2) || (d + 1 == value.rank() && axes.empty() && !may_be_none);
              if (is_reduced) axes.push_back(g.chance(3) ? d - value.rank() : d), reduced *= extent;
              if (!is_reduced || options.keep_dims) shape.push_back(is_reduced ? 1 : extent);
            }
            if (g.chance(3)) std::ranges::reverse(axes);
            Value result = how == Reduction::kExtreme ? g.like(value, shape) : g.tensor(shape, value.type);
            result.low = value.low;
            result.high = value.high;
            if (how == Reduction::kSum) result.low *= static_cast<double>(reduced), result.high *= static_cast<double>(reduced);
            if (value.type == TensorType_INT32 && std::max(-result.low, result.high) * static_cast<double>(how == Reduction::kMean ? reduced : 1) > 1.0e9)
              return false;
            result.is_exact = value.is_exact && (how == Reduction::kExtreme || !is_float(value));
            const auto axis_count = static_cast<std::int32_t>(axes.size());
            const Value list = g.indices({axis_count}, axes);
            return g.add(code, {value.tensor, list.tensor}, {result}, options);
          }};
}

template <typename Options>
Kind argument(const char* name, BuiltinOperator code) {
  return {name, 2, kNumber, 1, 5, [=](Growth& g, const Value& value) {
            if (is_float(value) && !(value.is_exact && value.is_bounded())) return false;
            const std::int32_t axis = g.between(0, value.rank() - 1);
            Shape shape = value.shape;
            shape.erase(shape.begin() + axis);
            Options options;
            options.output_type = TensorType_INT32;
            Value result = g.tensor(shape, TensorType_INT32);
            result.low = 0;
            result.high = value.shape[static_cast<std::size_t>(axis)] - 1;
            return g.add(code, {value.tensor, g.index(g.chance(3) ? axis - value.rank() : axis).tensor}, {result}, options);
          }};
}

}  // namespace

std::vector<Kind> row_kinds() {
  return {{"SOFTMAX", 5, kReal, 1, 5, append_softmax},
          {"LOG_SOFTMAX", 2, kI8 | kF32, 1, 4, append_log_softmax},
          {"L2_NORMALIZATION", 2, kBytes | kF32, 1, 4, append_l2_normalization},
          reduction("MEAN", BuiltinOperator_MEAN, Reduction::kMean, kNumber),
          reduction("SUM", BuiltinOperator_SUM, Reduction::kSum, kNumber),
          reduction("REDUCE_MAX", BuiltinOperator_REDUCE_MAX, Reduction::kExtreme, kNumber),
          reduction("REDUCE_MIN", BuiltinOperator_REDUCE_MIN, Reduction::kExtreme, kNumber),
          argument<ArgMaxOptionsT>("ARG_MAX", BuiltinOperator_ARG_MAX),
          argument<ArgMinOptionsT>("ARG_MIN", BuiltinOperator_ARG_MIN)};
}

}  // namespace naru::generated
