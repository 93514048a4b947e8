// Chooses what the model grows by: a tensor, then a kind that can read it, by weight.
#include "generator.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace naru::generated {
namespace {

constexpr tflite::TensorType kInputTypes[] = {tflite::TensorType_INT8,  tflite::TensorType_INT8,  tflite::TensorType_INT8,  tflite::TensorType_INT8,
                                              tflite::TensorType_UINT8, tflite::TensorType_INT16, tflite::TensorType_INT16, tflite::TensorType_FLOAT32,
                                              tflite::TensorType_INT32, tflite::TensorType_BOOL};

void add_any_input(Growth& growth) {
  constexpr std::int32_t kRanks[] = {4, 4, 4, 4, 3, 3, 2, 2, 1, 5};
  constexpr tflite::TensorType kCodeTypes[] = {tflite::TensorType_INT8, tflite::TensorType_INT8, tflite::TensorType_UINT8, tflite::TensorType_INT16};
  const std::int32_t rank = growth.on_device_only && growth.chance(2) ? 4 : growth.any_of(kRanks);
  const auto type = growth.on_device_only ? growth.any_of(kCodeTypes) : growth.any_of(kInputTypes);
  growth.input(growth.any_shape(rank), type);
}

std::size_t any_kind(Growth& growth, const Value& value) {
  std::uint64_t total = 0;
  const auto is_allowed = [&](const Kind& kind) { return kind.applicable(value) && (!growth.on_device_only || kind.is_of_device()); };
  for (const Kind& kind : kinds()) total += is_allowed(kind) ? kind.weight : 0;
  if (total == 0) return kinds().size();
  std::uint64_t at = growth.random.below(total);
  for (std::size_t i = 0; i < kinds().size(); ++i) {
    if (!is_allowed(kinds()[i])) continue;
    if (at < kinds()[i].weight) return i;
    at -= kinds()[i].weight;
  }
  throw std::logic_error("weights and their sum differ");
}

constexpr std::string_view kOfDevice =
    " CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED TRANSPOSE_CONV SVDF VARIABLE ADD SUB MUL MINIMUM MAXIMUM RELU RELU6 RELU_N1_TO_1 LEAKY_RELU LOGISTIC TANH "
    "QUANTIZE MEAN REDUCE_MAX RESHAPE EXPAND_DIMS TRANSPOSE CONCATENATION PACK SPLIT SLICE TILE PAD AVERAGE_POOL_2D MAX_POOL_2D RESIZE_BILINEAR "
    "SPACE_TO_DEPTH DEPTH_TO_SPACE PADDED_WINDOW SIXTEEN_BITS MATRIX_AND_IMAGE FAN_OUT RESIDUAL JOINS PRODUCTS_WITH_RESHAPES ";

}  // namespace

bool Kind::is_of_device() const { return kOfDevice.find(" " + std::string(name) + " ") != std::string_view::npos; }

std::span<const Kind> kinds() {
  static const std::vector<Kind> all = [] {
    std::vector<Kind> joined;
    for (const auto& part : {product_kinds(), element_kinds(), row_kinds(), movement_kinds(), repeat_kinds(), image_kinds(), compound_kinds(), pattern_kinds()})
      joined.insert(joined.end(), part.begin(), part.end());
    return joined;
  }();
  return all;
}

Generated generate(std::uint64_t seed, const Limits& limits) {
  Growth growth(seed, limits);
  // A few are so large that they do not fit a small chip's memory in one piece.
  if (growth.chance(48)) growth.limits = {std::min(limits.max_operators, 5), 4 * limits.max_dimension, 12 * limits.max_elements};
  growth.on_device_only = growth.chance(3);
  for (std::int32_t inputs = growth.between(1, 3); inputs > 0; --inputs) add_any_input(growth);
  if (growth.chance(8)) growth.pool.push_back(growth.constant(growth.tensor(growth.any_shape(growth.between(1, 4)), growth.any_of(kInputTypes))));
  Generated generated;
  generated.seed = seed;
  const auto wanted = static_cast<std::size_t>(growth.between(1, growth.limits.max_operators));
  for (int attempts = 0; generated.kinds.size() < wanted && (attempts < 100 || generated.kinds.empty()); ++attempts) {
    // Late tensors more often, so that graphs grow deep as well as wide.
    const std::size_t size = growth.pool.size();
    const std::size_t at = growth.chance(2) ? size - 1 - growth.random.below(std::min<std::size_t>(size, 2)) : growth.random.below(size);
    const Value value = growth.pool[at];
    const std::size_t kind = any_kind(growth, value);
    if (kind < kinds().size() && kinds()[kind].append(growth, value)) generated.kinds.push_back(kind);
  }
  growth.finish();
  generated.builder = std::move(growth.builder);
  return generated;
}

Generated generate_one(std::size_t kind, std::uint64_t seed, const Limits& limits) {
  Random seeds(seed);
  for (int attempt = 0; attempt < 10000; ++attempt) {
    Growth growth(seeds.next(), limits);
    add_any_input(growth);
    const Value value = growth.pool.back();
    if (!kinds()[kind].applicable(value) || !kinds()[kind].append(growth, value)) continue;
    growth.finish();
    Generated generated;
    generated.seed = seed;
    generated.kinds = {kind};
    generated.builder = std::move(growth.builder);
    return generated;
  }
  throw std::logic_error(std::string(kinds()[kind].name) + " takes no input");
}

}  // namespace naru::generated
