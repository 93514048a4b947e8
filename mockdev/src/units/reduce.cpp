// Reduction over any of four dimensions: rows of kept elements are accumulated in scratch; a reduced innermost dimension is folded row by row.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

std::int32_t fold(abi::ReduceKind kind, std::int32_t a, std::int32_t b) noexcept {
  switch (kind) {
    case abi::ReduceKind::kMaximum: return std::max(a, b);
    case abi::ReduceKind::kMinimum: return std::min(a, b);
    case abi::ReduceKind::kSum: break;
  }
  return wrap_add(a, b);
}

std::int32_t identity(abi::ReduceKind kind) noexcept {
  switch (kind) {
    case abi::ReduceKind::kMaximum: return std::numeric_limits<std::int32_t>::min();
    case abi::ReduceKind::kMinimum: return std::numeric_limits<std::int32_t>::max();
    case abi::ReduceKind::kSum: break;
  }
  return 0;
}

class ReduceRun {
 public:
  ReduceRun(const abi::Reduce& record, const UnaryPointers& at, const Context& context) noexcept : record_(record), at_(at), context_(context) {
    for (std::size_t i = 0; i < 4; ++i) {
      const bool reduced = (record.reduced_dimensions >> i & 1) != 0;
      kept_[i] = reduced ? 1 : record.extent[i];
      folded_[i] = reduced ? record.extent[i] : 1;
      // Modulo 2^32, like the sum it is taken from.
      elements_ = static_cast<std::int32_t>(static_cast<std::uint32_t>(elements_) * folded_[i]);
    }
  }

  void execute() const noexcept {
    for (std::uint64_t i = 0; i < kept_[0]; ++i)
      for (std::uint64_t j = 0; j < kept_[1]; ++j)
        for (std::uint64_t k = 0; k < kept_[2]; ++k) {
          const std::uint64_t input = i * record_.input_stride[0] + j * record_.input_stride[1] + k * record_.input_stride[2];
          const std::uint64_t output = i * record_.output_stride[0] + j * record_.output_stride[1] + k * record_.output_stride[2];
          for (std::uint64_t l = 0; l < kept_[3]; l += kRowElements)
            row(at_.input + input + l * record_.input_stride[3], at_.output + output + l * record_.output_stride[3],
                std::min<std::uint64_t>(kRowElements, kept_[3] - l));
        }
  }

 private:
  /// `count` kept elements along the innermost dimension (1 when that one is reduced).
  void row(const std::byte* input, std::byte* output, std::size_t count) const noexcept {
    std::int32_t* values = context_.scratch.row_a;
    std::int32_t* one = context_.scratch.row_b;
    std::fill_n(values, count, identity(record_.kind));
    for (std::uint64_t i = 0; i < folded_[0]; ++i)
      for (std::uint64_t j = 0; j < folded_[1]; ++j)
        for (std::uint64_t k = 0; k < folded_[2]; ++k) {
          const std::byte* from = input + i * record_.input_stride[0] + j * record_.input_stride[1] + k * record_.input_stride[2];
          for (std::uint64_t l = 0; l < folded_[3]; l += kRowElements) {
            const bool innermost = folded_[3] != 1;
            const std::size_t taken = innermost ? std::min<std::uint64_t>(kRowElements, folded_[3] - l) : count;
            context_.kernels.rows->load(from + l * record_.input_stride[3], record_.input_stride[3], record_.input_type, taken, one);
            if (!innermost) {
              context_.kernels.rows->fold(record_.kind, values, one, count);
            } else {
              for (std::size_t e = 0; e < taken; ++e) values[0] = fold(record_.kind, values[0], one[e]);
            }
          }
        }
    if (record_.kind == abi::ReduceKind::kSum) {
      const std::int32_t zeros = wrap_mul(record_.input_zero, elements_);
      for (std::size_t e = 0; e < count; ++e) values[e] = wrap_sub(values[e], zeros);
      if (record_.output_type != abi::ElementType::kI32) {
        context_.kernels.requantize(values, count, record_.multiplier, split_shift(record_.shift));
        for (std::size_t e = 0; e < count; ++e)
          values[e] = add_zero_and_clamp(values[e], record_.output_zero, record_.activation_min, record_.activation_max);
      }
    }
    context_.kernels.rows->store(output, record_.output_stride[3], record_.output_type, count, values);
  }

  const abi::Reduce& record_;
  const UnaryPointers& at_;
  const Context& context_;
  Extents kept_{}, folded_{};
  std::int32_t elements_ = 1;  // that fall into one output
};

}  // namespace

void execute_reduce(const abi::Reduce& record, const UnaryPointers& at, const Context& context) noexcept { ReduceRun(record, at, context).execute(); }

}  // namespace naru::mockdev
