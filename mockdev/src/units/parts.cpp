// How commands are cut.
#include "units/parts.h"

#include "units/kernels.h"

namespace naru::mockdev {
namespace {

/// Handing parts out and waiting for them takes about a microsecond.
constexpr std::uint64_t kWorthNanoseconds = 8000;
constexpr std::uint64_t kProductsPerNanosecond = 300, kDepthwiseProductsPerNanosecond = 30, kOutputsPerNanosecond = 4;

struct Range {
  std::uint64_t first, count;
};
/// Part `part` of `count` things in whole multiples of `unit`; the parts are as even as that allows.
Range range_of(std::uint64_t count, std::uint64_t unit, unsigned part, unsigned parts) noexcept {
  const std::uint64_t units = ceil_div(count, unit);
  const std::uint64_t first = units * part / parts * unit, end = std::min(count, units * (part + 1) / parts * unit);
  return {first, first < end ? end - first : 0};
}

std::uint64_t outputs_of(const abi::Conv& record) noexcept { return std::uint64_t{record.out_rows} * record.out_cols * record.out_channels; }
std::uint64_t outputs_of(const abi::Depthwise& record) noexcept { return std::uint64_t{record.out_rows} * record.out_cols * record.channels; }

template <typename Record, typename Pointers>
bool take_rows(Record& record, Pointers& at, unsigned part, unsigned parts) noexcept {
  const Range rows = range_of(record.out_rows, 1, part, parts);
  at.input += rows.first * record.stride_rows * record.input_row_stride;
  at.output += rows.first * record.output_row_stride;
  if constexpr (requires { at.partial; })
    if (at.partial != nullptr) at.partial += rows.first * record.partial_row_stride;
  record.out_rows = static_cast<std::uint32_t>(rows.count);
  return rows.count != 0;
}

}  // namespace

bool is_worth_parts(const abi::Conv& record) noexcept {
  const std::uint64_t outputs = outputs_of(record), products = outputs * record.kernel_rows * record.kernel_cols * record.in_channels;
  return products / kProductsPerNanosecond + outputs / kOutputsPerNanosecond >= kWorthNanoseconds;
}
bool is_worth_parts(const abi::Depthwise& record) noexcept {
  const std::uint64_t outputs = outputs_of(record);
  return outputs * record.kernel_rows * record.kernel_cols / kDepthwiseProductsPerNanosecond + outputs / kOutputsPerNanosecond >= kWorthNanoseconds;
}
bool is_worth_parts(const abi::Elementwise& record) noexcept {
  std::uint64_t outputs = 1;
  for (const std::uint32_t extent : record.extent) outputs *= extent;
  return outputs / kOutputsPerNanosecond >= kWorthNanoseconds;
}

bool take_part(abi::Conv& record, ConvPointers& at, unsigned part, unsigned parts) noexcept {
  if (record.out_rows >= 2 * parts) return take_rows(record, at, part, parts);
  if (record.out_cols >= 2 * kMatrixPixels * parts) {
    const Range cols = range_of(record.out_cols, kMatrixPixels, part, parts);
    at.input += cols.first * record.stride_cols * record.input_pixel_stride;
    at.output += cols.first * record.output_pixel_stride;
    if (at.partial != nullptr) at.partial += cols.first * record.partial_pixel_stride;
    record.out_cols = static_cast<std::uint32_t>(cols.count);
    return cols.count != 0;
  }
  const Range channels = range_of(record.out_channels, kBlock, part, parts);
  at.weights += channels.first / kBlock * abi::dense_block_bytes(std::uint64_t{record.kernel_rows} * record.kernel_cols, record.in_channels);
  at.output += channels.first * abi::element_bytes(record.output_type);
  if (at.partial != nullptr) at.partial += channels.first * sizeof(std::int32_t);
  record.out_channels = static_cast<std::uint32_t>(channels.count);
  return channels.count != 0;
}

bool take_part(abi::Depthwise& record, DepthwisePointers& at, unsigned part, unsigned parts) noexcept {
  if (record.channel_multiplier != 1 || record.out_rows >= 4 * parts) return take_rows(record, at, part, parts);
  const Range channels = range_of(record.channels, kTileChannelsMax, part, parts);
  at.input += channels.first * abi::element_bytes(record.input_type);
  at.weights += channels.first / kBlock * abi::depthwise_block_bytes(std::uint64_t{record.kernel_rows} * record.kernel_cols, abi::weight_bytes_of(record.weight_format));
  at.output += channels.first * abi::element_bytes(record.output_type);
  record.channels = static_cast<std::uint32_t>(channels.count);
  return channels.count != 0;
}

bool take_part(abi::Elementwise& record, ElementwisePointers& at, unsigned part, unsigned parts) noexcept {
  std::size_t dimension = 0;
  while (dimension + 1 < record.extent.size() && record.extent[dimension] < 2 * parts) ++dimension;
  const Range range = range_of(record.extent[dimension], 1, part, parts);
  at.a += range.first * record.a_stride[dimension];
  at.b += range.first * record.b_stride[dimension];
  at.output += range.first * record.output_stride[dimension];
  record.extent[dimension] = static_cast<std::uint32_t>(range.count);
  return range.count != 0;
}

}  // namespace naru::mockdev
