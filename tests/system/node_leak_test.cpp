// Losing a mock that another process serves, and getting it back, leaves no descriptor, thread or memory behind, in either process.
#include "../support/served_mock.h"
#include "held.h"
#include "naru/mock_server.h"

using namespace naru;
using naru::testing::Held;
using naru::testing::ServedMock;

TEST(Leak, OfANodeIsNothing) {
  if (!naru::testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  const std::string server = "/proc/" + std::to_string(mock.pid());
  std::size_t descriptors = 0;
  naru::testing::expect_nothing_is_left_by([&] {
    naru::testing::run_and_lose([&] { return open_device(mock.selector()); }, [&] { ASSERT_TRUE(mock::control(mock.path(), "unplug")); });
    ASSERT_TRUE(mock::control(mock.path(), "plug"));
    const std::size_t now = Held::entries((server + "/fd").c_str());
    // The caller of control() may be answered before the server has closed its connection.
    if (descriptors == 0) descriptors = now + 1;
    ASSERT_LE(now, descriptors) << "the server's";
  });
}
