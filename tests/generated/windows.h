// Operators that look at an image through a window, with a chosen window: for the kinds of their own, and for those made of several operators.
#pragma once

#include "growth.h"

namespace naru::generated {

struct Window {
  tflite::Padding padding = tflite::Padding_SAME;
  std::int32_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;

  /// [rows, columns] of what it gives, 0 where it does not fit.
  [[nodiscard]] std::int32_t rows(const Shape& image) const;
  [[nodiscard]] std::int32_t columns(const Shape& image) const;
  [[nodiscard]] bool fits(const Shape& image) const { return rows(image) > 0 && columns(image) > 0; }
};

/// One that fits.
[[nodiscard]] Window any_window(Growth& g, const Shape& image);

/// Each appends the operator to `value`, an image, which the window fits; false when the result would be too large.
bool add_convolution(Growth& g, const Value& value, const Window& w, std::int32_t groups, std::int32_t channels);
bool add_depthwise(Growth& g, const Value& value, const Window& w, std::int32_t multiplier);
bool add_pool(Growth& g, tflite::BuiltinOperator code, const Value& value, const Window& w);

template <typename Options>
Options options_of(const Window& w) {
  Options options;
  options.padding = w.padding;
  options.stride_h = w.stride_h;
  options.stride_w = w.stride_w;
  if constexpr (requires { options.dilation_h_factor; }) {
    options.dilation_h_factor = w.dilation_h;
    options.dilation_w_factor = w.dilation_w;
  }
  return options;
}

}  // namespace naru::generated
