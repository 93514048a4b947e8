// The layers that the compute rows measure: those of ResNet-50 and MobileNetV1 that docs/performance.md names, and square matrix products.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace naru::bench {

/// One layer, image to image. A matrix product is a 1x1 convolution of one row of `size_cols` pixels.
struct Shape {
  std::string_view name;
  bool depthwise = false;
  std::uint32_t kernel = 1, stride = 1, pad = 0;  // the same both ways; `pad` before the first row and column
  std::uint32_t in_channels = 1, out_channels = 1;
  std::uint32_t size_rows = 1, size_cols = 1;      // of the input, without padding
  bool gemm = false;

  [[nodiscard]] constexpr std::uint32_t out_rows() const noexcept { return gemm ? 1 : (size_rows + stride - 1) / stride; }
  [[nodiscard]] constexpr std::uint32_t out_cols() const noexcept { return gemm ? size_cols : (size_cols + stride - 1) / stride; }
  /// Of the input with its padding: what the windows reach.
  [[nodiscard]] constexpr std::uint32_t padded_rows() const noexcept { return (out_rows() - 1) * stride + kernel; }
  [[nodiscard]] constexpr std::uint32_t padded_cols() const noexcept { return (out_cols() - 1) * stride + kernel; }
  /// Length of one output's sum.
  [[nodiscard]] constexpr std::uint64_t depth() const noexcept { return std::uint64_t{kernel} * kernel * (depthwise ? 1 : in_channels); }
  /// Multiply-accumulates, taps that fall into the padding included.
  [[nodiscard]] constexpr std::uint64_t macs() const noexcept { return std::uint64_t{out_rows()} * out_cols() * out_channels * depth(); }
};

inline constexpr std::array kDenseShapes = {
    Shape{.name = "ResNet 7x7/2 3-64 @224", .kernel = 7, .stride = 2, .pad = 3, .in_channels = 3, .out_channels = 64, .size_rows = 224, .size_cols = 224},
    Shape{.name = "ResNet 1x1 64-256 @56", .in_channels = 64, .out_channels = 256, .size_rows = 56, .size_cols = 56},
    Shape{.name = "ResNet 3x3 64-64 @56", .kernel = 3, .pad = 1, .in_channels = 64, .out_channels = 64, .size_rows = 56, .size_cols = 56},
    Shape{.name = "ResNet 3x3 128-128 @28", .kernel = 3, .pad = 1, .in_channels = 128, .out_channels = 128, .size_rows = 28, .size_cols = 28},
    Shape{.name = "ResNet 3x3 256-256 @14", .kernel = 3, .pad = 1, .in_channels = 256, .out_channels = 256, .size_rows = 14, .size_cols = 14},
    Shape{.name = "ResNet 1x1 1024-256 @14", .in_channels = 1024, .out_channels = 256, .size_rows = 14, .size_cols = 14},
    Shape{.name = "ResNet 3x3 512-512 @7", .kernel = 3, .pad = 1, .in_channels = 512, .out_channels = 512, .size_rows = 7, .size_cols = 7},
    Shape{.name = "MobileNet 3x3/2 3-32 @224", .kernel = 3, .stride = 2, .pad = 0, .in_channels = 3, .out_channels = 32, .size_rows = 224, .size_cols = 224},
    Shape{.name = "MobileNet 1x1 32-64 @112", .in_channels = 32, .out_channels = 64, .size_rows = 112, .size_cols = 112},
    Shape{.name = "MobileNet 1x1 128-128 @56", .in_channels = 128, .out_channels = 128, .size_rows = 56, .size_cols = 56},
    Shape{.name = "MobileNet 1x1 512-512 @14", .in_channels = 512, .out_channels = 512, .size_rows = 14, .size_cols = 14},
    Shape{.name = "MobileNet 1x1 1024-1024 @7", .in_channels = 1024, .out_channels = 1024, .size_rows = 7, .size_cols = 7},
};

inline constexpr std::array kDepthwiseShapes = {
    Shape{.name = "MobileNet dw3x3 32 @112", .depthwise = true, .kernel = 3, .pad = 1, .in_channels = 32, .out_channels = 32, .size_rows = 112, .size_cols = 112},
    Shape{.name = "MobileNet dw3x3 128 @56", .depthwise = true, .kernel = 3, .pad = 1, .in_channels = 128, .out_channels = 128, .size_rows = 56, .size_cols = 56},
    Shape{.name = "MobileNet dw3x3 512 @14", .depthwise = true, .kernel = 3, .pad = 1, .in_channels = 512, .out_channels = 512, .size_rows = 14, .size_cols = 14},
    Shape{.name = "MobileNet dw3x3 1024 @7", .depthwise = true, .kernel = 3, .pad = 1, .in_channels = 1024, .out_channels = 1024, .size_rows = 7, .size_cols = 7},
};

inline constexpr std::array kGemmShapes = {
    Shape{.name = "64^3", .in_channels = 64, .out_channels = 64, .size_cols = 64, .gemm = true},
    Shape{.name = "128^3", .in_channels = 128, .out_channels = 128, .size_cols = 128, .gemm = true},
    Shape{.name = "256^3", .in_channels = 256, .out_channels = 256, .size_cols = 256, .gemm = true},
    Shape{.name = "512^3", .in_channels = 512, .out_channels = 512, .size_cols = 512, .gemm = true},
    Shape{.name = "1024^3", .in_channels = 1024, .out_channels = 1024, .size_cols = 1024, .gemm = true},
    Shape{.name = "1x1024x1000", .in_channels = 1024, .out_channels = 1000, .size_cols = 1, .gemm = true},
};

}  // namespace naru::bench
