// Goal: a job's regions must be what its stream was checked against. Method: one good binding, one change at a time.

#include "stream_support.h"

namespace naru::test {
namespace {

using verify::BoundRegion;

std::vector<BoundRegion> good_binding() {
  return {{.memory = MemoryKind::kDram, .rights = Rights::kReadWrite, .buffer = 5, .offset = 64, .length = kRegionBytes},
          {.memory = MemoryKind::kDram, .rights = Rights::kReadWrite, .buffer = 5, .offset = 64 + kRegionBytes, .length = kRegionBytes},
          {.memory = MemoryKind::kSram, .rights = Rights::kReadWrite, .length = kRegionBytes},
          {.memory = MemoryKind::kSram, .rights = Rights::kRead, .length = kRegionBytes},
          {.memory = MemoryKind::kSram, .rights = Rights::kWrite, .length = kRegionBytes + 1}};
}

template <typename Change>
void refused(Change change, std::string_view text) {
  std::vector<BoundRegion> binding = good_binding();
  change(binding);
  const auto result = verify::verify_binding(empty_stream(), binding);
  ASSERT_FALSE(result.has_value()) << text;
  EXPECT_EQ(result.error().id(), ErrorId::kStreamBinding);
  EXPECT_THAT(result.error().message(), testing::HasSubstr(std::string(text)));
}

TEST(VerifierBinding, AcceptsRegionsThatSatisfyTheDeclarations) {
  const auto result = verify::verify_binding(empty_stream(), good_binding());
  EXPECT_TRUE(result.has_value()) << result.error().to_string(true);
}

TEST(VerifierBinding, RefusesWhatTheStreamDoesNotAllow) {
  using Binding = std::vector<BoundRegion>;
  refused([](Binding& b) { b.pop_back(); }, "4 regions are bound; the stream declares 5");
  refused([](Binding& b) { b.push_back(b[0]); }, "6 regions are bound");
  refused([](Binding& b) { b[0].memory = MemoryKind::kSram; }, "Region 0: memory kind is 2");
  refused([](Binding& b) { b[2].memory = MemoryKind::kDram; }, "Region 2: memory kind is 1");
  refused([](Binding& b) { b[2].rights = Rights::kRead; }, "Region 2: rights are 1");
  refused([](Binding& b) { b[0].rights = Rights::kWrite; }, "Region 0: rights are 2");
  refused([](Binding& b) { b[1].length = kRegionBytes - 1; }, "Region 1: 32767 bytes are bound");
  refused([](Binding& b) { b[1].offset = ~std::uint64_t{0} - 5; }, "do not fit 64 bits");
}

TEST(VerifierBinding, RefusesWritableRegionsThatShareBytes) {
  using Binding = std::vector<BoundRegion>;
  refused([](Binding& b) { b[1].offset -= 1; }, "Regions 1 (written) and 0 share bytes of buffer 5");
  refused([](Binding& b) { b[1].offset = 0, b[0].offset = kRegionBytes - 1; }, "share bytes");
  refused([](Binding& b) { b[1] = b[0]; }, "share bytes");
}

TEST(VerifierBinding, AcceptsReadableRegionsThatShareBytesAndEqualOffsetsOfOtherBuffers) {
  Stream stream = empty_stream();
  stream.regions.push_back(stream.regions[0]);
  std::vector<BoundRegion> binding = good_binding();
  binding.push_back(binding[0]);
  EXPECT_TRUE(verify::verify_binding(stream, binding).has_value());
  binding[1].buffer = 6;
  binding[1].offset = binding[0].offset;
  EXPECT_TRUE(verify::verify_binding(stream, binding).has_value());
}

}  // namespace
}  // namespace naru::test
