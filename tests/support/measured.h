// A figure that a test found: printed where the test is run by hand, and kept with its result, so that scripts/test.sh prints it too.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace naru::testing {

/// Once per test.
inline void record_measured(const std::string& text) {
  std::printf("    %s\n", text.c_str());
  ::testing::Test::RecordProperty("measured", text);
}

}  // namespace naru::testing
