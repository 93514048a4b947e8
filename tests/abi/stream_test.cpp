// Goal: the stream codec round-trips every command and refuses every kind of bad framing by name.
#include <gtest/gtest.h>

#include "naru/abi/stream.h"

namespace naru::abi {
namespace {

Stream one_of_each() {
  Stream stream;
  stream.regions = {{.memory = MemoryKind::kSram, .rights = Rights::kReadWrite, .reserved = {}, .bytes = 4096}};
  stream.commands = {{Engine::kDma0, 1, Dma{}},       {Engine::kVector, 2, Fill{}},    {Engine::kVector, 3, Move{}},   {Engine::kMac, 4, Conv{}},
                     {Engine::kMac, 5, Depthwise{}},  {Engine::kVector, 6, Elementwise{}}, {Engine::kVector, 7, Requantize{}}, {Engine::kVector, 8, Table{}},
                     {Engine::kVector, 9, Pool{}},    {Engine::kVector, 10, Reduce{}}, {Engine::kVector, 11, Softmax{}}, {Engine::kVector, 12, Curve{}},  {Engine::kVector, 13, Pack{}},    {Engine::kVector, 14, Resize{}},
                     {Engine::kMac, 0, Wait{.on = Engine::kDma0, .reserved = {}, .count = 1}},
                     {Engine::kMac, 0, Mark{.id = 9, .reserved = {}}}, {Engine::kNone, 0, End{}}};
  return stream;
}

TEST(Stream, RoundTripsEveryCommand) {
  const Stream stream = one_of_each();
  Stream back;
  EXPECT_EQ(decode_stream(encode_stream(stream), back).fault, StreamFault::kNone);
  EXPECT_EQ(back.commands, stream.commands);
  EXPECT_EQ(back.regions, stream.regions);
}

TEST(Stream, NamesEveryFramingFault) {
  const std::vector<std::byte> good = encode_stream(one_of_each());
  Stream stream;
  const auto fault_with = [&](std::size_t at, unsigned value) {
    std::vector<std::byte> bad = good;
    bad[at] = static_cast<std::byte>(value);
    return decode_stream(bad, stream).fault;
  };
  EXPECT_EQ(fault_with(0, 0), StreamFault::kMagic);
  EXPECT_EQ(fault_with(4, 99), StreamFault::kVersion);
  EXPECT_EQ(fault_with(6, 99), StreamFault::kGeneration);
  EXPECT_EQ(fault_with(12, 17), StreamFault::kRegionCount);
  EXPECT_EQ(fault_with(12, 16), StreamFault::kReserved);
  EXPECT_EQ(fault_with(26, 1), StreamFault::kReserved);
  EXPECT_EQ(fault_with(40, 0x77), StreamFault::kOpcode);
  EXPECT_EQ(fault_with(42, 1), StreamFault::kSize);
  EXPECT_EQ(fault_with(8, 16), StreamFault::kEndMissing);
  EXPECT_EQ(decode_stream(std::span(good).first(good.size() - 8), stream).fault, StreamFault::kTruncated);
  EXPECT_EQ(decode_stream(std::span(good).first(10), stream).fault, StreamFault::kTruncated);
}

TEST(Stream, RefusesCommandsAfterTheEnd) {
  Stream stream = one_of_each();
  stream.commands.push_back({Engine::kNone, 0, End{}});
  Stream back;
  EXPECT_EQ(decode_stream(encode_stream(stream), back).fault, StreamFault::kEndEarly);
}

TEST(Stream, DisassemblesEveryFieldByName) {
  const std::string text = disassemble(one_of_each());
  for (const char* word : {"region r0 sram rw 4096 bytes", "conv", "out_channels=1", "depthwise", "softmax", "wait", "on=dma0 count=1", "end"})
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

}  // namespace
}  // namespace naru::abi
