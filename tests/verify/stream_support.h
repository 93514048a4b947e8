// What the verifier's tests say about streams: accepted, or refused by this check with these words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "naru/verify/verify.h"
#include "sample_streams.h"

namespace naru::test {

inline void expect_accepted(const Stream& stream, const Chip& chip = tiny_chip()) {
  const auto report = verify::verify_stream(stream, chip);
  EXPECT_TRUE(report.has_value()) << report.error().to_string(true);
}
inline void expect_refused(const Result<verify::Report>& report, ErrorId id, std::string_view text = "") {
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().id_text(), Error(id, "").id_text()) << report.error().message();
  EXPECT_THAT(report.error().message(), testing::HasSubstr(std::string(text)));
}
inline void expect_refused(const Stream& stream, ErrorId id, std::string_view text = "", const Chip& chip = tiny_chip()) {
  expect_refused(verify::verify_stream(stream, chip), id, text);
}

}  // namespace naru::test
