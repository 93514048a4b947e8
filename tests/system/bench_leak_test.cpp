// Losing an in-process mock and getting it back leaves no descriptor, thread or memory behind.
#include "held.h"
#include "naru/mock.h"

using namespace naru;

TEST(Leak, OfABenchIsNothing) {
  Result<mock::Bench> bench = mock::Bench::with_profile("edge");
  ASSERT_TRUE(bench);
  naru::testing::expect_nothing_is_left_by([&] {
    naru::testing::run_and_lose([&] { return bench->open_device(); }, [&] { bench->unplug(); });
    ASSERT_TRUE(bench->plug());
  });
}
