// What the compiler tells about its work: the timeline of --trace as Chrome and Perfetto read it, and the operators of --explain, whose numbers add up.
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "support.h"

using namespace naru::testing;
using Json = nlohmann::json;

namespace {

struct Compiled {
  Json explained, trace, inspected, verified;
};

/// The digit model for a profile, with everything that the program says about it.
Compiled compile_digits(const std::string& profile) {
  const Folder folder;
  const std::string package = folder / "digits.naru", trace = folder / "trace.json";
  const Outcome outcome = run_naru({"compile", kDigits, "-o", package, "--profile", profile, "--trace", trace, "--explain", "--json"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  const auto parsed = [](const std::string& text) { return Json::parse(text, nullptr, false); };
  Compiled compiled{parsed(outcome.out), parsed(read_text(trace)), parsed(run_naru({"inspect", package, "--json"}).out),
                    parsed(run_naru({"verify", package, "--json"}).out)};
  for (const Json* document : {&compiled.explained, &compiled.trace, &compiled.inspected, &compiled.verified}) EXPECT_FALSE(document->is_discarded());
  return compiled;
}

std::uint64_t sum_of(const Json& list, const std::string& field) {
  std::uint64_t sum = 0;
  for (const Json& entry : list) sum += entry.at(field).get<std::uint64_t>();
  return sum;
}

double cycles_per_microsecond(const std::string& profile) {
  return Json::parse(run_naru({"info", "--device", "mock:" + profile, "--json"}).out).at("device").at("clock_hz").get<double>() / 1e6;
}

class Explained : public ::testing::TestWithParam<std::string> {};

TEST_P(Explained, TimelineIsAChromeTraceThatEndsAtThePredictedCycles) {
  const Compiled compiled = compile_digits(GetParam());
  const double cycles_per_us = cycles_per_microsecond(GetParam());
  std::map<int, std::string> names;
  std::set<int> used;
  std::map<int, double> free_from;
  double end = 0;
  for (const Json& event : compiled.trace.at("traceEvents")) {
    ASSERT_EQ(event.at("pid"), 1);
    if (event.at("ph") == "M") {
      if (event.at("name") == "thread_name") names[event.at("tid")] = event.at("args").at("name");
      continue;
    }
    ASSERT_EQ(event.at("ph"), "X");
    const int thread = event.at("tid");
    const double begin = event.at("ts"), duration = event.at("dur");
    used.insert(thread);
    EXPECT_GE(duration, 0);
    EXPECT_GE(begin, free_from[thread] - 1e-6) << event.dump() << ": an engine does one thing at a time";
    EXPECT_NEAR(duration * cycles_per_us, event.at("args").at("cycles").get<double>(), 1e-3);
    free_from[thread] = begin + duration;
    end = std::max(end, begin + duration);
  }
  EXPECT_EQ(std::llround(end * cycles_per_us), compiled.explained.at("predicted_cycles").get<long long>());
  std::set<std::string> engines;
  for (const int thread : used) engines.insert(names[thread]);
  EXPECT_THAT(engines, ::testing::IsSupersetOf({"mac", "dma0"}));
  EXPECT_THAT(engines, ::testing::Each(::testing::AnyOf("mac", "vector", "dma0", "dma1", "dma2", "dma3", "host")));
  EXPECT_EQ(engines.size(), used.size()) << "two threads of one name";
}

TEST_P(Explained, OperatorsAddUpToTheWholeModel) {
  const Compiled compiled = compile_digits(GetParam());
  const Json& operators = compiled.explained.at("operators");
  ASSERT_FALSE(operators.empty());
  std::uint64_t commands = 0, cycles = 0, bytes = 0;
  std::map<int, std::uint64_t> busy;
  std::set<int> running;
  std::map<int, std::uint64_t> commands_of, bytes_of;  // by operator
  for (const Json& event : compiled.trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    const Json& args = event.at("args");
    const auto time = args.at("cycles").get<std::uint64_t>();
    running.insert(args.at("operator").get<int>());
    const auto moved = args.at("dram_bytes").get<std::uint64_t>();
    ++commands;
    ++commands_of[args.at("operator").get<int>()];
    bytes_of[args.at("operator").get<int>()] += moved;
    cycles += time;
    bytes += moved;
    busy[event.at("tid")] += time;
  }
  for (const Json& op : operators) {
    const bool on_npu = op.at("placement") == "npu";
    EXPECT_EQ(running.contains(op.at("index")), on_npu) << op.dump();
    if (on_npu) {
      EXPECT_GE(op.at("tiles"), 1) << op.dump();
      EXPECT_GE(op.at("commands"), op.at("tiles")) << op.dump();
      EXPECT_GT(op.at("cycles"), 0) << op.dump();
      EXPECT_EQ(op.at("commands"), commands_of[op.at("index")]) << op.dump();
      EXPECT_EQ(op.at("dram_bytes"), bytes_of[op.at("index")]) << op.dump();
    } else {
      EXPECT_EQ(op.at("tiles"), 0) << op.dump();
      EXPECT_NE(op.at("reason"), "") << op.dump();
    }
  }
  EXPECT_EQ(sum_of(operators, "commands"), commands);
  EXPECT_EQ(sum_of(operators, "dram_bytes"), bytes);
  EXPECT_LE(sum_of(operators, "cycles"), cycles) << "transfers that share the memory take longer than alone";
  const Json& summary = compiled.inspected;
  EXPECT_EQ(sum_of(operators, "dram_bytes"), summary.at("memory").at("dram_traffic_bytes"));
  EXPECT_EQ(sum_of(operators, "macs"), summary.at("macs"));
  EXPECT_EQ(compiled.explained.at("predicted_cycles"), summary.at("predicted_cycles"));
  std::uint64_t uncounted = 0, in_streams = 0;
  for (const Json& stream : compiled.verified.at("streams")) {
    in_streams += stream.at("commands").get<std::uint64_t>();
    for (const char* kind : {"wait", "mark", "end"}) uncounted += stream.at("per_command").value(kind, std::uint64_t{0});
  }
  EXPECT_EQ(compiled.explained.at("commands"), in_streams);
  EXPECT_EQ(sum_of(operators, "commands") + uncounted, in_streams) << "waits and marks belong to no operator";
  // No engine is busy for longer than the inference takes, and the inference takes no longer than all of them in turn.
  std::uint64_t together = 0;
  for (const auto& [thread, time] : busy) {
    EXPECT_LE(time, compiled.explained.at("predicted_cycles")) << thread;
    together += time;
  }
  EXPECT_LE(compiled.explained.at("predicted_cycles"), together);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Explained, ::testing::Values("edge", "tiny"), [](const auto& info) { return info.param; });

}  // namespace
