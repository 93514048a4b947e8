// Goal: the described records encode to the bytes that the field lists promise, and back. Method: constants, compile-time where possible.
#include <gtest/gtest.h>

#include <algorithm>

#include "naru/abi/chip.h"
#include "naru/abi/stream.h"
#include "naru/abi/wire.h"

namespace naru::abi {
namespace {

static_assert(wire_size<CommandHeader>() == 8);
static_assert(wire_size<StreamHeader>() == 24);
static_assert(wire_size<Operand>() == 8);

TEST(Record, EncodesLittleEndianInFieldOrder) {
  const auto bytes = encode(CommandHeader{.opcode = Opcode::kConv, .engine = Engine::kMac, .size_words = 0x0102, .source = 0x03040506});
  const std::array<std::byte, 8> expected = {std::byte{0x20}, std::byte{0}, std::byte{2}, std::byte{1}, std::byte{6}, std::byte{5}, std::byte{4}, std::byte{3}};
  EXPECT_EQ(bytes, expected);
}

TEST(Record, DecodesWhatItEncoded) {
  Conv conv;
  conv.input = Operand::at(3, 0x123456789A);
  conv.out_channels = 77;
  conv.output_zero = -5;
  Conv back;
  EXPECT_EQ(decode(encode(conv), back), Decoded::kOk);
  EXPECT_EQ(back, conv);
  EXPECT_EQ(back.input.region(), 3U);
  EXPECT_EQ(back.input.offset(), 0x123456789AU);
}

template <std::size_t N>
struct Padded {
  std::uint8_t before = 1;
  Reserved<N> reserved{};
  std::uint8_t after = 2;
  static constexpr auto fields() { return std::tuple{Field{"before", &Padded::before, ""}, Field{"reserved", &Padded::reserved, ""}, Field{"after", &Padded::after, ""}}; }
};

template <std::size_t N>
void expect_each_reserved_byte_is_looked_at() {
  const auto clean = encode(Padded<N>{});
  Padded<N> back;
  EXPECT_EQ(decode(clean, back), Decoded::kOk);
  for (std::size_t i = 0; i < N; ++i) {
    auto bytes = clean;
    bytes[1 + i] = std::byte{0x80};
    EXPECT_EQ(decode(bytes, back), Decoded::kReservedNotZero) << "byte " << i << " of " << N;
  }
}

TEST(Record, LooksAtEachReservedByteAndAtNoOther) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (expect_each_reserved_byte_is_looked_at<I + 1>(), ...); }(std::make_index_sequence<8>());
}

TEST(Record, RefusesReservedBytesThatAreNotZero) {
  auto bytes = encode(Wait{.on = Engine::kMac, .reserved = {}, .count = 1});
  bytes[2] = std::byte{1};
  Wait wait;
  EXPECT_EQ(decode(bytes, wait), Decoded::kReservedNotZero);
}

TEST(Record, OfAJobHasItsLeaseWhereItsReservedBytesWere) {
  // A host that knows of no leases sends zeros there: a job without one.
  auto bytes = encode(JobRecord{.region_count = 3, .lease_use = LeaseUse::kNeed, .lease = 0x01020304});
  const std::array<std::byte, 6> expected = {std::byte{3}, std::byte{2}, std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin() + 26));
  std::fill(bytes.begin() + 27, bytes.end(), std::byte{0});
  JobRecord job;
  EXPECT_EQ(decode(bytes, job), Decoded::kOk);
  EXPECT_EQ(job, (JobRecord{.region_count = 3}));
}

TEST(Record, RefusesTooFewBytes) {
  const auto bytes = encode(Chip{});
  Chip chip;
  EXPECT_EQ(decode(std::span(bytes).first(bytes.size() - 1), chip), Decoded::kTooShort);
}

}  // namespace
}  // namespace naru::abi
