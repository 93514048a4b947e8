// The networks that the bench runs beside peers: MobileNetV1 and V2 as lists of layers with random weights, and what each runner reads of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "layer.h"

namespace naru::bench {

/// Codes are unsigned here, as the peers want them; Naru's are 128 less, with a zero point that is 128 less.
struct Codes {
  float scale = 1;
  std::uint8_t zero_point = 0;
};

enum class LayerKind : std::uint8_t {
  kConvolution,  // also depthwise
  kAdd,          // source + addend
  kAverage,      // of all pixels of a channel
  kDense,
};

/// Number 0 is the network's input, number i + 1 the result of layer i.
struct NetworkLayer {
  LayerKind kind = LayerKind::kConvolution;
  std::size_t source = 0, addend = 0;
  Shape shape{};         // kAdd and kAverage: channels, size_rows and size_cols only
  bool clamped = false;  // as RELU6: `codes` reach from 0 to 6
  Codes codes{};         // of the result

  std::vector<std::int8_t> weights{};  // as LayerData's
  std::vector<float> weight_scales{};  // of every output channel; their zero points are 0
  std::vector<std::int32_t> bias{};    // at scale source * weight
};

/// A chain of layers; the last one's result is the network's output, a vector.
struct Network {
  std::string name;
  std::uint32_t size = 224;  // rows and columns of the input, which has 3 channels
  Codes input;
  std::vector<NetworkLayer> layers;

  [[nodiscard]] const Codes& codes(std::size_t number) const noexcept { return number == 0 ? input : layers[number - 1].codes; }
  [[nodiscard]] std::uint64_t macs() const noexcept;
};

/// Of a network: 224 pixels and full width, or smaller with the same layers.
struct NetworkSize {
  std::uint32_t pixels = 224;
  std::uint32_t eighths = 8;  // of the published number of channels
};

/// Weights from -64 to 63 (see LayerData); scales and biases such that the codes of every layer fill their range without crowding at its ends. The same on every machine.
[[nodiscard]] Network mobilenet_v1(NetworkSize size);
[[nodiscard]] Network mobilenet_v2(NetworkSize size);

/// [rows][cols][3], unsigned codes.
[[nodiscard]] std::vector<std::uint8_t> random_image(const Network& network, std::uint64_t seed);

/// The layers with multiply-accumulates, one by one.
[[nodiscard]] std::vector<LayerData> layers_of(const Network& network);

/// A TFLite model: int8 [1][rows][cols][3] to int8 [1][classes].
[[nodiscard]] std::vector<std::byte> to_tflite(const Network& network);

/// ONNX Runtime has more than one fast way to say the same: which is fastest is the peer's to try.
struct OnnxForm {
  bool pixels_first = false;  // input [1][rows][cols][3] and a transposition, instead of [1][3][rows][cols]
  bool dense_as_gemm = false;  // the dense layer as QGemm, instead of a QLinearConv of one pixel
};
/// An ONNX model "x" to "y" of unsigned codes and signed weights.
[[nodiscard]] std::vector<std::byte> to_onnx(const Network& network, OnnxForm form);

}  // namespace naru::bench
