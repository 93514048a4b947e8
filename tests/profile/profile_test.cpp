// Profiles: the embedded ones are exactly the pinned numbers of design/abi.md, and the reader refuses whatever it does not fully understand.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "naru/base/file.h"
#include "naru/profile/profile.h"

namespace naru::profile {
namespace {

std::string text_of(std::string_view name) {
  const auto bytes = read_file(fmt::format("{}/profile/profiles/{}.profile", NARU_SOURCE_DIR, name));
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : std::string();
}
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}
std::string error_of(const std::string& text) {
  const auto profile = parse(text, "test.profile");
  if (profile) return "accepted";
  EXPECT_EQ(profile.error().id(), ErrorId::kProfileInvalid);
  return profile.error().message();
}

TEST(Profile, EdgeIsWhatTheDesignPins) {
  const auto profile = load("edge");
  ASSERT_TRUE(profile) << profile.error().to_string();
  const abi::Chip expected{.isa_generation = 1, .dma_engines = 2, .clock_hz_thousands = 500'000, .oc_lanes = 64, .dot_depth = 64, .dw_channels = 64, .dw_taps = 4,
                           .vector_lanes = 64, .start_cycles = 16, .sram_bytes_per_cycle = 64, .dram_bytes_per_cycle = 8, .dram_latency_cycles = 100,
                           .dram_burst_bytes = 64, .sram_bytes = 8u << 20, .dram_bytes = 64u << 20, .job_cycles_max = 50'000'000};
  EXPECT_EQ(profile->chip, expected);
  EXPECT_EQ(profile->name, "edge");
  EXPECT_TRUE(profile->link.super_speed);
  EXPECT_EQ(profile->link.megabytes_per_second, 440u);
  EXPECT_EQ(profile->link.round_trip_us, 270u);
  EXPECT_EQ(profile->power.idle_milliwatts, 300u);
  EXPECT_EQ(profile->power.full_mac_milliwatts, 2000u);
}

TEST(Profile, TinyIsWhatTheDesignPins) {
  const auto profile = load("tiny");
  ASSERT_TRUE(profile) << profile.error().to_string();
  const abi::Chip expected{.isa_generation = 1, .dma_engines = 1, .clock_hz_thousands = 200'000, .oc_lanes = 16, .dot_depth = 8, .dw_channels = 16, .dw_taps = 1,
                           .vector_lanes = 16, .start_cycles = 16, .sram_bytes_per_cycle = 16, .dram_bytes_per_cycle = 2, .dram_latency_cycles = 60,
                           .dram_burst_bytes = 32, .sram_bytes = 256u << 10, .dram_bytes = 16u << 20, .job_cycles_max = 50'000'000};
  EXPECT_EQ(profile->chip, expected);
  EXPECT_FALSE(profile->link.super_speed);
  EXPECT_EQ(profile->link.megabytes_per_second, 40u);
  EXPECT_EQ(profile->link.round_trip_us, 500u);
  EXPECT_EQ(profile->power.idle_milliwatts, 50u);
  EXPECT_EQ(profile->power.full_mac_milliwatts, 250u);
}

TEST(Profile, AnUnknownNameListsTheKnownOnes) {
  const auto profile = load("edgy");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().id(), ErrorId::kProfileNotFound);
  EXPECT_NE(profile.error().message().find("edge, tiny"), std::string::npos) << profile.error().message();
}

TEST(Profile, IsFoundByPathAndInTheSearchPath) {
  const std::string directory = testing::TempDir() + "naru_profiles";
  std::filesystem::create_directories(directory);
  const std::string text = replaced(text_of("edge"), "name = edge", "name = mine");
  ASSERT_TRUE(write_file(directory + "/mine.profile", std::as_bytes(std::span(text))));
  const auto by_path = load(directory + "/mine.profile");
  ASSERT_TRUE(by_path) << by_path.error().to_string();
  EXPECT_EQ(by_path->name, "mine");
  ASSERT_EQ(::setenv("NARU_PROFILE_PATH", ("/nonexistent:" + directory).c_str(), 1), 0);
  const auto by_name = load("mine");
  ::unsetenv("NARU_PROFILE_PATH");
  ASSERT_TRUE(by_name) << by_name.error().to_string();
  EXPECT_EQ(by_name->chip, by_path->chip);
}

TEST(Profile, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(error_of(replaced(text_of("edge"), "oc_lanes = 64", "oc_lanes = many")), "test.profile, line 9: chip.oc_lanes is \"many\", which is not a whole number");
  EXPECT_EQ(error_of(replaced(text_of("edge"), "oc_lanes = 64", "oc_lanes = 0")), "test.profile, line 9: chip.oc_lanes is 0; it must be from 1 to 65536");
}

TEST(Profile, RefusesUnknownMissingAndRepeatedKeys) {
  const std::string edge = text_of("edge");
  EXPECT_EQ(error_of(replaced(edge, "oc_lanes = 64", "oc_lane = 64")), "test.profile, line 9: key chip.oc_lane is not known");
  EXPECT_EQ(error_of(replaced(edge, "oc_lanes = 64", "")), "test.profile: key chip.oc_lanes is missing");
  EXPECT_EQ(error_of(edge + "\nchip.oc_lanes = 64\n").find("was given before, in line 9") != std::string::npos, true);
  EXPECT_EQ(error_of(edge + "\n[odd\n").find("no closing bracket") != std::string::npos, true);
  EXPECT_EQ(error_of(edge + "\nwhat is this\n").find("neither a section nor key = value") != std::string::npos, true);
  EXPECT_EQ(error_of(edge + "\nempty =\n").find("key or value is empty") != std::string::npos, true);
}

TEST(Profile, UnitsOfBytesAreReadAndMisplacedOnesRefused) {
  const auto profile = parse(replaced(text_of("edge"), "sram_bytes = 8 MiB", "sram_bytes = 8192 KiB"), "test.profile");
  ASSERT_TRUE(profile) << profile.error().to_string();
  EXPECT_EQ(profile->chip.sram_bytes, 8u << 20);
  EXPECT_NE(error_of(replaced(text_of("edge"), "oc_lanes = 64", "oc_lanes = 64 KiB")), "accepted");
  EXPECT_NE(error_of(replaced(text_of("edge"), "sram_bytes = 8 MiB", "sram_bytes = 99999999999999 GiB")), "accepted");
}

TEST(Profile, EveryKeyIsDemanded) {
  const std::string edge = text_of("edge");
  unsigned keys = 0;
  for (std::size_t at = edge.find(" = "); at != std::string::npos; at = edge.find(" = ", at + 1)) {
    const std::size_t begin = edge.rfind('\n', at) + 1;
    if (edge[begin] == '#') continue;
    ++keys;
    EXPECT_NE(error_of(edge.substr(0, begin) + "#" + edge.substr(begin)), "accepted") << edge.substr(begin, 40);
  }
  EXPECT_EQ(keys, 1u + std::tuple_size_v<decltype(abi::Chip::fields())> + 3u + 6u);
}

TEST(Profile, ChecksAProfileMadeInCode) {
  Profile profile = *load("edge");
  EXPECT_TRUE(check(profile));
  profile.chip.dma_engines = 5;
  EXPECT_FALSE(check(profile));
  profile = *load("edge");
  profile.power.full_mac_milliwatts = 1;
  EXPECT_FALSE(check(profile));
}

}  // namespace
}  // namespace naru::profile
