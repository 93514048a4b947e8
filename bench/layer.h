// One layer with its numbers, and the two that compute it: the mock device, as a job of MAC commands, and oneDNN, in this thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "naru/base/result.h"
#include "shapes.h"

namespace naru::bench {

enum class Form : std::uint8_t {
  kAccumulators,  // int32 sums
  kRequantized,   // 8-bit codes: the device by TFLite's fixed point, oneDNN by a float scale per channel
};

/// The same for both sides. Inputs are unsigned codes with a zero point of 0 (oneDNN's fastest form); the device gets them as signed ones with a zero point of -128.
/// Weights are -64 to 63: where the CPU has no dot product, oneDNN adds pairs of products in 16 bits, which saturate with larger ones.
struct LayerData {
  Shape shape;
  std::vector<std::uint8_t> input;   // [rows][cols][in channels], without padding
  std::vector<std::int8_t> weights;  // [out channels][kernel][kernel][in channels]; depthwise: [channels][kernel][kernel]
  std::vector<double> scale;         // of every output channel: what a sum is multiplied with

  static LayerData random(const Shape& shape, std::uint64_t seed);
};

/// Executes `copies` commands of the layer per run, one after the other, from SRAM to SRAM. Loading the operands is not part of a run.
class DeviceLayer {
 public:
  /// `kernels` as NARU_KERNELS.
  [[nodiscard]] static Result<DeviceLayer> make(const LayerData& data, Form form, const std::string& kernels, std::size_t copies);
  DeviceLayer(DeviceLayer&&) noexcept;
  ~DeviceLayer();

  [[nodiscard]] Result<void> run();
  /// What the last run computed, [rows][cols][out channels]: sums, or codes as unsigned ones.
  [[nodiscard]] Result<std::vector<std::int32_t>> output();

 private:
  struct State;
  explicit DeviceLayer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Weights in the order that oneDNN prefers, made beforehand. Throws dnnl::error.
class OneDnnLayer {
 public:
  OneDnnLayer(const LayerData& data, Form form);
  OneDnnLayer(OneDnnLayer&&) noexcept;
  ~OneDnnLayer();

  void run();
  [[nodiscard]] std::vector<std::int32_t> output() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Multiply-accumulates per second that one core can do with operands in registers, by the instruction of a kernel path; 0 where the CPU lacks it.
struct Peak {
  std::string instruction;
  double macs_per_second = 0;
};
/// "amx", "vnni", "avx2" or "portable". The best of a few milliseconds.
[[nodiscard]] Peak register_only_peak(const std::string& kernels);

}  // namespace naru::bench
