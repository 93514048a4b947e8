// Goal: the kernels that run are the ones asked for, or an error says what can be asked for.
#include <gtest/gtest.h>

#include "naive.h"

namespace naru::mockdev::test {
namespace {

TEST(KernelPath, IsTheBestOneWhenNothingIsAsked) {
  const auto best = choose_kernel_path(nullptr);
  ASSERT_TRUE(best);
  EXPECT_EQ(*best, supported_paths().front());
  EXPECT_EQ(*choose_kernel_path(""), *best);
}

TEST(KernelPath, IsTheOneAskedFor) {
  for (const KernelPath path : supported_paths()) {
    const auto chosen = choose_kernel_path(std::string(name_of(path)).c_str());
    ASSERT_TRUE(chosen) << name_of(path);
    EXPECT_EQ(*chosen, path);
    EXPECT_EQ(Units(path).path(), path);
  }
}

TEST(KernelPath, NamesTheChoicesWhenTheNameIsUnknown) {
  for (const char* name : {"VNNI", "avx512", "portable ", "x"}) {
    const auto chosen = choose_kernel_path(name);
    ASSERT_FALSE(chosen) << name;
    EXPECT_EQ(chosen.error().kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(chosen.error().message().find(name), std::string::npos);
    EXPECT_NE(chosen.error().remedy().find("portable"), std::string::npos);
  }
}

TEST(KernelPath, PortableRunsEverywhere) { EXPECT_TRUE(is_supported(KernelPath::kPortable)); }

}  // namespace
}  // namespace naru::mockdev::test
