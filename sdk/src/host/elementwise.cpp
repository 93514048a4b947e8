// Operators of two operands on plain numbers: float, i32, i64 (and small integers where TFLite divides or compares them). Codes are in codes.cpp.
#include <algorithm>
#include <cmath>

#include "host/broadcast.h"
#include "host/codes.h"

namespace naru::sdk::host {
namespace {

template <typename T>
T wrap(auto operation, T a, T b) noexcept {
  using U = std::make_unsigned_t<std::common_type_t<T, std::int32_t>>;
  return static_cast<T>(operation(static_cast<U>(a), static_cast<U>(b)));
}

/// The quotient towards zero; the one that overflows wraps. The divisor is not 0.
template <typename T>
T quotient(T a, T b) noexcept {
  if (b == T(-1)) return wrap<T>(std::minus<>(), T{0}, a);
  return static_cast<T>(a / b);
}
template <typename T>
T remainder(T a, T b) noexcept {
  if (b == T(-1)) return 0;
  return static_cast<T>(a % b);
}

template <typename T>
T floor_div(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) return std::floor(a / b);
  else return static_cast<T>(quotient(a, b) - (remainder(a, b) != 0 && (a < 0) != (b < 0) ? 1 : 0));
}
template <typename T>
T floor_mod(T a, T b) noexcept {
  T rest;
  if constexpr (std::is_floating_point_v<T>) rest = std::fmod(a, b);
  else rest = remainder(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? static_cast<T>(rest + b) : rest;
}

/// Whole numbers by way of double, as TFLite; what does not fit saturates.
template <typename T>
T power(T base, T exponent) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::pow(base, exponent);
  } else {
    const double value = std::pow(static_cast<double>(base), static_cast<double>(exponent));
    constexpr double kLimit = static_cast<double>(std::numeric_limits<T>::max());
    if (value >= kLimit) return std::numeric_limits<T>::max();
    if (value <= -kLimit) return std::numeric_limits<T>::min();
    return static_cast<T>(value);
  }
}

/// What of the second operand has no result.
enum class Domain { kAll, kNotZero, kNotNegative };

template <typename T>
Result<void> check_domain(std::span<const T> values, Domain domain, const std::string& name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = values[i];
    if (domain == Domain::kNotZero && value == T{0})
      return fail(ErrorId::kInputValue, fmt::format("{}: division by zero, operand 1 has it at element {}", name, i));
    if (domain == Domain::kNotNegative && value < T{0})
      return fail(ErrorId::kInputValue, fmt::format("{}: a negative exponent of an integer, operand 1 has {} at element {}", name, value, i));
  }
  return {};
}

template <typename T, typename Out = T, typename F>
Run binary_run(const Call& call, Broadcast plan, Domain domain, F f) {
  return [=, plan = std::move(plan), name = graph::describe(call.op)](const Data& data) -> Result<void> {
    const auto a = data.in<T>(0);
    const auto b = data.in<T>(1);
    if (domain != Domain::kAll) NARU_CHECK_OK(check_domain<T>(b, domain, name));
    std::vector<Out> result(plan.count());
    plan.each([&](std::size_t i, std::size_t j, std::size_t k) { result[k] = f(a[i], b[j]); });
    data.store(0, result);
    return {};
  };
}

template <typename T>
Run plain_run(const Call& call, Broadcast plan, graph::Activation activation) {
  constexpr bool kInteger = std::is_integral_v<T>;
  const auto bounds = activation_bounds<T>(activation);
  const auto with = [&](auto f, Domain domain = Domain::kAll) {
    return binary_run<T>(call, std::move(plan), domain, [=](T a, T b) { return bounded<T>(f(a, b), bounds); });
  };
  const auto without = [&](auto f, Domain domain = Domain::kAll) { return binary_run<T>(call, std::move(plan), domain, f); };
  const auto arithmetic = [](auto operation) {
    return [=](T a, T b) -> T {
      if constexpr (kInteger) return wrap<T>(operation, a, b);
      else return operation(a, b);
    };
  };
  switch (call.op.kind) {
    case OperatorKind::kAdd: return with(arithmetic(std::plus<>()));
    case OperatorKind::kSub: return with(arithmetic(std::minus<>()));
    case OperatorKind::kMul: return with(arithmetic(std::multiplies<>()));
    case OperatorKind::kDiv:
      if constexpr (kInteger) return with([](T a, T b) { return quotient(a, b); }, Domain::kNotZero);
      else return with([](T a, T b) { return a / b; });
    case OperatorKind::kMinimum: return without([](T a, T b) { return a < b ? a : b; });
    case OperatorKind::kMaximum: return without([](T a, T b) { return a > b ? a : b; });
    case OperatorKind::kSquaredDifference:
      return without([=](T a, T b) {
        const T difference = arithmetic(std::minus<>())(a, b);
        return arithmetic(std::multiplies<>())(difference, difference);
      });
    case OperatorKind::kFloorDiv: return without([](T a, T b) { return floor_div(a, b); }, Domain::kNotZero);
    case OperatorKind::kFloorMod: return without([](T a, T b) { return floor_mod(a, b); }, Domain::kNotZero);
    case OperatorKind::kPow: return without([](T a, T b) { return power(a, b); }, kInteger ? Domain::kNotNegative : Domain::kAll);
    default: return {};
  }
}

template <typename T>
Run comparison_run(const Call& call, Broadcast plan, auto&& map_a, auto&& map_b) {
  const auto with = [&](auto compare) {
    return binary_run<T, std::uint8_t>(call, std::move(plan), Domain::kAll, [=](T a, T b) { return static_cast<std::uint8_t>(compare(map_a(a), map_b(b)) ? 1 : 0); });
  };
  switch (call.op.kind) {
    case OperatorKind::kEqual: return with(std::equal_to<>());
    case OperatorKind::kNotEqual: return with(std::not_equal_to<>());
    case OperatorKind::kLess: return with(std::less<>());
    case OperatorKind::kLessEqual: return with(std::less_equal<>());
    case OperatorKind::kGreater: return with(std::greater<>());
    case OperatorKind::kGreaterEqual: return with(std::greater_equal<>());
    default: return {};
  }
}

Result<Broadcast> plan_of(const Call& call) {
  auto plan = Broadcast::of(call.in(0).shape, call.in(1).shape, call.out().shape);
  if (!plan) return call.misfit("{} and {} do not broadcast to {}", graph::to_string(call.in(0).shape), graph::to_string(call.in(1).shape), graph::to_string(call.out().shape));
  return std::move(*plan);
}

/// TFLite compares codes of different quantisation by their real values in fixed point, eight bits below a code.
auto comparable(const Tensor& tensor) {
  const numerics::Multiplier multiplier = numerics::quantize_multiplier(static_cast<double>(tensor.scale()));
  return [=, zero = tensor.zero_point()](auto code) { return numerics::multiply_by_quantized_multiplier((std::int32_t{code} - zero) * (1 << 8), multiplier); };
}

}  // namespace

Result<Run> prepare_binary(const Call& call) {
  NARU_TRY(Broadcast plan, plan_of(call));
  NARU_CHECK_OK(call.require_same_type(call.in(0), call.in(1)));
  NARU_CHECK_OK(call.require_same_type(call.in(0), call.out()));
  graph::Activation activation = graph::Activation::kNone;
  const OperatorKind kind = call.op.kind;
  if (kind == OperatorKind::kAdd || kind == OperatorKind::kSub || kind == OperatorKind::kMul || kind == OperatorKind::kDiv) {
    const auto* options = call.options<graph::ElementwiseOptions>();
    if (options == nullptr) return call.no_options();
    activation = options->activation;
  }
  const ElementType type = call.out().type;
  const bool divides = kind == OperatorKind::kFloorDiv || kind == OperatorKind::kFloorMod;
  const bool raw = kind == OperatorKind::kMinimum || kind == OperatorKind::kMaximum;
  if (is_code(type) && !divides && !raw) return prepare_binary_codes(call, std::move(plan), activation);
  Run run;
  for_type<float, std::int32_t, std::int64_t>(type, [&](auto sample) { run = plain_run<decltype(sample)>(call, plan, activation); });
  if (!run && (divides || raw))
    for_type<std::int8_t, std::uint8_t, std::int16_t>(type, [&](auto sample) { run = plain_run<decltype(sample)>(call, plan, activation); });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_comparison(const Call& call) {
  NARU_TRY(Broadcast plan, plan_of(call));
  NARU_CHECK_OK(call.require_same_type(call.in(0), call.in(1)));
  if (call.out().type != ElementType::kBool) return call.no_type();
  const ElementType type = call.in().type;
  const auto same = [](auto value) { return value; };
  Run run;
  if (is_code(type) && (call.in(0).quantization || call.in(1).quantization)) {
    NARU_CHECK_OK(call.require_quantization({&call.in(0), &call.in(1)}));
    for_type<std::int8_t, std::uint8_t, std::int16_t>(type, [&](auto sample) { run = comparison_run<decltype(sample)>(call, plan, comparable(call.in(0)), comparable(call.in(1))); });
  } else if (type == ElementType::kBool) {
    const auto truth = [](std::uint8_t value) { return value != 0; };
    run = comparison_run<std::uint8_t>(call, std::move(plan), truth, truth);
  } else {
    for_type<float, std::int32_t, std::int64_t, std::int8_t, std::uint8_t, std::int16_t>(
        type, [&](auto sample) { run = comparison_run<decltype(sample)>(call, plan, same, same); });
  }
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_logical(const Call& call) {
  if (call.in().type != ElementType::kBool || call.out().type != ElementType::kBool) return call.no_type();
  if (call.op.kind == OperatorKind::kLogicalNot) {
    NARU_CHECK_OK(call.require_shape(call.out(), call.in().shape));
    return Run([](const Data& data) -> Result<void> {
      std::ranges::transform(data.inputs[0], data.outputs[0].begin(), [](std::byte value) { return value == std::byte{0} ? std::byte{1} : std::byte{0}; });
      return {};
    });
  }
  NARU_TRY(Broadcast plan, plan_of(call));
  NARU_CHECK_OK(call.require_same_type(call.in(0), call.in(1)));
  const bool both = call.op.kind == OperatorKind::kLogicalAnd;
  return binary_run<std::uint8_t>(call, std::move(plan), Domain::kAll,
                                  [=](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>((both ? a != 0 && b != 0 : a != 0 || b != 0) ? 1 : 0); });
}

Result<Run> prepare_select(const Call& call) {
  const Tensor& condition = call.in(0);
  if (condition.type != ElementType::kBool) return call.no_type();
  NARU_CHECK_OK(call.require_same_type(call.in(1), call.out()));
  NARU_CHECK_OK(call.require_same_type(call.in(2), call.out()));
  Shape condition_shape = condition.shape;
  const Shape& out = call.out().shape;
  auto shapes = std::array<const Shape*, 3>{&condition_shape, &call.in(1).shape, &call.in(2).shape};
  auto plan = Broadcast::of(shapes, out);
  if (!plan && condition_shape.size() == 1 && !out.empty() && condition_shape[0] == out[0]) {
    // The older SELECT: one condition per row.
    condition_shape.resize(out.size(), 1);
    plan = Broadcast::of(shapes, out);
  }
  if (!plan) return call.misfit("its operands do not broadcast to {}", graph::to_string(out));
  Run run;
  const auto make = [&](auto sample) {
    using T = decltype(sample);
    run = [plan = *plan](const Data& data) -> Result<void> {
      const auto condition = data.in<std::uint8_t>(0);
      const auto a = data.in<T>(1);
      const auto b = data.in<T>(2);
      std::vector<T> result(plan.count());
      plan.each_of_three([&](std::size_t c, std::size_t i, std::size_t j, std::size_t k) { result[k] = condition[c] != 0 ? a[i] : b[j]; });
      data.store(0, result);
      return {};
    };
  };
  if (call.out().type == ElementType::kBool) make(std::uint8_t{});
  else for_type<std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t, float>(call.out().type, make);
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
