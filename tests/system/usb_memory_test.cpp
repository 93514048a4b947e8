// The driver where the host's memory for USB is what usbfs has by default, or next to nothing: large payloads both ways at once arrive whole all the same (trap T21).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../conformance/wire.h"
#include "../support/served_mock.h"
#include "naru/driver/device.h"
#include "naru/driver/discovery.h"

namespace naru {
namespace {

constexpr std::size_t kBytes = 4 << 20, kPayloads = 6;

void move_both_ways(const std::string& mebibytes) {
  testing::ServedMock mock("edge", {"--usb-memory", mebibytes});
  ASSERT_TRUE(mock.ready());
  auto transport = driver::open_transport(mock.selector());
  ASSERT_TRUE(transport) << transport.error().to_string();
  auto device = driver::Device::open(std::move(*transport));
  ASSERT_TRUE(device) << device.error().to_string();
  const driver::Buffer there = (*device)->create_buffer(kPayloads * kBytes).value(), back = (*device)->create_buffer(kPayloads * kBytes).value();
  const std::vector<std::byte> first = test::pattern(kPayloads * kBytes, 1), second = test::pattern(kPayloads * kBytes, 2);
  ASSERT_TRUE((*device)->write(back, 0, first));
  std::vector<std::byte> read(first.size());
  std::vector<driver::Operation> operations;
  for (std::size_t i = 0; i < kPayloads; ++i) {
    operations.push_back((*device)->begin_write(there, i * kBytes, std::span(second).subspan(i * kBytes, kBytes)).value());
    operations.push_back((*device)->begin_read(back, i * kBytes, std::span(read).subspan(i * kBytes, kBytes)).value());
  }
  for (driver::Operation& operation : operations) {
    const Result<void> ended = operation.wait();
    ASSERT_TRUE(ended) << ended.error().to_string();
  }
  EXPECT_TRUE(read == first);
  std::fill(read.begin(), read.end(), std::byte{0});
  ASSERT_TRUE((*device)->read(there, 0, read));
  EXPECT_TRUE(read == second);
  EXPECT_EQ((*device)->host_counters().recoveries, 0u);
}

TEST(UsbMemory, OfUsbfsIsEnoughForBothDirectionsAtOnce) {
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  move_both_ways("16");
}

TEST(UsbMemory, ThatIsShortMakesTransfersSmaller) {
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  move_both_ways("1");
}

TEST(UsbMemory, WithoutALimitIsAsMuchAsIsAskedFor) {
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  move_both_ways("0");
}

}  // namespace
}  // namespace naru
