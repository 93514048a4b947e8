// A model that grows operator by operator: the tensors that the next operator may read, and what it is made of. Every choice comes from one seed.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "frontend/model_builder.h"
#include "naru/base/random.h"

namespace naru::generated {

namespace tflite = naru::sdk::tflite;

using Shape = std::vector<std::int32_t>;

struct Limits {
  std::int32_t max_operators = 12;
  std::int32_t max_dimension = 17;
  std::int64_t max_elements = 4096;
};

/// Sets of element types.
enum Types : unsigned {
  kI8 = 1,
  kU8 = 2,
  kI16 = 4,
  kF32 = 8,
  kI32 = 16,
  kBool = 32,
  kBytes = kI8 | kU8,
  kCodes = kBytes | kI16,
  kReal = kCodes | kF32,
  kNumber = kReal | kI32,
  kAny = 63
};
[[nodiscard]] unsigned set_of(tflite::TensorType type);

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// A tensor that may be read.
struct Value {
  int tensor = -1;
  Shape shape;
  tflite::TensorType type = tflite::TensorType_INT8;
  // What int32 and float elements lie between; unbounded floats may also be no numbers.
  double low = -kUnbounded, high = kUnbounded;
  // False for floats whose last bits depend on the order of a sum or on a library: nothing that jumps may read those.
  bool is_exact = true;

  [[nodiscard]] bool is_bounded() const { return low > -kUnbounded && high < kUnbounded; }
  [[nodiscard]] std::int32_t rank() const { return static_cast<std::int32_t>(shape.size()); }
};

class Growth {
 public:
  Growth(std::uint64_t seed, const Limits& limits_given) : random(seed), limits(limits_given) {}

  Random random;
  Limits limits;
  testing_models::ModelBuilder builder;
  std::vector<Value> pool;
  /// Only by kinds that the device has for codes, so that a graph is one job as networks are.
  bool on_device_only = false;

  std::int32_t between(std::int64_t low, std::int64_t high) { return static_cast<std::int32_t>(random.between(low, high)); }
  bool chance(std::uint64_t one_in) { return random.chance(one_in); }
  template <typename T, std::size_t N>
  T any_of(const T (&choices)[N]) {
    return choices[random.below(N)];
  }
  Shape any_shape(std::int32_t rank);
  float any_scale(tflite::TensorType type = tflite::TensorType_INT8);
  std::int64_t any_zero(tflite::TensorType type);
  tflite::ActivationFunctionType any_activation(tflite::TensorType type);
  [[nodiscard]] bool fits(const Shape& shape) const;

  [[nodiscard]] float scale(const Value& value) const;
  [[nodiscard]] std::int64_t zero_point(const Value& value) const;
  [[nodiscard]] bool is_quantized(const Value& value) const;
  [[nodiscard]] bool same_quantization(const Value& a, const Value& b) const;

  /// Tensors that nothing writes yet. Codes get a random scale and zero point, or those given.
  Value tensor(const Shape& shape, tflite::TensorType type);
  Value quantized(const Shape& shape, tflite::TensorType type, float scale, std::int64_t zero_point);
  /// Of the same type and quantisation, and holding what `value` holds.
  Value like(const Value& value, const Shape& shape);

  /// One more input of the graph, in the pool.
  Value add_input(Value value);
  Value input(const Shape& shape, tflite::TensorType type);
  /// Random elements.
  Value constant(Value value);
  Value indices(const Shape& shape, const std::vector<std::int32_t>& values);
  /// One number, as a scalar or as a list of one.
  Value index(std::int32_t value) { return indices(chance(2) ? Shape{1} : Shape{}, {value}); }
  /// What SHAPE, which is appended, gives.
  Value shape_of(const Value& value);
  /// `shape` as an operand: the number of a constant of either width, or of the shape of a tensor that has it.
  int numbers(const Shape& shape);
  /// A further operand with the type of `value`: from the pool, a constant or a new input.
  Value partner(const Value& value, const Shape& shape, bool same_quantization);
  /// A shape that broadcasts with `shape`; where it is 1, the other may be larger if `grows`.
  Shape broadcastable(const Shape& shape, bool grows);

  /// Weights for an operand of `type`, with a scale per index of `axis` or one.
  Value weights(const Shape& shape, tflite::TensorType type, std::int32_t axis, bool may_have_zero_point);
  /// The result of `operand` times `factor`. Sums of 16-bit products are rescaled to what fits 32 bits, as TFLite assumes.
  Value product(const Shape& shape, const Value& operand, const Value& factor);
  /// The tensor number of a bias, or -1 for none.
  int bias(std::int32_t channels, const Value& operand, const Value& weights);

  /// Appends an operator; its results go to the pool, except where they are said to be last.
  template <typename... Options>
  bool add(tflite::BuiltinOperator code, const std::vector<int>& inputs, const std::vector<Value>& results, Options... options) {
    std::vector<int> outputs;
    for (const Value& result : results) outputs.push_back(result.tensor);
    builder.add_operator(code, inputs, outputs, options...);
    for (const Value& result : results) pool.push_back(result);
    return true;
  }
  void forget_last() { pool.pop_back(); }

  /// Inputs that are read, results that are not.
  void finish();

 private:
  std::size_t inputs_max_ = 4;
};

[[nodiscard]] std::int64_t count(const Shape& shape);
/// As in numpy.
[[nodiscard]] Shape broadcast(const Shape& a, const Shape& b);

}  // namespace naru::generated
