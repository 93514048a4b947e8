// Renders figures for people and tensors for JSON.
#include "text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace naru::cli {

std::string with_commas(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string byte_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string milliseconds(std::chrono::nanoseconds time) {
  const double ms = static_cast<double>(time.count()) / 1e6;
  return ms < 10 ? fmt::format("{:.3f} ms", ms) : fmt::format("{:.1f} ms", ms);
}

std::string shape_text(const TensorInfo& info) {
  std::string text = info.shape.empty() ? "scalar" : fmt::format("{}", fmt::join(info.shape, "x"));
  text += fmt::format(" {}", to_string(info.type));
  const Quantization& q = info.quantization;
  if (q.scales.size() == 1) text += fmt::format(", scale {:.6g}, zero point {}", q.scales[0], q.zero_points.empty() ? 0 : q.zero_points[0]);
  if (q.scales.size() > 1) text += fmt::format(", {} scales on axis {}", q.scales.size(), q.axis);
  return text;
}

Json to_json(const TensorInfo& info) {
  return {{"name", info.name}, {"tensor", info.file_index}, {"shape", info.shape}, {"type", to_string(info.type)}, {"bytes", info.bytes},
          {"quantization", {{"scales", info.quantization.scales}, {"zero_points", info.quantization.zero_points}, {"axis", info.quantization.axis}}}};
}

}  // namespace naru::cli
