// Tensors as users see them: shape, element type, quantisation, and bytes with their meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "naru/base/result.h"

namespace naru {

enum class DataType : std::uint8_t { kNone = 0, kInt8, kUint8, kInt16, kInt32, kFloat32, kInt64, kBool };
[[nodiscard]] NARU_API std::string_view to_string(DataType type) noexcept;  // "int8"
[[nodiscard]] NARU_API std::size_t size_of(DataType type) noexcept;         // bytes per element

/// real = scale * (code - zero_point). Empty for a tensor that is not quantised; one entry per channel of `axis`, or one in all.
struct Quantization {
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
  std::int32_t axis = 0;
};

/// What a tensor is, without its contents. A plain value.
struct TensorInfo {
  std::string name;
  std::vector<std::int32_t> shape;  // outermost first; a scalar has none
  DataType type = DataType::kNone;
  Quantization quantization;
  std::int32_t file_index = -1;     // tensor number in the model file
  std::size_t bytes = 0;            // of its contents
};

/// Contents to read, with their description. Borrows: valid as long as what it was taken from (Outputs, Session) says.
class NARU_API TensorView {
 public:
  TensorView(const TensorInfo& info, std::span<const std::byte> bytes) : info_(&info), bytes_(bytes) {}

  [[nodiscard]] const TensorInfo& info() const noexcept { return *info_; }
  /// Little-endian elements, innermost dimension contiguous.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// kTensorType when T is not the tensor's element type (int8_t, uint8_t, int16_t, int32_t, float, int64_t).
  template <typename T>
  [[nodiscard]] Result<std::span<const T>> as() const;
  /// Real values, whatever the element type.
  [[nodiscard]] std::vector<float> to_float() const;

 private:
  const TensorInfo* info_;
  std::span<const std::byte> bytes_;
};

/// A tensor to fill. Borrows from its Session; one thread at a time.
class NARU_API MutableTensorView {
 public:
  MutableTensorView(const TensorInfo& info, std::span<std::byte> bytes) : info_(&info), bytes_(bytes) {}

  [[nodiscard]] const TensorInfo& info() const noexcept { return *info_; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return bytes_; }
  /// Raw little-endian elements. kInputSize when the length is not the tensor's.
  Result<void> fill_from(std::span<const std::byte> bytes);
  /// Elements of the tensor's own type. kTensorType, kInputSize.
  template <typename T>
  Result<void> fill_from(std::span<const T> values);
  /// Real values, quantised as the tensor says (rounded half away from zero, clamped). kInputSize.
  Result<void> fill_from_float(std::span<const float> values);

 private:
  const TensorInfo* info_;
  std::span<std::byte> bytes_;
};

/// One of the most probable classes of a classifier's output.
struct Class {
  std::size_t index = 0;
  float score = 0;
};
/// The `count` largest elements of the innermost dimension's first row, largest first, as real values; ties by index.
[[nodiscard]] NARU_API std::vector<Class> top(const TensorView& tensor, std::size_t count);

}  // namespace naru
