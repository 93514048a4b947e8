// `naru mock serve` as a process: signals, leftovers, a second one on the same path.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "../support/program.h"
#include "../support/served_mock.h"

using namespace naru::testing;

namespace {

bool is_mounted(const std::string& path) {
  std::ifstream file("/proc/mounts");
  const std::string mounts{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return mounts.find(" " + path + " ") != std::string::npos;
}

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "naru-system-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

}  // namespace

TEST(Server, EndsCleanlyOnASignalThatComesRightAfterReady) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  for (const std::string number : {"INT", "TERM"})
    for (int i = 0; i < 10; ++i) {
      const Folder folder;
      const std::string node = (folder.path / "npu").string();
      const std::string script = "mkfifo " + node + ".said; naru mock serve --profile tiny --fuse " + node + " >" + node + ".said & server=$!\n" + "read said <" + node + ".said\n" +
                                 "kill -" + number + " $server; wait $server; code=$?; rm " + node + ".said; exit $code";
      const Outcome outcome = run_program({"/bin/sh", "-c", script});
      EXPECT_EQ(outcome.exit, 0) << number << ": " << outcome.err;
      EXPECT_FALSE(is_mounted(node));
      EXPECT_TRUE(std::filesystem::is_empty(folder.path)) << "the node or its control socket is still there";
    }
}

TEST(Server, EndsOnSigintAndSigtermAlsoWhenAScriptStartedItInTheBackground) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  for (const std::string number : {"INT", "TERM"}) {
    const Folder folder;
    const std::string node = (folder.path / "npu").string();
    // A shell without job control starts "&" with SIGINT ignored.
    const std::string script = "naru mock serve --profile tiny --fuse " + node + " & server=$!\n" +
                               "until naru mock status " + node + " >/dev/null 2>&1; do kill -0 $server || exit 99; done\n" +
                               "naru run " + kDigits + " --device node:" + node + " >/dev/null || exit 98\n" + "kill -" + number + " $server; wait $server";
    const Outcome outcome = run_program({"/bin/sh", "-c", script});
    EXPECT_EQ(outcome.exit, 0) << number << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "ready " + node + "\n");
    EXPECT_FALSE(is_mounted(node));
    EXPECT_TRUE(std::filesystem::is_empty(folder.path)) << "the node or its control socket is still there";
  }
}

TEST(Server, StartsOnAStaleMountAndLeavesNothing) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const Folder folder;
  const std::string node = (folder.path / "npu").string();
  for (int round = 0; round < 2; ++round) {
    Program server(naru_command({"mock", "serve", "--fuse", node}));
    while (server.running() && run_naru({"mock", "status", node}).exit != 0) continue;
    ASSERT_TRUE(server.running()) << server.wait().err;
    EXPECT_TRUE(is_mounted(node));
    EXPECT_EQ(run_naru({"info", "--device", "node:" + node}).exit, 0);
    if (round == 0) {
      server.signal(SIGKILL);
      EXPECT_EQ(server.wait().exit, 128 + SIGKILL);
      const Outcome dead = run_naru({"info", "--device", "node:" + node});
      EXPECT_EQ(dead.exit, 3);
      EXPECT_NE(dead.err.find("naru mock serve"), std::string::npos) << dead.err;
    } else {
      server.signal(SIGTERM);
      EXPECT_EQ(server.wait().exit, 0);
    }
  }
  EXPECT_FALSE(is_mounted(node));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

TEST(Server, RefusesAPathThatAnotherServes) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  const Outcome second = Program(naru_command({"mock", "serve", "--fuse", mock.path()})).wait(std::chrono::seconds(20));
  EXPECT_EQ(second.exit, 5) << second.err;
  EXPECT_EQ(second.out, "");
  EXPECT_NE(second.err.find("[NARU-0304]"), std::string::npos) << second.err;
  EXPECT_EQ(run_naru({"run", kDigits, "--device", mock.selector()}).exit, 0) << "the first must not suffer";
}

TEST(Server, RefusesAPathWhoseServerIsStopped) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  mock.signal(SIGSTOP);
  Program second(naru_command({"mock", "serve", "--fuse", mock.path()}));
  const Outcome refused = second.wait(std::chrono::seconds(5));
  mock.signal(SIGCONT);
  EXPECT_EQ(refused.exit, 5) << refused.err;
  EXPECT_NE(refused.err.find("[NARU-0304]"), std::string::npos) << refused.err;
}

TEST(Server, IsAnotherProcess) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  EXPECT_NE(run_naru({"mock", "status", mock.path()}).out.find("pid " + std::to_string(mock.pid()) + " "), std::string::npos);
}
