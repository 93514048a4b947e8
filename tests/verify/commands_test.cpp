// Goal: every check of a command by itself is killed by at least one stream that only this check refuses.
// Method: one acceptable command of every kind, with one field changed at a time; the error's id and the field's name are asked for.

#include <fmt/format.h>

#include "stream_support.h"

namespace naru::test {
namespace {

using enum ErrorId;

/// The command with one change, alone in a stream, is refused with this id and a message that holds the text.
template <typename T, typename Change>
void refused(T command, Change change, ErrorId id, std::string_view text) {
  SCOPED_TRACE(testing::Message() << T::kName << " " << text);
  change(command);
  expect_refused(single(command), id, text);
}
template <typename T, typename V, typename W>
void refused(T command, V T::*field, W value, ErrorId id, std::string_view text) {
  refused(command, [&](T& c) { c.*field = static_cast<V>(value); }, id, text);
}

constexpr auto kFar = 1ULL << 40;
constexpr ElementType kNoType = static_cast<ElementType>(77);

TEST(VerifierOfOneCommand, AcceptsOneOfEveryKind) {
  expect_accepted(single(good_dma()));
  expect_accepted(single(good_fill()));
  expect_accepted(stream_of({{Engine::kDma0, 0, good_fill()}}));
  expect_accepted(single(good_move()));
  expect_accepted(single(good_conv()));
  expect_accepted(single(good_conv_with_partial()));
  expect_accepted(single(good_depthwise()));
  expect_accepted(single(good_elementwise()));
  expect_accepted(single(good_requantize()));
  expect_accepted(single(good_table()));
  expect_accepted(single(good_pool()));
  expect_accepted(single(good_reduce()));
  expect_accepted(single(good_softmax()));
  expect_accepted(single(good_curve()));
  expect_accepted(single(good_pack()));
  expect_accepted(single(good_resize()));
  expect_accepted(single(good_depthwise_of_wide_weights()));
  expect_accepted(stream_of({{Engine::kMac, 0, Mark{}}}));
  expect_accepted(stream_of({}));
}

TEST(VerifierOfOneCommand, NamesCommandFieldAndValuesInItsErrors) {
  Conv conv = good_conv();
  conv.out_rows = 0;
  const auto report = verify::verify_stream(stream_of({{Engine::kVector, 0, good_move()}, {Engine::kMac, 0, conv}}), tiny_chip());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message(), "Command 1 (conv on mac): out_rows is 0; it must be at least 1");
  ASSERT_EQ(report.error().values().size(), 3U);
  EXPECT_EQ(report.error().values()[0].value, "1");
  EXPECT_EQ(report.error().values()[2].value, "out_rows");
  EXPECT_FALSE(report.error().remedy().empty());
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfDma) {
  refused(good_dma(), &Dma::row_bytes, 0, kStreamField, "row_bytes");
  for (unsigned i = 0; i < 3; ++i) refused(good_dma(), [i](Dma& c) { c.count[i] = 0; }, kStreamField, fmt::format("count[{}]", i));
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfFill) {
  refused(good_fill(), &Fill::type, kNoType, kStreamField, "type");
  refused(good_fill(), &Fill::type, ElementType::kI64, kStreamField, "type");
  refused(good_fill(), &Fill::value, 32768, kStreamField, "value");
  refused(good_fill(), &Fill::value, -32769, kStreamField, "value");
  refused(good_fill(), &Fill::row_bytes, 0, kStreamField, "row_bytes");
  refused(good_fill(), &Fill::row_bytes, 31, kStreamAlignment, "row_bytes");
  refused(good_fill(), &Fill::target, Operand::at(kSram, 65), kStreamAlignment, "target");
  refused(good_fill(), [](Fill& c) { c.target_stride[1] = 257; }, kStreamAlignment, "target_stride[1]");
  for (unsigned i = 0; i < 3; ++i) refused(good_fill(), [i](Fill& c) { c.count[i] = 0; }, kStreamField, fmt::format("count[{}]", i));
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfMove) {
  refused(good_move(), &Move::type, ElementType::kNone, kStreamField, "type");
  refused(good_move(), &Move::type, kNoType, kStreamField, "type");
  refused(good_move(), &Move::input, Operand::at(kSram, 2), kStreamAlignment, "input");
  refused(good_move(), &Move::output, Operand::at(kSram, 4098), kStreamAlignment, "output");
  for (unsigned i = 0; i < 4; ++i) {
    refused(good_move(), [i](Move& c) { c.extent[i] = 0; }, kStreamField, fmt::format("extent[{}]", i));
    refused(good_move(), [i](Move& c) { c.input_stride[i] += 2; }, kStreamAlignment, fmt::format("input_stride[{}]", i));
    refused(good_move(), [i](Move& c) { c.output_stride[i] += 1; }, kStreamAlignment, fmt::format("output_stride[{}]", i));
  }
}

template <typename T>
void refuses_bad_windows(const T& good) {
  refused(good, &T::input_type, ElementType::kI32, kStreamField, "input_type");
  refused(good, &T::input_type, kNoType, kStreamField, "input_type");
  refused(good, &T::output_type, ElementType::kF32, kStreamField, "output_type");
  refused(good, &T::weight_format, 0, kStreamField, "weight_format");
  refused(good, &T::weight_format, 4, kStreamField, "weight_format");
  refused(good, &T::out_rows, 0, kStreamField, "out_rows");
  refused(good, &T::out_cols, 0, kStreamField, "out_cols");
  refused(good, &T::kernel_rows, 0, kStreamField, "kernel_rows");
  refused(good, &T::kernel_cols, 0, kStreamField, "kernel_cols");
  refused(good, &T::stride_rows, 0, kStreamField, "stride_rows");
  refused(good, &T::stride_cols, 0, kStreamField, "stride_cols");
  refused(good, &T::dilation_rows, 0, kStreamField, "dilation_rows");
  refused(good, &T::dilation_cols, 0, kStreamField, "dilation_cols");
  refused(good, &T::weight_zero, 128, kStreamField, "weight_zero");
  refused(good, &T::weight_zero, -129, kStreamField, "weight_zero");
  refused(good, &T::output_zero, 128, kStreamField, "output_zero");
  refused(good, &T::output_zero, -129, kStreamField, "output_zero");
  refused(good, &T::activation_min, -129, kStreamField, "activation_min");
  refused(good, &T::activation_max, 128, kStreamField, "activation_max");
  refused(good, [](T& c) { c.activation_min = 5, c.activation_max = 4; }, kStreamField, "activation_min");
  refused(good, &T::weights, Operand::at(kTables, 32), kStreamAlignment, "weights");
  refused(good, [](T& c) { c.input_type = ElementType::kI16, c.output_type = ElementType::kI32; }, kStreamField, "64-bit accumulators");
  const auto accumulators = [](T& c) {
    c.output_type = ElementType::kI32;
    c.output_zero = c.activation_min = c.activation_max = 0;
    c.output_row_stride *= 4;
    c.output_pixel_stride *= 4;
  };
  T raw = good;
  accumulators(raw);
  expect_accepted(single(raw));
  refused(raw, &T::output_zero, 1, kStreamReserved, "output_zero");
  refused(raw, &T::activation_min, -1, kStreamReserved, "activation_min");
  refused(raw, &T::activation_max, 1, kStreamReserved, "activation_max");
  refused(raw, [](T& c) { c.output = Operand::at(kSram, 8194); }, kStreamAlignment, "output");
  refused(raw, [](T& c) { c.output_row_stride += 2; }, kStreamAlignment, "output_row_stride");
  refused(raw, [](T& c) { c.output_pixel_stride += 2; }, kStreamAlignment, "output_pixel_stride");
  T wide = good;
  wide.input_type = ElementType::kI16;
  wide.input_row_stride *= 2;
  wide.input_pixel_stride *= 2;
  expect_accepted(single(wide));
  refused(wide, &T::input, Operand::at(kSram, 1), kStreamAlignment, "input");
  refused(wide, [](T& c) { c.input_row_stride += 1; }, kStreamAlignment, "input_row_stride");
  refused(wide, [](T& c) { c.input_pixel_stride += 1; }, kStreamAlignment, "input_pixel_stride");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfConv) {
  refuses_bad_windows(good_conv());
  refused(good_conv(), &Conv::start, 2, kStreamField, "start");
  refused(good_conv(), &Conv::out_channels, 0, kStreamField, "out_channels");
  refused(good_conv(), &Conv::in_channels, 0, kStreamField, "in_channels");
  refused(good_conv(), &Conv::partial, Operand::at(kSram, 0), kStreamReserved, "partial");
  refused(good_conv(), &Conv::partial_row_stride, 4, kStreamReserved, "partial_row_stride");
  refused(good_conv(), &Conv::partial_pixel_stride, 4, kStreamReserved, "partial_pixel_stride");
  refused(good_conv_with_partial(), &Conv::partial, Operand::at(kSram, 16386), kStreamAlignment, "partial");
  refused(good_conv_with_partial(), [](Conv& c) { c.partial_row_stride += 2; }, kStreamAlignment, "partial_row_stride");
  refused(good_conv_with_partial(), [](Conv& c) { c.partial_pixel_stride += 2; }, kStreamAlignment, "partial_pixel_stride");
  refused(good_conv_with_partial(), [](Conv& c) { c.input_type = c.output_type = ElementType::kI16, c.input_row_stride = 60, c.input_pixel_stride = 10; }, kStreamField,
          "partial sums");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfDepthwise) {
  refuses_bad_windows(good_depthwise());
  refused(good_depthwise(), &Depthwise::channels, 0, kStreamField, "channels");
  refused(good_depthwise(), &Depthwise::channel_multiplier, 0, kStreamField, "channel_multiplier");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfElementwise) {
  const Elementwise good = good_elementwise();
  refused(good, &Elementwise::op, 0, kStreamField, "op");
  refused(good, &Elementwise::op, 7, kStreamField, "op");
  refused(good, &Elementwise::type, ElementType::kI32, kStreamField, "type");
  refused(good, &Elementwise::left_shift, 21, kStreamField, "left_shift");
  for (int shift : {-32, 31}) {
    refused(good, &Elementwise::a_shift, shift, kStreamField, "a_shift");
    refused(good, &Elementwise::b_shift, shift, kStreamField, "b_shift");
    refused(good, &Elementwise::output_shift, shift, kStreamField, "output_shift");
  }
  refused(good, &Elementwise::a_multiplier, -1, kStreamField, "a_multiplier");
  refused(good, &Elementwise::b_multiplier, -1, kStreamField, "b_multiplier");
  refused(good, &Elementwise::output_multiplier, -1, kStreamField, "output_multiplier");
  refused(good, &Elementwise::a_zero, 128, kStreamField, "a_zero");
  refused(good, &Elementwise::b_zero, -129, kStreamField, "b_zero");
  refused(good, &Elementwise::output_zero, 128, kStreamField, "output_zero");
  refused(good, &Elementwise::activation_min, -129, kStreamField, "activation_min");
  refused(good, &Elementwise::activation_max, 128, kStreamField, "activation_max");
  refused(good, [](Elementwise& c) { c.activation_min = 1, c.activation_max = 0; }, kStreamField, "activation_min");
  for (unsigned i = 0; i < 4; ++i) refused(good, [i](Elementwise& c) { c.extent[i] = 0; }, kStreamField, fmt::format("extent[{}]", i));
  Elementwise product = good;
  product.op = ElementwiseOp::kMul;
  product.left_shift = 0;
  product.a_multiplier = product.b_multiplier = 0;
  expect_accepted(single(product));
  refused(product, &Elementwise::left_shift, 1, kStreamReserved, "left_shift");
  refused(product, &Elementwise::a_shift, 1, kStreamReserved, "a_shift");
  refused(product, &Elementwise::b_shift, 1, kStreamReserved, "b_shift");
  refused(product, &Elementwise::a_multiplier, 1, kStreamReserved, "a_multiplier");
  refused(product, &Elementwise::b_multiplier, 1, kStreamReserved, "b_multiplier");
  Elementwise lower = product;
  lower.op = ElementwiseOp::kMinimum;
  lower.output_multiplier = 0;
  expect_accepted(single(lower));
  refused(lower, &Elementwise::output_multiplier, 1, kStreamReserved, "output_multiplier");
  refused(lower, &Elementwise::output_shift, 1, kStreamReserved, "output_shift");
  refused(lower, &Elementwise::a_zero, 1, kStreamReserved, "a_zero");
  refused(lower, &Elementwise::b_zero, 1, kStreamReserved, "b_zero");
  refused(lower, &Elementwise::output_zero, 1, kStreamReserved, "output_zero");
  Elementwise wide = good;
  wide.type = ElementType::kI16;
  wide.left_shift = 15;
  wide.a_stride = wide.output_stride = {0, 48, 16, 2};
  wide.b_stride = {0, 0, 0, 2};
  expect_accepted(single(wide));
  refused(wide, &Elementwise::a, Operand::at(kSram, 1), kStreamAlignment, "a");
  refused(wide, &Elementwise::b, Operand::at(kSram, 1025), kStreamAlignment, "b");
  refused(wide, &Elementwise::output, Operand::at(kSram, 2049), kStreamAlignment, "output");
  refused(wide, [](Elementwise& c) { c.a_stride[2] = 17; }, kStreamAlignment, "a_stride[2]");
  refused(wide, [](Elementwise& c) { c.b_stride[1] = 1; }, kStreamAlignment, "b_stride[1]");
  refused(wide, [](Elementwise& c) { c.output_stride[1] = 49; }, kStreamAlignment, "output_stride[1]");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfRequantize) {
  const Requantize good = good_requantize();
  refused(good, &Requantize::input_type, ElementType::kF32, kStreamField, "input_type");
  refused(good, &Requantize::output_type, ElementType::kI32, kStreamField, "output_type");
  refused(good, &Requantize::shift, 31, kStreamField, "shift");
  refused(good, &Requantize::shift, -32, kStreamField, "shift");
  refused(good, &Requantize::multiplier, -1, kStreamField, "multiplier");
  refused(good, [](Requantize& c) { c.input_type = ElementType::kU8, c.input_zero = -1; }, kStreamField, "input_zero");
  refused(good, &Requantize::output_zero, 200, kStreamField, "output_zero");
  refused(good, &Requantize::activation_min, -200, kStreamField, "activation_min");
  refused(good, &Requantize::activation_max, 200, kStreamField, "activation_max");
  refused(good, [](Requantize& c) { c.extent[3] = 0; }, kStreamField, "extent[3]");
  refused(good, &Requantize::input, Operand::at(kSram, 2), kStreamAlignment, "input");
  refused(good, [](Requantize& c) { c.input_stride[2] = 34; }, kStreamAlignment, "input_stride[2]");
  Requantize wide = good;
  wide.output_type = ElementType::kI16;
  wide.output_stride = {0, 0, 16, 2};
  expect_accepted(single(wide));
  refused(wide, &Requantize::output, Operand::at(kSram, 2049), kStreamAlignment, "output");
  refused(wide, [](Requantize& c) { c.output_stride[2] = 17; }, kStreamAlignment, "output_stride[2]");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfTable) {
  refused(good_table(), &Table::type, ElementType::kI16, kStreamField, "type");
  refused(good_table(), [](Table& c) { c.extent[2] = 0; }, kStreamField, "extent[2]");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfPool) {
  const Pool good = good_pool();
  refused(good, &Pool::kind, 0, kStreamField, "kind");
  refused(good, &Pool::kind, 3, kStreamField, "kind");
  refused(good, &Pool::type, ElementType::kI32, kStreamField, "type");
  for (auto field : {&Pool::in_rows, &Pool::in_cols, &Pool::out_rows, &Pool::out_cols, &Pool::channels}) refused(good, field, 0, kStreamField, "is 0; it must");
  for (auto field : {&Pool::kernel_rows, &Pool::kernel_cols, &Pool::stride_rows, &Pool::stride_cols}) refused(good, field, 0, kStreamField, "is 0; it must");
  refused(good, &Pool::pad_top, 3, kStreamField, "pad_top");
  refused(good, &Pool::pad_left, 3, kStreamField, "pad_left");
  refused(good, &Pool::out_rows, 4, kStreamField, "pad_top");
  refused(good, &Pool::out_cols, 4, kStreamField, "pad_left");
  refused(good, &Pool::activation_min, -129, kStreamField, "activation_min");
  refused(good, &Pool::activation_max, 128, kStreamField, "activation_max");
  refused(good, [](Pool& c) { c.activation_min = 1, c.activation_max = 0; }, kStreamField, "activation_min");
  Pool wide = good;
  wide.type = ElementType::kI16;
  for (auto field : {&Pool::input_row_stride, &Pool::input_pixel_stride, &Pool::output_row_stride, &Pool::output_pixel_stride}) wide.*field *= 2;
  expect_accepted(single(wide));
  refused(wide, &Pool::input, Operand::at(kSram, 1), kStreamAlignment, "input");
  refused(wide, &Pool::output, Operand::at(kSram, 2049), kStreamAlignment, "output");
  refused(wide, &Pool::input_row_stride, 81, kStreamAlignment, "input_row_stride");
  refused(wide, &Pool::input_pixel_stride, 17, kStreamAlignment, "input_pixel_stride");
  refused(wide, &Pool::output_row_stride, 49, kStreamAlignment, "output_row_stride");
  refused(wide, &Pool::output_pixel_stride, 17, kStreamAlignment, "output_pixel_stride");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfReduce) {
  const Reduce good = good_reduce();
  refused(good, &Reduce::kind, 0, kStreamField, "kind");
  refused(good, &Reduce::kind, 4, kStreamField, "kind");
  refused(good, &Reduce::input_type, ElementType::kI32, kStreamField, "input_type");
  refused(good, &Reduce::output_type, ElementType::kU8, kStreamField, "output_type");
  refused(good, &Reduce::input_zero, 128, kStreamField, "input_zero");
  refused(good, &Reduce::shift, 31, kStreamField, "shift");
  refused(good, &Reduce::multiplier, -1, kStreamField, "multiplier");
  refused(good, &Reduce::output_zero, 128, kStreamField, "output_zero");
  refused(good, &Reduce::activation_min, -129, kStreamField, "activation_min");
  refused(good, &Reduce::activation_max, 128, kStreamField, "activation_max");
  refused(good, &Reduce::reduced_dimensions, 16, kStreamField, "reduced_dimensions");
  refused(good, [](Reduce& c) { c.output_stride[1] = 8; }, kStreamField, "output_stride[1]");
  refused(good, [](Reduce& c) { c.extent[0] = 0; }, kStreamField, "extent[0]");
  Reduce raw = good;
  raw.output_type = ElementType::kI32;
  raw.output_stride[3] = 4;
  raw.shift = 0;
  raw.multiplier = raw.activation_min = raw.activation_max = 0;
  expect_accepted(single(raw));
  refused(raw, &Reduce::shift, -1, kStreamReserved, "shift");
  refused(raw, &Reduce::multiplier, 1, kStreamReserved, "multiplier");
  refused(raw, &Reduce::output_zero, 1, kStreamReserved, "output_zero");
  refused(raw, &Reduce::activation_min, 1, kStreamReserved, "activation_min");
  refused(raw, &Reduce::activation_max, 1, kStreamReserved, "activation_max");
  refused(raw, &Reduce::output, Operand::at(kSram, 2050), kStreamAlignment, "output");
  refused(raw, [](Reduce& c) { c.output_stride[3] = 6; }, kStreamAlignment, "output_stride[3]");
  Reduce highest = raw;
  highest.kind = ReduceKind::kMaximum;
  refused(highest, &Reduce::multiplier, 0, kStreamField, "output_type");
  highest.output_type = ElementType::kI8;
  expect_accepted(single(highest));
  refused(highest, &Reduce::input_zero, 1, kStreamReserved, "input_zero");
  Reduce wide = highest;
  wide.input_type = wide.output_type = ElementType::kI16;
  wide.input_stride = {0, 64, 16, 2};
  expect_accepted(single(wide));
  refused(wide, &Reduce::input, Operand::at(kSram, 1), kStreamAlignment, "input");
  refused(wide, [](Reduce& c) { c.input_stride[1] = 65; }, kStreamAlignment, "input_stride[1]");
}

TEST(VerifierOfOneCommand, RefusesBadFieldsOfSoftmax) {
  const Softmax good = good_softmax();
  refused(good, &Softmax::type, ElementType::kI16, kStreamField, "type");
  refused(good, &Softmax::left_shift, -1, kStreamField, "left_shift");
  refused(good, &Softmax::left_shift, 31, kStreamField, "left_shift");
  refused(good, &Softmax::multiplier, -1, kStreamField, "multiplier");
  refused(good, &Softmax::difference_min, 1, kStreamField, "difference_min");
  refused(good, &Softmax::rows, 0, kStreamField, "rows");
  refused(good, &Softmax::row_elements, 0, kStreamField, "row_elements");
}

TEST(VerifierOfOneCommand, RefusesEnginesThatDoNotExecuteIt) {
  expect_refused(stream_of({{Engine::kVector, 0, good_dma()}}), kStreamEngine, "engine is 1");
  expect_refused(stream_of({{Engine::kMac, 0, good_fill()}}), kStreamEngine);
  expect_refused(stream_of({{Engine::kVector, 0, good_conv()}}), kStreamEngine);
  expect_refused(stream_of({{Engine::kMac, 0, good_pool()}}), kStreamEngine);
  expect_refused(stream_of({{static_cast<Engine>(6), 0, Mark{}}}), kStreamEngine);
  expect_refused(stream_of({{Engine::kNone, 0, Mark{}}}), kStreamEngine);
  Stream stream = empty_stream();
  stream.commands.push_back({Engine::kMac, 0, End{}});
  expect_refused(stream, kStreamEngine, "end");
}

TEST(VerifierOfOneCommand, RefusesDmaEnginesThatTheChipDoesNotHave) {
  const Stream stream = stream_of({{Engine::kDma1, 0, good_dma()}});
  expect_refused(stream, kStreamEngine, "the chip has 1 DMA engines");
  expect_accepted(stream, edge_chip());
  expect_refused(stream_of({{Engine::kDma2, 0, good_dma()}}), kStreamEngine, "", edge_chip());
}

TEST(VerifierOfOneCommand, RefusesRegionsThatAreNotDeclared) {
  // V1: an index just past the table, and one that a mask would fold back into it.
  refused(good_dma(), &Dma::source, Operand::at(5, 0), kStreamRegion, "source is in region 5");
  refused(good_dma(), &Dma::target, Operand::at(16 + kSram, 0), kStreamRegion, "target is in region 18");
  refused(good_conv(), &Conv::weights, Operand::at(0xFFFF, 0), kStreamRegion, "weights");
}

TEST(VerifierOfOneCommand, RefusesEveryOperandInTheWrongMemory) {
  refused(good_fill(), &Fill::target, Operand::at(kResult, 0), kStreamMemoryKind, "target");
  refused(good_move(), &Move::input, Operand::at(kConstants, 0), kStreamMemoryKind, "input");
  refused(good_move(), &Move::output, Operand::at(kResult, 0), kStreamMemoryKind, "output");
  refused(good_conv(), &Conv::weights, Operand::at(kConstants, 0), kStreamMemoryKind, "weights");
  refused(good_conv_with_partial(), &Conv::partial, Operand::at(kConstants, 0), kStreamMemoryKind, "partial");
  refused(good_depthwise(), &Depthwise::input, Operand::at(kConstants, 0), kStreamMemoryKind, "input");
  refused(good_elementwise(), &Elementwise::b, Operand::at(kConstants, 0), kStreamMemoryKind, "b");
  refused(good_table(), &Table::table, Operand::at(kConstants, 0), kStreamMemoryKind, "table");
  refused(good_softmax(), &Softmax::output, Operand::at(kResult, 0), kStreamMemoryKind, "output");
}

TEST(VerifierOfOneCommand, RefusesEveryOperandWithoutRights) {
  refused(good_dma(), &Dma::source, Operand::at(kResult, 0), kStreamRights, "source reads region 1");
  refused(good_dma(), &Dma::target, Operand::at(kConstants, 0), kStreamRights, "target writes region 0");
  refused(good_fill(), &Fill::target, Operand::at(kTables, 0), kStreamRights, "target");
  refused(good_move(), &Move::input, Operand::at(kOutbox, 0), kStreamRights, "input");
  refused(good_conv(), &Conv::input, Operand::at(kOutbox, 0), kStreamRights, "input");
  refused(good_conv(), &Conv::weights, Operand::at(kOutbox, 0), kStreamRights, "weights");
  refused(good_conv(), &Conv::output, Operand::at(kTables, 0), kStreamRights, "output");
  refused(good_conv_with_partial(), &Conv::partial, Operand::at(kOutbox, 0), kStreamRights, "partial");
  refused(good_table(), &Table::table, Operand::at(kOutbox, 0), kStreamRights, "table");
}

/// Puts the operand so that its last byte is the region's last, which is accepted, and one element further, which is not.
template <typename T>
void ends_with_region(T command, Operand T::*operand, std::uint64_t footprint_bytes, unsigned region, std::uint64_t unit, std::string_view name) {
  SCOPED_TRACE(testing::Message() << T::kName << " " << name);
  ASSERT_EQ(kRegionBytes % unit, 0U);
  command.*operand = Operand::at(region, kRegionBytes - footprint_bytes);
  expect_accepted(single(command));
  refused(command, operand, Operand::at(region, kRegionBytes - footprint_bytes + unit), kStreamBounds, name);
  refused(command, operand, Operand::at(region, kFar), kStreamBounds, name);
}

TEST(VerifierOfOneCommand, RefusesTheFirstByteOutsideTheRegionForEveryOperand) {
  ends_with_region(good_dma(), &Dma::source, 1000 + 200 + 60 + 16, kConstants, 1, "source");
  ends_with_region(good_dma(), &Dma::target, 192 + 128 + 48 + 16, kSram, 1, "target");
  ends_with_region(good_fill(), &Fill::target, 256 + 96 + 32, kSram, 2, "target");
  ends_with_region(good_move(), &Move::input, 96, kSram, 4, "input");
  ends_with_region(good_move(), &Move::output, 96, kSram, 4, "output");
  ends_with_region(good_conv(), &Conv::input, 6 * 6 * 5, kSram, 1, "input");
  ends_with_region(good_conv(), &Conv::output, 4 * 4 * 20, kSram, 1, "output");
  ends_with_region(good_conv(), &Conv::weights, 2 * (320 + 9 * 2 * 64), kTables, 64, "weights");
  ends_with_region(good_conv_with_partial(), &Conv::partial, 4 * 4 * 80, kSram, 4, "partial");
  ends_with_region(good_conv_with_partial(), &Conv::output, 4 * 4 * 80, kSram, 4, "output");
  ends_with_region(good_depthwise(), &Depthwise::input, 5 * 5 * 24, kSram, 1, "input");
  ends_with_region(good_depthwise(), &Depthwise::weights, 2 * (320 + 192), kTables, 64, "weights");
  ends_with_region(good_depthwise(), &Depthwise::output, 2 * 2 * 24, kSram, 1, "output");
  ends_with_region(good_elementwise(), &Elementwise::a, 48, kSram, 1, "a");
  ends_with_region(good_elementwise(), &Elementwise::b, 8, kSram, 1, "b");
  ends_with_region(good_elementwise(), &Elementwise::output, 48, kSram, 1, "output");
  ends_with_region(good_requantize(), &Requantize::input, 128, kSram, 4, "input");
  ends_with_region(good_requantize(), &Requantize::output, 32, kSram, 1, "output");
  ends_with_region(good_table(), &Table::input, 32, kSram, 1, "input");
  ends_with_region(good_table(), &Table::table, 256, kTables, 1, "table");
  ends_with_region(good_table(), &Table::output, 32, kSram, 1, "output");
  ends_with_region(good_pool(), &Pool::input, 5 * 5 * 8, kSram, 1, "input");
  ends_with_region(good_pool(), &Pool::output, 3 * 3 * 8, kSram, 1, "output");
  ends_with_region(good_reduce(), &Reduce::input, 128, kSram, 1, "input");
  ends_with_region(good_reduce(), &Reduce::output, 8, kSram, 1, "output");
  ends_with_region(good_softmax(), &Softmax::input, 30, kSram, 1, "input");
  ends_with_region(good_softmax(), &Softmax::output, 30, kSram, 1, "output");
}

TEST(VerifierOfOneCommand, CountsEveryLoopAndElementSizeInBounds) {
  // V7, V8: the last tile, row and element matter, at the element's size.
  const auto grown = [](auto command, auto change, std::string_view name) { refused(command, change, kStreamBounds, name); };
  grown(good_dma(), [](Dma& c) { c.count[0] = 60; }, "source");
  grown(good_dma(), [](Dma& c) { c.source_stride[0] = 40'000; }, "source");
  grown(good_dma(), [](Dma& c) { c.target_stride[0] = 40'000; }, "target");
  grown(good_conv(), [](Conv& c) { c.stride_rows = 400; }, "input");
  grown(good_conv(), [](Conv& c) { c.dilation_rows = 1000; }, "input");
  grown(good_conv(), [](Conv& c) { c.dilation_cols = 7000; }, "input");
  grown(good_conv(), [](Conv& c) { c.stride_cols = 7000; }, "input");
  grown(good_conv(), [](Conv& c) { c.in_channels = 33'000; }, "input");
  grown(good_conv(), [](Conv& c) { c.out_channels = 16 * 22 + 1, c.output = Operand::at(kOutbox, 0); }, "weights");
  grown(good_depthwise(), [](Depthwise& c) { c.channel_multiplier = 1, c.channels = 16 * 70; }, "weights");
  grown(good_elementwise(), [](Elementwise& c) { c.a_stride[1] = 33'000; }, "a");
  grown(good_reduce(), [](Reduce& c) { c.input_stride[1] = 33'000; }, "input");
  grown(good_softmax(), [](Softmax& c) { c.rows = 4000; }, "input");
  grown(good_pool(), [](Pool& c) { c.input_row_stride = 33'000; }, "input");
}

TEST(VerifierOfOneCommand, RefusesExtentsThatWrap) {
  // V2, V3, V15: products that wrap to small numbers in 32 or 64 bits.
  constexpr std::uint32_t kHalf = 0x8000'0000U;
  constexpr std::uint32_t kAll = 0xFFFF'FFFFU;
  refused(good_dma(), [](Dma& c) { c.count = {65536, 65536, 1}, c.source_stride = {65536, 65536, 0}; }, kStreamBounds, "source");
  refused(good_dma(), [](Dma& c) { c.count = {3, 1, 1}, c.source_stride[0] = kHalf; }, kStreamBounds, "source");
  refused(good_dma(), [](Dma& c) { c.count = {kAll, kAll, kAll}, c.source_stride = {0, 0, 0}, c.target_stride = {kAll, kAll, kAll}; }, kStreamBounds, "beyond 64 bits");
  refused(good_dma(), [](Dma& c) { c.target = Operand::at(kSram, (1ULL << 48) - 8); }, kStreamBounds, "target");
  refused(good_conv(), [](Conv& c) { c.in_channels = kAll, c.input_pixel_stride = c.input_row_stride = 0; }, kStreamBounds, "input");
  refused(good_conv(), [](Conv& c) { c.kernel_rows = c.kernel_cols = 65535, c.in_channels = 32'000, c.input_pixel_stride = c.input_row_stride = 0; }, kStreamBounds, "weights");
  refused(good_conv(), [](Conv& c) { c.out_channels = kAll, c.output_pixel_stride = c.output_row_stride = 0; }, kStreamBounds, "weights");
  refused(good_depthwise(), [](Depthwise& c) { c.kernel_rows = c.kernel_cols = 65535, c.input_pixel_stride = c.input_row_stride = 0; }, kStreamBounds, "weights");
  refused(good_depthwise(), [](Depthwise& c) { c.channels = c.channel_multiplier = kAll; }, kStreamBounds, "weights");
  refused(good_pool(), [](Pool& c) { c.in_rows = c.out_rows = kAll, c.pad_top = 0, c.stride_rows = 1, c.kernel_rows = 1; }, kStreamBounds, "input");
  refused(good_softmax(), [](Softmax& c) { c.rows = kAll, c.input_row_stride = kAll; }, kStreamBounds, "input");
}

TEST(VerifierOfOneCommand, RefusesEndlessReadsOfFewBytes) {
  // Steps of zero make the extent of the read small whatever the counts are.
  refused(good_reduce(), [](Reduce& c) { c.reduced_dimensions = 7, c.extent = {0xFFFF'FFFF, 0xFFFF'FFFF, 0xFFFF'FFFF, 8}, c.input_stride = {0, 0, 0, 1}; }, kStreamBudget, "extents");
  refused(good_reduce(), [](Reduce& c) { c.reduced_dimensions = 7, c.extent = {65536, 65536, 1, 8}, c.input_stride = {0, 0, 0, 1}; }, kStreamBudget, "cycles");
}

TEST(VerifierOfOneCommand, RefusesOutputsThatOverlapInputs) {
  refused(good_move(), [](Move& c) { c.output = Operand::at(kSram, 92); }, kStreamOverlap, "output (bytes 92 to 188) overlaps input");
  refused(good_move(), [](Move& c) { c.output_stride = c.input_stride, c.output = c.input; }, kStreamOverlap, "overlaps input");
  refused(good_dma(), [](Dma& c) { c.source = Operand::at(kSram, 300); }, kStreamOverlap, "overlaps source");
  refused(good_conv(), [](Conv& c) { c.output = Operand::at(kSram, 179); }, kStreamOverlap, "overlaps input");
  refused(good_conv(), [](Conv& c) { c.weights = Operand::at(kSram, 8192 + 256); }, kStreamOverlap, "overlaps weights");
  refused(good_conv_with_partial(), [](Conv& c) { c.partial = c.output; }, kStreamOverlap, "overlaps partial");
  refused(good_depthwise(), [](Depthwise& c) { c.output = Operand::at(kSram, 599); }, kStreamOverlap, "overlaps input");
  refused(good_pool(), [](Pool& c) { c.output = c.input; }, kStreamOverlap, "overlaps input");
  refused(good_reduce(), [](Reduce& c) { c.output = c.input; }, kStreamOverlap, "overlaps input");
  refused(good_table(), [](Table& c) { c.table = Operand::at(kSram, 2048 - 255); }, kStreamOverlap, "overlaps table");
}

TEST(VerifierOfOneCommand, AcceptsOutputsExactlyOverAnInputOnlyWhereTheInstructionSetAllowsIt) {
  Elementwise sum = good_elementwise();
  sum.output = sum.a;
  expect_accepted(single(sum));
  refused(sum, [](Elementwise& c) { c.output = Operand::at(kSram, 1); }, kStreamOverlap, "overlaps a");
  refused(sum, [](Elementwise& c) { c.output_stride = {0, 8, 16, 1}; }, kStreamOverlap, "overlaps a");
  refused(sum, [](Elementwise& c) { c.b = Operand::at(kSram, 4); }, kStreamOverlap, "overlaps b");
  refused(sum, [](Elementwise& c) { c.output = Operand::at(kSram, 1024), c.a = Operand::at(kSram, 0); }, kStreamOverlap, "overlaps b");
  Requantize same = good_requantize();
  same.input_type = ElementType::kU8;
  same.input_stride = same.output_stride;
  same.output = same.input;
  expect_accepted(single(same));
  refused(good_requantize(), [](Requantize& c) { c.output = c.input; }, kStreamOverlap, "overlaps input");
  Table table = good_table();
  table.output = table.input;
  expect_accepted(single(table));
  Softmax softmax = good_softmax();
  softmax.output = softmax.input;
  expect_accepted(single(softmax));
  refused(softmax, [](Softmax& c) { c.output_row_stride = 11; }, kStreamOverlap, "overlaps input");
}

TEST(VerifierOfOneCommand, RefusesOutputsThatWriteAByteTwice) {
  refused(good_dma(), [](Dma& c) { c.target_stride[2] = 15; }, kStreamOverlap, "more than once");
  refused(good_dma(), [](Dma& c) { c.target_stride[0] = 0; }, kStreamOverlap, "more than once");
  refused(good_fill(), [](Fill& c) { c.target_stride[1] = 64; }, kStreamOverlap, "more than once");
  refused(good_move(), [](Move& c) { c.output_stride[3] = 0; }, kStreamOverlap, "more than once");
  refused(good_conv(), [](Conv& c) { c.output_pixel_stride = 19; }, kStreamOverlap, "more than once");
  refused(good_conv(), [](Conv& c) { c.output_row_stride = 79; }, kStreamOverlap, "more than once");
  refused(good_elementwise(), [](Elementwise& c) { c.output_stride[2] = 7; }, kStreamOverlap, "more than once");
  refused(good_reduce(), [](Reduce& c) { c.output_stride[3] = 0; }, kStreamOverlap, "more than once");
  refused(good_softmax(), [](Softmax& c) { c.output_row_stride = 9; }, kStreamOverlap, "more than once");
}

TEST(VerifierOfOneCommand, AcceptsWhatCompilersWrite) {
  // Channel slices of a concatenation, in place beside each other; a column tile; a transposing store; a broadcast on both sides.
  Conv slice = good_conv();
  slice.output_pixel_stride = 64;
  slice.output_row_stride = 256;
  slice.output = Operand::at(kSram, 8192 + 44);
  expect_accepted(single(slice));
  Move interleaved = good_move();  // reads one channel slice of a tensor and writes its neighbour
  interleaved.extent = {1, 4, 4, 4};
  interleaved.input_stride = {0, 128, 32, 4};
  interleaved.output_stride = interleaved.input_stride;
  interleaved.output = Operand::at(kSram, 16);
  expect_accepted(single(interleaved));
  interleaved.output = Operand::at(kSram, 12);
  expect_refused(single(interleaved), kStreamOverlap, "overlaps input");
  Elementwise broadcast = good_elementwise();
  broadcast.b_stride = {0, 0, 0, 0};
  expect_accepted(single(broadcast));
  Pool last_rows_skipped = good_pool();
  last_rows_skipped.in_rows = 1000;  // declared, but no window reaches them
  expect_accepted(single(last_rows_skipped));
}

TEST(VerifierOfOneCommand, ReportsWhatAStreamDoes) {
  const auto accepted = verify::verify_stream(stream_of({{Engine::kDma0, 0, good_dma()}, {Engine::kMac, 0, good_conv()}, {Engine::kMac, 0, Mark{}}}), tiny_chip());
  ASSERT_TRUE(accepted) << accepted.error().to_string(true);
  EXPECT_EQ(accepted->commands_by_engine, (std::array<std::uint32_t, kEnginesMax>{1, 0, 1, 0, 0, 0}));
  EXPECT_EQ(accepted->macs, 4U * 4 * 20 * 9 * 5);
  EXPECT_EQ(accepted->regions[kConstants].bytes_read, 2U * 3 * 4 * 16);
  EXPECT_EQ(accepted->regions[kConstants].extent, 128U + 1000 + 200 + 60 + 16);
  EXPECT_EQ(accepted->regions[kSram].bytes_written, 2U * 3 * 4 * 16 + 4 * 4 * 20);
  EXPECT_EQ(accepted->sram_bytes, 3 * kRegionBytes);
  EXPECT_EQ(accepted->dram_bytes, 2 * kRegionBytes);
  // dma: 16 start, 60 latency, 24 rows of 32 bytes at 2 bytes a cycle. conv: 16 + ceil(20 / 16) * ceil(9 * 8 / 8) * 16.
  EXPECT_EQ(accepted->cycles_worst, 16U + 60 + 24 * 32 / 2 + 16 + 2 * 9 * 16);
}

TEST(VerifierOfOneCommand, RefusesStreamsThatMayTakeLongerThanAJob) {
  Chip chip = tiny_chip();
  chip.job_cycles_max = 16 + 2 * 9 * 16;
  expect_accepted(single(good_conv()), chip);
  --chip.job_cycles_max;
  expect_refused(single(good_conv()), kStreamBudget, "may take 304 cycles; a job may take 303", chip);
  expect_refused(verify::verify_stream(single(good_conv()), tiny_chip(), {.cycles_max = 303}), kStreamBudget);
}

}  // namespace
}  // namespace naru::test
