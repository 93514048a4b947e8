// Tensor views: typed access, real values, and filling.
#include "naru/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace naru {
namespace {

template <typename T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, std::int8_t>) return DataType::kInt8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DataType::kUint8;
  if constexpr (std::is_same_v<T, std::int16_t>) return DataType::kInt16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DataType::kInt32;
  if constexpr (std::is_same_v<T, float>) return DataType::kFloat32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DataType::kInt64;
  return DataType::kNone;
}

/// Calls `use` with a value of the tensor's element type.
template <typename Use>
void with_type(DataType type, Use&& use) {
  switch (type) {
    case DataType::kInt8: use(std::int8_t{}); break;
    case DataType::kUint8:
    case DataType::kBool: use(std::uint8_t{}); break;
    case DataType::kInt16: use(std::int16_t{}); break;
    case DataType::kInt32: use(std::int32_t{}); break;
    case DataType::kInt64: use(std::int64_t{}); break;
    case DataType::kFloat32: use(float{}); break;
    case DataType::kNone: break;
  }
}

/// Which entry of the quantisation's lists an element uses.
struct ChannelIndex {
  std::size_t inner = 1, channels = 1;
  explicit ChannelIndex(const TensorInfo& info) {
    channels = std::max<std::size_t>(1, info.quantization.scales.size());
    if (channels == 1) return;
    for (std::size_t i = static_cast<std::size_t>(info.quantization.axis) + 1; i < info.shape.size(); ++i) inner *= static_cast<std::size_t>(info.shape[i]);
  }
  std::size_t operator()(std::size_t element) const { return channels == 1 ? 0 : element / inner % channels; }
};

Error size_error(const TensorInfo& info, std::size_t given, std::size_t wanted, std::string_view unit) {
  return Error(ErrorId::kInputSize, fmt::format("Tensor \"{}\" takes {} {}, not {}", info.name, wanted, unit, given));
}

}  // namespace

std::string_view to_string(DataType type) noexcept {
  switch (type) {
    case DataType::kNone: return "none";
    case DataType::kInt8: return "int8";
    case DataType::kUint8: return "uint8";
    case DataType::kInt16: return "int16";
    case DataType::kInt32: return "int32";
    case DataType::kFloat32: return "float32";
    case DataType::kInt64: return "int64";
    case DataType::kBool: return "bool";
  }
  return "none";
}

std::size_t size_of(DataType type) noexcept {
  std::size_t size = 0;
  with_type(type, [&](auto value) { size = sizeof(value); });
  return size;
}

template <typename T>
Result<std::span<const T>> TensorView::as() const {
  if (info_->type != data_type_of<T>())
    return fail(ErrorId::kTensorType, fmt::format("Tensor \"{}\" is {}, not {}", info_->name, to_string(info_->type), to_string(data_type_of<T>())));
  return std::span<const T>(reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T));
}

std::vector<float> TensorView::to_float() const {
  std::vector<float> values;
  with_type(info_->type, [&](auto sample) {
    using T = decltype(sample);
    values.resize(bytes_.size() / sizeof(T));
    const ChannelIndex channel_of(*info_);
    const bool quantized = !info_->quantization.scales.empty() && !std::is_floating_point_v<T>;
    for (std::size_t i = 0; i < values.size(); ++i) {
      T code;
      std::memcpy(&code, bytes_.data() + i * sizeof(T), sizeof(T));
      const std::size_t channel = channel_of(i);
      values[i] = quantized ? static_cast<float>(info_->quantization.scales[channel] * (static_cast<double>(code) - info_->quantization.zero_points[channel])) : static_cast<float>(code);
    }
  });
  return values;
}

Result<void> MutableTensorView::fill_from(std::span<const std::byte> bytes) {
  if (bytes.size() != bytes_.size()) return fail(size_error(*info_, bytes.size(), bytes_.size(), "bytes"));
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  return {};
}

template <typename T>
Result<void> MutableTensorView::fill_from(std::span<const T> values) {
  if (info_->type != data_type_of<T>())
    return fail(ErrorId::kTensorType, fmt::format("Tensor \"{}\" is {}, not {}", info_->name, to_string(info_->type), to_string(data_type_of<T>())));
  return fill_from(std::as_bytes(values));
}

Result<void> MutableTensorView::fill_from_float(std::span<const float> values) {
  const std::size_t element = size_of(info_->type);
  if (element == 0 || values.size() != bytes_.size() / element) return fail(size_error(*info_, values.size(), element == 0 ? 0 : bytes_.size() / element, "elements"));
  with_type(info_->type, [&](auto sample) {
    using T = decltype(sample);
    const ChannelIndex channel_of(*info_);
    const bool quantized = !info_->quantization.scales.empty();
    for (std::size_t i = 0; i < values.size(); ++i) {
      T code{};
      if constexpr (std::is_floating_point_v<T>) {
        code = values[i];
      } else {
        const std::size_t channel = channel_of(i);
        const double real = quantized ? std::round(values[i] / info_->quantization.scales[channel]) + info_->quantization.zero_points[channel] : std::round(static_cast<double>(values[i]));
        const double low = static_cast<double>(std::numeric_limits<T>::min()), high = static_cast<double>(std::numeric_limits<T>::max());
        code = std::isnan(real) ? T{0} : real <= low ? std::numeric_limits<T>::min() : real >= high ? std::numeric_limits<T>::max() : static_cast<T>(real);
      }
      std::memcpy(bytes_.data() + i * sizeof(T), &code, sizeof(T));
    }
  });
  return {};
}

#define NARU_INSTANTIATE(T)                                                    \
  template NARU_API Result<std::span<const T>> TensorView::as<T>() const;      \
  template NARU_API Result<void> MutableTensorView::fill_from<T>(std::span<const T>);
NARU_INSTANTIATE(std::int8_t)
NARU_INSTANTIATE(std::uint8_t)
NARU_INSTANTIATE(std::int16_t)
NARU_INSTANTIATE(std::int32_t)
NARU_INSTANTIATE(std::int64_t)
NARU_INSTANTIATE(float)
#undef NARU_INSTANTIATE

std::vector<Class> top(const TensorView& tensor, std::size_t count) {
  std::vector<float> values = tensor.to_float();
  if (!tensor.info().shape.empty()) values.resize(std::min<std::size_t>(values.size(), static_cast<std::size_t>(tensor.info().shape.back())));
  std::vector<Class> classes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) classes[i] = {i, values[i]};
  count = std::min(count, classes.size());
  std::partial_sort(classes.begin(), classes.begin() + static_cast<std::ptrdiff_t>(count), classes.end(),
                    [](const Class& a, const Class& b) { return a.score != b.score ? a.score > b.score : a.index < b.index; });
  classes.resize(count);
  return classes;
}

}  // namespace naru
