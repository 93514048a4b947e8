// `naru run --device usb` on a bus that umockdev simulates in another process: enumeration, a hot unplug in the middle of a run, two devices.
#include <gtest/gtest.h>

#include <chrono>

#include "../conformance/process.h"
#include "../support/program.h"

using namespace naru::testing;
using naru::test::ServerProcess;
using std::chrono::steady_clock;

namespace {

std::vector<std::string> on_bus_of(const ServerProcess& server) { return {"LD_PRELOAD=libumockdev-preload.so.0", "UMOCKDEV_DIR=" + server.ready()}; }

}  // namespace

TEST(Usb, RunsOnThePluggedInDeviceAndListsIt) {
  const ServerProcess server({"umockdev", "mock"});
  ASSERT_FALSE(server.dead());
  const Outcome list = run_naru({"list"}, on_bus_of(server));
  EXPECT_NE(list.out.find("usb:"), std::string::npos) << list.out << list.err;
  EXPECT_NE(list.out.find("1-5"), std::string::npos) << list.out;
  for (const std::vector<std::string>& device : std::vector<std::vector<std::string>>{{}, {"--device", "usb"}, {"--device", "usb:1-5"}}) {
    std::vector<std::string> arguments = {"run", kDigits, "--input", "models/digits/samples/digit7.bin", "--check"};
    arguments.insert(arguments.end(), device.begin(), device.end());
    const Outcome outcome = run_naru(arguments, on_bus_of(server));
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("device   usb"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("class 7"), std::string::npos) << outcome.out;
  }
}

TEST(Usb, UnpluggedInTheMiddleOfARunEndsItWithARemedyWithinASecond) {
  ServerProcess server({"umockdev", "mock"});
  ASSERT_FALSE(server.dead());
  Program run(naru_command({"run", kDigits, "--device", "usb", "--repeat", "1000000"}), on_bus_of(server));
  // The bus answers others while the run holds the device.
  while (run.running() && run_naru({"counters", "--device", "usb", "--json"}, on_bus_of(server)).out.find("\"jobs_completed\": 0") != std::string::npos) continue;
  ASSERT_TRUE(run.running()) << run.wait().err;
  const auto unplugged = steady_clock::now();
  ASSERT_EQ(server.command("unplug"), "ok");
  const Outcome outcome = run.wait(std::chrono::seconds(20));
  EXPECT_LT(steady_clock::now() - unplugged, std::chrono::milliseconds(1000));
  EXPECT_EQ(outcome.exit, 3) << outcome.err;
  EXPECT_NE(outcome.err.find("[NARU-03"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("\n  "), std::string::npos) << outcome.err;
}

TEST(Usb, TwoDevicesAndNoChoiceIsAnErrorThatListsThem) {
  ServerProcess server({"umockdev", "mock"});
  ASSERT_FALSE(server.dead());
  ASSERT_EQ(server.command("plug another"), "ok");
  for (const std::vector<std::string>& device : std::vector<std::vector<std::string>>{{}, {"--device", "usb"}}) {
    std::vector<std::string> arguments = {"run", kDigits};
    arguments.insert(arguments.end(), device.begin(), device.end());
    const Outcome outcome = run_naru(arguments, on_bus_of(server));
    EXPECT_EQ(outcome.exit, 2) << outcome.err;
    EXPECT_NE(outcome.err.find("[NARU-0302]"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("1-5"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("1-6"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(run_naru({"run", kDigits, "--device", "usb:1-6"}, on_bus_of(server)).exit, 0);
}
