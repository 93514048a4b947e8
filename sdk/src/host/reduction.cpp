// Reductions along axes, and the index of the largest or smallest element.
#include <algorithm>
#include <cmath>

#include "host/broadcast.h"
#include "host/call.h"

namespace naru::sdk::host {
namespace {

/// One walk over the operand in its order, with the index of the result's element that each one goes into.
struct Reduction {
  Broadcast walk;
  std::size_t results = 1;
  std::uint64_t summed = 1;  // elements per result
};

Result<Reduction> reduction_of(const Call& call) {
  const auto* options = call.options<graph::ReduceOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in().shape;
  Shape kept = in;
  Shape removed;
  std::uint64_t summed = 1;
  std::int32_t last = -1;
  for (std::int32_t axis : options->axes) {
    NARU_CHECK_OK(call.require(axis > last && static_cast<std::size_t>(axis) < in.size(), "its axes are no ascending dimensions"));
    last = axis;
    summed *= static_cast<std::uint64_t>(in[static_cast<std::size_t>(axis)]);
    kept[static_cast<std::size_t>(axis)] = 1;
  }
  for (std::size_t d = 0; d < in.size(); ++d)
    if (std::ranges::find(options->axes, static_cast<std::int32_t>(d)) == options->axes.end()) removed.push_back(in[d]);
  NARU_CHECK_OK(call.require_shape(call.out(), options->keep_dims ? kept : removed));
  auto walk = Broadcast::of(kept, in, in);
  if (!walk) return call.misfit("its axes do not fit");
  return Reduction{std::move(*walk), count_of(call.out()), summed};
}

/// sums[result] = f(sums[result], element), then g(sum) is stored.
template <typename In, typename Sum, typename Out, typename F, typename G>
Run reduce_run(Reduction reduction, Sum first, F f, G g) {
  return [=, reduction = std::move(reduction)](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    std::vector<Sum> sums(reduction.results, first);
    reduction.walk.each([&](std::size_t to, std::size_t from, std::size_t) { sums[to] = f(sums[to], values[from]); });
    std::vector<Out> result(reduction.results);
    std::ranges::transform(sums, result.begin(), g);
    data.store(0, result);
    return {};
  };
}

template <typename T>
Run extreme_run(Reduction reduction, bool largest) {
  const auto same = [](T value) { return value; };
  if (largest) return reduce_run<T, T, T>(std::move(reduction), std::numeric_limits<T>::lowest(), [](T a, T b) { return b > a ? b : a; }, same);
  return reduce_run<T, T, T>(std::move(reduction), std::numeric_limits<T>::max(), [](T a, T b) { return b < a ? b : a; }, same);
}

template <typename T>
Run codes_sum_run(const Call& call, Reduction reduction, bool mean) {
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  const numerics::Multiplier multiplier =
      mean ? numerics::mean_multiplier(in.scale(), out.scale(), reduction.summed) : numerics::sum_multiplier(in.scale(), out.scale());
  const auto zeros = static_cast<std::uint32_t>(static_cast<std::uint64_t>(in.zero_point()) * reduction.summed);
  // Sums of 32 bits that wrap, as TFLite's.
  return reduce_run<T, std::uint32_t, T>(
      std::move(reduction), 0U, [](std::uint32_t sum, T code) { return sum + static_cast<std::uint32_t>(code); },
      [=, zero = out.zero_point(), range = numerics::code_range(out.type)](std::uint32_t sum) {
        return clamp_code<T>(std::int64_t{numerics::multiply_by_quantized_multiplier(static_cast<std::int32_t>(sum - zeros), multiplier)} + zero, range);
      });
}

template <typename T>
Run plain_sum_run(Reduction reduction, bool mean) {
  if constexpr (std::is_floating_point_v<T>) {
    const auto count = static_cast<T>(reduction.summed);
    return reduce_run<T, T, T>(std::move(reduction), T{0}, std::plus<>(), [=](T sum) { return mean ? sum / count : sum; });
  } else {
    const auto count = static_cast<std::int64_t>(reduction.summed);
    return reduce_run<T, std::uint64_t, T>(
        std::move(reduction), std::uint64_t{0}, [](std::uint64_t sum, T value) { return sum + static_cast<std::uint64_t>(std::int64_t{value}); },
        [=](std::uint64_t sum) { return static_cast<T>(mean ? static_cast<std::int64_t>(sum) / count : static_cast<std::int64_t>(sum)); });
  }
}

template <typename In, typename Out>
Run arg_run(const Call& call, std::size_t axis, bool largest) {
  const Shape& shape = call.in().shape;
  return [=, extent = static_cast<std::size_t>(shape[axis]), inner = size_of(shape, axis + 1, shape.size()), outer = size_of(shape, 0, axis)](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    std::vector<Out> result(outer * inner);
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t i = 0; i < inner; ++i) {
        const In* first = values.data() + o * extent * inner + i;
        std::size_t best = 0;
        for (std::size_t k = 1; k < extent; ++k)
          if (largest ? first[k * inner] > first[best * inner] : first[k * inner] < first[best * inner]) best = k;
        result[o * inner + i] = static_cast<Out>(best);
      }
    data.store(0, result);
    return {};
  };
}

}  // namespace

Result<Run> prepare_reduction(const Call& call) {
  NARU_TRY(Reduction reduction, reduction_of(call));
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_same_type(in, out));
  const bool mean = call.op.kind == OperatorKind::kMean;
  Run run;
  if (mean || call.op.kind == OperatorKind::kSum) {
    for_type<float, std::int32_t, std::int64_t>(in.type, [&](auto sample) { run = plain_sum_run<decltype(sample)>(reduction, mean); });
    if (run) return run;
    if (!is_code(in.type)) return call.no_type();
    NARU_CHECK_OK(call.require_quantization({&in, &out}));
    for_type<std::int8_t, std::uint8_t, std::int16_t>(in.type, [&](auto sample) { run = codes_sum_run<decltype(sample)>(call, reduction, mean); });
    return run;
  }
  // Codes are compared as they are: they mean the same on both sides, or there are none.
  if (is_code(in.type) && in.quantization != out.quantization) return call.unsupported("operand and result have different quantisations");
  for_type<float, std::int32_t, std::int64_t, std::int8_t, std::uint8_t, std::int16_t>(
      in.type, [&](auto sample) { run = extreme_run<decltype(sample)>(reduction, call.op.kind == OperatorKind::kReduceMax); });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_arg(const Call& call) {
  const auto* options = call.options<graph::AxisOptions>();
  if (options == nullptr) return call.no_options();
  const Tensor& in = call.in();
  NARU_CHECK_OK(call.require(options->axis >= 0 && static_cast<std::size_t>(options->axis) < in.shape.size(), "its axis is no dimension"));
  Shape expected = in.shape;
  expected.erase(expected.begin() + options->axis);
  NARU_CHECK_OK(call.require_shape(call.out(), expected));
  Run run;
  for_type<std::int32_t, std::int64_t>(call.out().type, [&](auto to) {
    using Out = decltype(to);
    const bool largest = call.op.kind == OperatorKind::kArgMax;
    const auto axis = static_cast<std::size_t>(options->axis);
    const auto make = [&](auto from) { run = arg_run<decltype(from), Out>(call, axis, largest); };
    if (in.type == ElementType::kBool) make(std::uint8_t{});
    else for_type<float, std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t>(in.type, make);
  });
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
