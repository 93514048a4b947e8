// Goal: checksums and hashes are the standards' own, whichever instructions compute them. Method: published values, and a second computation bit by bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "crc32c.h"
#include "naru/base/hash.h"

namespace naru {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::uint32_t crc_bit_by_bit(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

TEST(Hash, Sha256IsThatOfFips180) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(bytes_of("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::vector<std::byte>(1'000'000, std::byte{'a'}))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, Sha256OfPartsIsThatOfTheirHashes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSha256PartBytes - 1, kSha256PartBytes, kSha256PartBytes + 1, 2 * kSha256PartBytes - 1, 2 * kSha256PartBytes, 2 * kSha256PartBytes + 1,
                                 3 * kSha256PartBytes, 4 * kSha256PartBytes, 5 * kSha256PartBytes + 77, 16 * kSha256PartBytes - 1,
                                 16 * kSha256PartBytes, 16 * kSha256PartBytes + 1, 19 * kSha256PartBytes + 5, 35 * kSha256PartBytes}) {
    std::vector<std::byte> bytes(size), list;
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * i / 251 + i / kSha256PartBytes);
    for (std::size_t at = 0; at < size; at += kSha256PartBytes) {
      const Sha256 part = sha256(std::span<const std::byte>(bytes).subspan(at, std::min(kSha256PartBytes, size - at)));
      list.insert(list.end(), part.begin(), part.end());
    }
    EXPECT_EQ(hex(sha256_of_parts(bytes)), hex(sha256(list))) << size;
  }
}

TEST(Hash, Crc32cOfAnyLengthIsThatOfItsPolynomial) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  std::vector<std::byte> bytes(20'000);
  std::uint64_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::byte>(state >> 56);
  }
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 7, 8, 9, 383, 384, 385, 511, 512, 513, 768, 775, 1023, 1024, 3071, 3072, 3073, 6144, 6151, 20'000}) {
    const auto part = std::span(bytes).first(size);
    EXPECT_EQ(crc32c(part), crc_bit_by_bit(part)) << size;
    EXPECT_EQ(~crc32c_by_table(part.data(), size, ~0U), crc_bit_by_bit(part)) << size;
    if (cpu_has_crc_instruction()) {
      EXPECT_EQ(~crc32c_by_instruction(part.data(), size, ~0U), crc_bit_by_bit(part)) << size;
    }
    const std::size_t steps = size / kCrcFoldBytes * kCrcFoldBytes;
    if (cpu_has_crc_folds() && steps != 0) {
      EXPECT_EQ(~crc32c_by_folding(part.data() + size - steps, steps, ~0U), crc_bit_by_bit(part.last(steps))) << steps;
    }
    EXPECT_EQ(crc32c(part.subspan(size / 3), crc32c(part.first(size / 3))), crc_bit_by_bit(part)) << size;
  }
}

}  // namespace
}  // namespace naru
