// Goal: whatever is wrong with a stream before its commands are looked at has its own refusal.
// Method: one good encoded stream, broken byte by byte; one good declaration table, broken field by field.

#include "naru/base/bytes.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using enum ErrorId;

constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kDeclarationBytes = 16;
constexpr std::size_t kFirstCommand = kHeaderBytes + 5 * kDeclarationBytes;

std::vector<std::byte> encoded() { return encode_stream(stream_of({{Engine::kVector, 7, good_move()}, {Engine::kDma0, 7, good_dma()}})); }

void expect_refused_bytes(const std::vector<std::byte>& bytes, ErrorId id, std::string_view text) {
  expect_refused(verify::verify_stream(std::span(bytes), tiny_chip()), id, text);
}
template <typename T>
void expect_refused_with(std::size_t offset, T value, ErrorId id, std::string_view text) {
  std::vector<std::byte> bytes = encoded();
  store_le(bytes.data() + offset, value);
  expect_refused_bytes(bytes, id, text);
}

TEST(VerifierFraming, AcceptsAStreamAsBytes) {
  const auto report = verify::verify_stream(std::span<const std::byte>(encoded()), tiny_chip());
  EXPECT_TRUE(report.has_value()) << report.error().to_string(true);
}

TEST(VerifierFraming, RefusesHeadersThatAreNotOurs) {
  expect_refused_with<std::uint32_t>(0, 0x12345678, kStreamHeader, "magic");
  expect_refused_with<std::uint16_t>(4, 2, kStreamVersion, "version");
  expect_refused_with<std::uint16_t>(6, 2, kStreamVersion, "generation");
  expect_refused_with<std::uint32_t>(12, 17, kStreamRegion, "region count");
  expect_refused_with<std::uint32_t>(12, 0xFFFF'FFFF, kStreamRegion, "region count");
  expect_refused_with<std::uint32_t>(8, 0xFFFF'FFFF, kStreamHeader, "count");
  expect_refused_with<std::uint32_t>(8, 0, kStreamEnd, "END");
  expect_refused_with<std::uint64_t>(16, 0, kStreamTruncated, "truncated");
  expect_refused_with<std::uint64_t>(16, ~std::uint64_t{0}, kStreamTruncated, "truncated");
  expect_refused_bytes({}, kStreamTruncated, "truncated");
}

TEST(VerifierFraming, RefusesEveryProperPrefix) {
  // V13, V17, V18: nothing past the end is looked at, and nothing missing is taken for granted.
  const std::vector<std::byte> whole = encoded();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::vector<std::byte> prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    if (length >= kHeaderBytes) store_le<std::uint64_t>(prefix.data() + 16, length < kFirstCommand ? 0 : length - kFirstCommand);
    EXPECT_FALSE(verify::verify_stream(std::span<const std::byte>(prefix), tiny_chip()).has_value()) << length;
  }
}

TEST(VerifierFraming, RefusesCommandsThatItDoesNotKnow) {
  // V5, V14: an unknown opcode is never passed over.
  for (unsigned opcode : {0x00U, 0x04U, 0x30U + 5, 0x7FU, 0xFFU})
    expect_refused_with<std::uint8_t>(kFirstCommand, static_cast<std::uint8_t>(opcode), kStreamOpcode, "command 0, byte 104: unknown opcode");
}

TEST(VerifierFraming, RefusesCommandsOfAnotherSize) {
  const std::uint16_t words = load_le<std::uint16_t>(encoded().data() + kFirstCommand + 2);
  for (int change : {-1, 1}) expect_refused_with<std::uint16_t>(kFirstCommand + 2, static_cast<std::uint16_t>(words + change), kStreamSize, "size");
}

TEST(VerifierFraming, RefusesReservedBytesThatAreNotZero) {
  expect_refused_with<std::uint8_t>(kHeaderBytes + 2, 1, kStreamReserved, "reserved");           // of a declaration
  expect_refused_with<std::uint8_t>(kFirstCommand + 8 + 8 + 8 + 1, 1, kStreamReserved, "reserved");  // after the type of a move
}

TEST(VerifierFraming, RefusesAnEndThatIsMissingEarlyOrNotAlone) {
  Stream stream = empty_stream();
  expect_refused(stream, kStreamEnd, "None of the stream's 0 commands is END");
  stream.commands.push_back({Engine::kVector, 0, good_move()});
  expect_refused(stream, kStreamEnd, "None of the stream's 1 commands");
  expect_refused_bytes(encode_stream(stream), kStreamEnd, "END missing");
  stream = with_end(with_end(stream));
  expect_refused(stream, kStreamEnd, "Command 1 is END, but 1 commands follow it");
  expect_refused_bytes(encode_stream(stream), kStreamEnd, "END before");
}

/// The usual stream with one declaration changed.
template <typename Change>
Stream declared(Change change) {
  Stream stream = stream_of({});
  change(stream.regions);
  return stream;
}

TEST(VerifierRegions, RefusesDeclarationsWithoutMeaning) {
  using Regions = std::vector<RegionDeclaration>;
  expect_refused(declared([](Regions& r) { r.resize(17, r[0]); }), kStreamRegion, "17 regions");
  expect_accepted(declared([](Regions& r) { r.resize(16, r[0]); }));
  expect_refused(declared([](Regions& r) { r[1].memory = static_cast<MemoryKind>(0); }), kStreamRegion, "Region 1: memory is 0");
  expect_refused(declared([](Regions& r) { r[1].memory = static_cast<MemoryKind>(3); }), kStreamRegion, "Region 1: memory is 3");
  expect_refused(declared([](Regions& r) { r[2].rights = Rights::kNone; }), kStreamRegion, "Region 2: rights are 0");
  expect_refused(declared([](Regions& r) { r[2].rights = static_cast<Rights>(4); }), kStreamRegion, "Region 2: rights are 4");
  expect_refused(declared([](Regions& r) { r[0].bytes = 0; }), kStreamRegion, "Region 0: bytes is 0");  // V19
  expect_refused(declared([](Regions& r) { r[0].bytes = ~std::uint64_t{0}; }), kStreamRegion, "Region 0: bytes is");
}

TEST(VerifierRegions, RefusesMoreMemoryThanTheChipHas) {
  using Regions = std::vector<RegionDeclaration>;
  const Chip chip = tiny_chip();
  expect_accepted(declared([&](Regions& r) { r[4].bytes = chip.sram_bytes - 2 * kRegionBytes; }));
  expect_refused(declared([&](Regions& r) { r[4].bytes = chip.sram_bytes - 2 * kRegionBytes + 1; }), kStreamRegion, "262145 bytes of SRAM; the chip has 262144");
  expect_accepted(declared([&](Regions& r) { r[1].bytes = chip.dram_bytes - kRegionBytes; }));
  expect_refused(declared([&](Regions& r) { r[1].bytes = chip.dram_bytes - kRegionBytes + 1; }), kStreamRegion, "bytes of DRAM");
  expect_refused(declared([&](Regions& r) { r.resize(16, declare(MemoryKind::kDram, Rights::kRead, std::uint64_t{1} << 48)); }), kStreamRegion, "bytes of DRAM");
}

TEST(VerifierChip, RefusesChipsWhoseNumbersCannotBe) {
  for (auto field : {&Chip::oc_lanes, &Chip::dot_depth, &Chip::dw_channels, &Chip::dw_taps, &Chip::vector_lanes, &Chip::sram_bytes_per_cycle,
                     &Chip::dram_bytes_per_cycle, &Chip::dram_burst_bytes}) {
    Chip chip = tiny_chip();
    chip.*field = 0;
    expect_refused(stream_of({}), kInvalidArgument, "is 0", chip);
  }
  Chip chip = tiny_chip();
  chip.dma_engines = 0;
  expect_refused(stream_of({}), kInvalidArgument, "dma_engines", chip);
  chip.dma_engines = 5;
  expect_refused(stream_of({}), kInvalidArgument, "5 DMA engines", chip);
  chip = tiny_chip();
  chip.dram_burst_bytes = 1U << 31;
  expect_refused(stream_of({}), kInvalidArgument, "dram_burst_bytes", chip);
  chip = tiny_chip();
  chip.isa_generation = 2;
  expect_refused(stream_of({}), kStreamVersion, "instruction set 2", chip);
}

}  // namespace
}  // namespace naru::test
