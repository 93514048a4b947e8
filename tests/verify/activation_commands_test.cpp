// Goal: as in commands_test.cpp, for the commands that products of activations, resizing, gates and SVDF need: every check is killed by a stream that
// only this check refuses, by the verifier and, told apart by nothing but acceptance, by the device.

#include <fmt/format.h>

#include "core/stream_loader.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using enum ErrorId;

/// Refused by the verifier with this id and text, and by the device too.
template <typename T, typename Change>
void refused(T command, Change change, ErrorId id, std::string_view text) {
  SCOPED_TRACE(testing::Message() << T::kName << " " << text);
  change(command);
  const Stream stream = single(command);
  expect_refused(stream, id, text);
  EXPECT_EQ(mockdev::load_stream(encode_stream(stream), tiny_chip()).stream, nullptr);
}
template <typename T, typename V, typename W>
void refused(T command, V T::*field, W value, ErrorId id, std::string_view text) {
  refused(command, [&](T& c) { c.*field = static_cast<V>(value); }, id, text);
}
template <typename T>
void accepted(const T& command) {
  SCOPED_TRACE(T::kName);
  expect_accepted(single(command));
  const std::vector<std::byte> bytes = encode_stream(single(command));
  EXPECT_NE(mockdev::load_stream(bytes, tiny_chip()).stream, nullptr);
}

template <typename T>
void ends_with_region(T command, Operand T::*operand, std::uint64_t footprint_bytes, unsigned region, std::uint64_t unit, std::string_view name) {
  command.*operand = Operand::at(region, kRegionBytes - footprint_bytes);
  accepted(command);
  refused(command, operand, Operand::at(region, kRegionBytes - footprint_bytes + unit), kStreamBounds, name);
  refused(command, operand, Operand::at(region, 1ULL << 40), kStreamBounds, name);
}

constexpr std::uint32_t kAll = 0xFFFF'FFFFU;

TEST(VerifierOfActivationCommands, RefusesBadFieldsOfCurve) {
  const Curve good = good_curve();
  accepted(good);
  refused(good, &Curve::kind, 0, kStreamField, "kind");
  refused(good, &Curve::kind, 3, kStreamField, "kind");
  refused(good, &Curve::shift, 32, kStreamField, "shift");
  refused(good, &Curve::multiplier, -1, kStreamField, "multiplier");
  for (unsigned i = 0; i < 4; ++i) refused(good, [i](Curve& c) { c.extent[i] = 0; }, kStreamField, fmt::format("extent[{}]", i));
  refused(good, &Curve::input, Operand::at(kSram, 1), kStreamAlignment, "input");
  refused(good, &Curve::table, Operand::at(kTables, 1), kStreamAlignment, "table");
  refused(good, &Curve::output, Operand::at(kSram, 2049), kStreamAlignment, "output");
  refused(good, [](Curve& c) { c.input_stride[2] = 17; }, kStreamAlignment, "input_stride[2]");
  refused(good, [](Curve& c) { c.output_stride[2] = 17; }, kStreamAlignment, "output_stride[2]");
  refused(good, &Curve::table, Operand::at(kConstants, 0), kStreamMemoryKind, "table");
  refused(good, &Curve::table, Operand::at(kSram, 2048 - 510), kStreamOverlap, "overlaps table");
  refused(good, [](Curve& c) { c.output_stride[2] = 14; }, kStreamOverlap, "more than once");
  Curve in_place = good;
  in_place.output = in_place.input;
  accepted(in_place);
  refused(in_place, &Curve::output, Operand::at(kSram, 2), kStreamOverlap, "overlaps input");
  ends_with_region(good, &Curve::input, 64, kSram, 2, "input");
  ends_with_region(good, &Curve::table, 512, kTables, 2, "table");
  ends_with_region(good, &Curve::output, 64, kSram, 2, "output");
}

TEST(VerifierOfActivationCommands, RefusesBadFieldsOfPack) {
  const Pack good = good_pack();
  accepted(good);
  refused(good, &Pack::input_type, ElementType::kI16, kStreamField, "input_type");
  refused(good, &Pack::channels, 0, kStreamField, "channels");
  refused(good, &Pack::depth, 0, kStreamField, "depth");
  refused(good, &Pack::shift, 31, kStreamField, "shift");
  refused(good, &Pack::shift, -32, kStreamField, "shift");
  refused(good, &Pack::multiplier, -1, kStreamField, "multiplier");
  refused(good, &Pack::weight_zero, 128, kStreamField, "weight_zero");
  refused(good, &Pack::weight_zero, -129, kStreamField, "weight_zero");
  refused(good, &Pack::input_zero, 32768, kStreamField, "input_zero");
  refused(good, &Pack::input_zero, -32769, kStreamField, "input_zero");
  refused(good, &Pack::output, Operand::at(kSram, 2048 + 32), kStreamAlignment, "output");
  refused(good, &Pack::output, Operand::at(kResult, 0), kStreamMemoryKind, "output");
  refused(good, &Pack::output, Operand::at(kTables, 0), kStreamRights, "output");
  refused(good, &Pack::output, Operand::at(kSram, 128), kStreamOverlap, "overlaps input");
  ends_with_region(good, &Pack::input, 140, kSram, 1, "input");
  ends_with_region(good, &Pack::output, 2 * (320 + 2 * 64), kSram, 64, "output");
  refused(good, [](Pack& c) { c.channels = 33, c.output = Operand::at(kSram, kRegionBytes - 2 * (320 + 2 * 64)); }, kStreamBounds, "output");
  refused(good, [](Pack& c) { c.depth = 9, c.output = Operand::at(kSram, kRegionBytes - 2 * (320 + 2 * 64)); }, kStreamBounds, "output");
  // 2^28 blocks of more than 2^36 bytes: the object's size wraps in 64 bits.
  refused(good, [](Pack& c) { c.channels = c.depth = kAll, c.channel_stride = c.depth_stride = 0; }, kStreamBounds, "output");
}

TEST(VerifierOfActivationCommands, RefusesBadFieldsOfResize) {
  const Resize good = good_resize();
  accepted(good);
  refused(good, &Resize::type, ElementType::kU8, kStreamField, "type");
  refused(good, &Resize::in_rows, 0, kStreamField, "in_rows");
  refused(good, &Resize::in_cols, 0, kStreamField, "in_cols");
  refused(good, &Resize::out_rows, 0, kStreamField, "out_rows");
  refused(good, &Resize::out_cols, 0, kStreamField, "out_cols");
  refused(good, &Resize::channels, 0, kStreamField, "channels");
  Resize wide = good;
  wide.type = ElementType::kI16;
  wide.input_pixel_stride = wide.output_pixel_stride = 10;
  wide.input_row_stride = 40;
  wide.output_row_stride = 80;
  accepted(wide);
  refused(wide, &Resize::input, Operand::at(kSram, 1), kStreamAlignment, "input");
  refused(wide, &Resize::output, Operand::at(kSram, 2049), kStreamAlignment, "output");
  refused(wide, &Resize::input_row_stride, 41, kStreamAlignment, "input_row_stride");
  refused(wide, &Resize::input_pixel_stride, 11, kStreamAlignment, "input_pixel_stride");
  refused(wide, &Resize::output_row_stride, 81, kStreamAlignment, "output_row_stride");
  refused(wide, &Resize::output_pixel_stride, 11, kStreamAlignment, "output_pixel_stride");
  refused(good, &Resize::output, Operand::at(kSram, 59), kStreamOverlap, "overlaps input");
  refused(good, &Resize::output_pixel_stride, 4, kStreamOverlap, "more than once");
  ends_with_region(good, &Resize::input, 3 * 4 * 5, kSram, 1, "input");
  ends_with_region(good, &Resize::output, 6 * 8 * 5, kSram, 1, "output");
  refused(good, &Resize::in_rows, kAll, kStreamBounds, "input");
  refused(good, [](Resize& c) { c.out_rows = kAll, c.output_row_stride = kAll; }, kStreamBounds, "output");
  // Hostile scales and offsets are harmless: positions are clamped to the declared input.
  Resize hostile = good;
  hostile.row_scale = hostile.row_offset = std::numeric_limits<std::int32_t>::min();
  hostile.col_scale = hostile.col_offset = std::numeric_limits<std::int32_t>::max();
  accepted(hostile);
}

TEST(VerifierOfActivationCommands, RefusesBadFieldsOfDepthwiseWithWideWeights) {
  const Depthwise good = good_depthwise_of_wide_weights();
  accepted(good);
  Depthwise narrow_input = good_depthwise();
  narrow_input.weight_format = WeightFormat::kDepthwiseI16;
  accepted(narrow_input);
  refused(narrow_input, &Depthwise::input_type, ElementType::kU8, kStreamField, "input_type");
  refused(good, &Depthwise::weight_format, WeightFormat::kDepthwiseI8, kStreamField, "output_type");
  refused(narrow_input, &Depthwise::weight_format, 4, kStreamField, "weight_format");
  refused(good, &Depthwise::weight_zero, 128, kStreamField, "weight_zero");
  refused(good_conv(), &Conv::weight_format, WeightFormat::kDepthwiseI16, kStreamField, "weight_format");
  ends_with_region(good, &Depthwise::weights, 2 * (320 + 9 * 32 + 32), kTables, 64, "weights");
  ends_with_region(good, &Depthwise::input, 5 * 5 * 48, kSram, 2, "input");
}

}  // namespace
}  // namespace naru::test
