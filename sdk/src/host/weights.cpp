// Checks of weights, bias and quantisation.
#include "host/weights.h"

#include <cmath>

namespace naru::sdk::host {

Result<Finish> finish_of(const Call& call, std::size_t input, std::size_t filter, std::size_t bias, std::size_t channels, std::int32_t axis, graph::Activation activation) {
  const Tensor& in = call.in(input);
  const Tensor& weights = call.in(filter);
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_same_type(in, out));
  const bool has_bias = call.has(bias);
  if (has_bias) NARU_CHECK_OK(call.require(count_of(call.in(bias)) == channels, "its bias is not one per channel"));
  Finish finish;
  if (in.type == ElementType::kF32) {
    if (has_bias) NARU_CHECK_OK(call.require_same_type(call.in(bias), out));
    finish.bounds = activation_bounds<float>(activation);
    return finish;
  }
  if (has_bias) {
    const ElementType type = call.in(bias).type;
    NARU_CHECK_OK(call.require(type == ElementType::kI32 || (in.type == ElementType::kI16 && type == ElementType::kI64), "its bias is of another type"));
  }
  NARU_CHECK_OK(call.require_quantization({&in, &out}));
  if (!weights.quantization || weights.quantization->scales.empty() || weights.quantization->zero_points.size() != weights.quantization->scales.size())
    return call.unsupported("its weights have no scale");
  const auto& scales = weights.quantization->scales;
  for (float scale : scales)
    if (!(scale > 0.0F) || !std::isfinite(scale)) return call.unsupported("its weights have a scale of {}", scale);
  if (scales.size() > 1) {
    NARU_CHECK_OK(call.require(scales.size() == channels && weights.quantization->axis == axis, "its weights' scales are not those of its channels"));
    for (std::int32_t zero : weights.quantization->zero_points)
      if (zero != 0) return call.unsupported("its weights have one zero point per channel");
  } else {
    NARU_CHECK_OK(call.require_quantization(weights));
  }
  finish.multipliers = numerics::channel_multipliers(call.op.kind, in.scale(), scales, out.scale(), channels, in.type == ElementType::kU8);
  finish.zero = out.zero_point();
  finish.range = numerics::activation_range(activation, out.scale(), out.zero_point(), out.type);
  return finish;
}

}  // namespace naru::sdk::host
