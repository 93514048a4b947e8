// The exit codes of docs/spec/errors.md, each reached from outside, with an id and a remedy on stderr.
#include <cstring>
#include <regex>
#include <vector>

#include "support.h"

using namespace naru::testing;

namespace {

/// The outcome of a failing command, which must be told as a headline with an id, then an indented remedy; stdout stays empty.
Outcome expect_failure(const std::vector<std::string>& arguments, int exit, const std::string& id, const std::vector<std::string>& environment = {}) {
  const Outcome outcome = run_naru(arguments, environment);
  std::string line;
  for (const std::string& argument : arguments) line += argument + " ";
  EXPECT_EQ(outcome.exit, exit) << line << "\n" << outcome.err;
  EXPECT_TRUE(std::regex_search(outcome.err, std::regex("^naru: [^\n]+\\[" + id + "\\]\n  [^ \n][^\n]+\n"))) << line << "\n" << outcome.err;
  EXPECT_EQ(outcome.out, "") << line;
  return outcome;
}

/// The digit model with its SOFTMAX under a number that no operator has: model.operator_codes[i].builtin_code, found as FlatBuffers lays it out.
std::string model_with_unknown_operator() {
  std::string model = source_file(kDigits);
  const auto read32 = [&](std::size_t at) {
    std::int32_t value = 0;
    std::memcpy(&value, model.data() + at, 4);
    return value;
  };
  const auto field = [&](std::size_t table, std::size_t index) {
    const std::size_t vtable = table - static_cast<std::size_t>(read32(table));
    std::uint16_t offset = 0;
    std::memcpy(&offset, model.data() + vtable + 4 + 2 * index, 2);
    return table + offset;
  };
  const auto follow = [&](std::size_t at) { return at + static_cast<std::size_t>(read32(at)); };
  const std::size_t codes = follow(field(follow(0), 1));
  for (std::int32_t i = 0; i < read32(codes); ++i) {
    const std::size_t code = follow(codes + 4 + 4 * static_cast<std::size_t>(i));
    const std::int32_t unknown = 5000;
    if (read32(field(code, 3)) != 25) continue;
    model[field(code, 0)] = 127;
    std::memcpy(model.data() + field(code, 3), &unknown, 4);
    return model;
  }
  ADD_FAILURE() << "no SOFTMAX in the digit model";
  return model;
}

}  // namespace

TEST(ExitCode, Is2ForUsage) {
  const Folder folder;
  expect_failure({"frobnicate"}, 2, "NARU-0102");
  expect_failure({"run"}, 2, "NARU-0102");
  expect_failure({"run", kDigits, "--bogus"}, 2, "NARU-0102");
  expect_failure({"run", kDigits, "--repeat", "0"}, 2, "NARU-0102");
  expect_failure({"run", kDigits, "--tensor", "abc"}, 2, "NARU-0102");
  expect_failure({"run", kDigits, "--steps", "-1"}, 2, "NARU-0102");
  expect_failure({"mock"}, 2, "NARU-0102");
  expect_failure({"mock", "serve"}, 2, "NARU-0102");
  expect_failure({"compile", kDigits}, 2, "NARU-0102");
  expect_failure({"diag", "--device", "mock", "--level", "3"}, 2, "NARU-0102");
  expect_failure({"reset", "--device", "mock", "--level", "hard"}, 2, "NARU-0102");
  expect_failure({"info", "--device", "frob:1"}, 2, "NARU-0109");
  expect_failure({"info", "--device", "mock:nothing"}, 2, "NARU-0111");
  expect_failure({"compile", kDigits, "-o", folder / "x", "--profile", "nothing"}, 2, "NARU-0111");
  expect_failure({"compile", kDigits, "-o", folder / "missing/x"}, 2, "NARU-0105");
  expect_failure({"run", kDigits, "--device", "mock", "--output-dir", "/proc/nothing"}, 2, "NARU-0105");
  expect_failure({"run", kDigits, "--device", "mock", "--tensor", "999"}, 2, "NARU-0101");
  expect_failure({"run", kDigits, "--device", "mock", "--input", kSeven, "--input", kSeven}, 2, "NARU-0101");
  expect_failure({"run", kDigits, "--device", "mock", "--input", kSevenImage, "--mean", "0", "--std", "0"}, 2, "NARU-0101");
  for (const std::string value : {"inf", "nan"}) {
    expect_failure({"run", kDigits, "--device", "mock", "--input", kSevenImage, "--mean", value}, 2, "NARU-0101");
    expect_failure({"run", kDigits, "--device", "mock", "--input", kSevenImage, "--std", value}, 2, "NARU-0101");
  }
  expect_failure({"run", kDigits, "--device", "mock", "--input", kSeven, "--mean", "0"}, 2, "NARU-0101");
  expect_failure({"run", kDigits, "--device", "mock", "--std", "255"}, 2, "NARU-0101");
  expect_failure({"help", "frobnicate"}, 2, "NARU-0102");
  EXPECT_EQ(run_naru({}).exit, 2);
}

TEST(ExitCode, Is2ForATensorThatAPackageDoesNotKeep) {
  const Folder folder;
  const std::string package = folder / "digits.naru";
  ASSERT_EQ(run_naru({"compile", kDigits, "-o", package, "--tensor", "12"}).exit, 0);
  EXPECT_EQ(run_naru({"run", package, "--device", "mock", "--tensor", "12", "--output-dir", folder / "."}).exit, 0);
  EXPECT_NE(read_text(folder / "tensor12.bin"), "");
  const Outcome outcome = expect_failure({"run", package, "--device", "mock", "--tensor", "9"}, 2, "NARU-0101");
  EXPECT_NE(outcome.err.find(".tflite"), std::string::npos) << outcome.err;
}

TEST(ExitCode, Is4ForADeviceThatTheUserMayNotOpen) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  const std::filesystem::path folder = std::filesystem::path(mock.path()).parent_path();
  std::filesystem::permissions(folder, std::filesystem::perms::none);
  // Root enters every folder, so it gives up just that.
  std::vector<std::string> command;
  if (::geteuid() == 0) command = {"setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"};
  command.insert(command.end(), {"naru", "info", "--device", mock.selector()});
  const Outcome outcome = run_program(command);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  EXPECT_EQ(outcome.exit, 4) << outcome.err;
  EXPECT_NE(outcome.err.find("NARU-0303"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("Run as the user who serves the node"), std::string::npos) << outcome.err;
}

TEST(ExitCode, Is13ForALinkThatDamagesWhatItCarriesAnd6ForTheWarningThatItLeaves) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  EXPECT_EQ(run_naru({"diag", "--device", mock.selector(), "--strict"}).exit, 0);
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "link"}).exit, 0);
  const Outcome run = run_naru({"run", kDigits, "--device", mock.selector()});
  EXPECT_EQ(run.exit, 13) << run.err;
  EXPECT_TRUE(std::regex_search(run.err, std::regex("\\[NARU-03[0-9]{2}\\]"))) << run.err;
  const Outcome damaged = run_naru({"diag", "--device", mock.selector(), "--level", "2"});
  EXPECT_TRUE(std::regex_search(damaged.out, std::regex("SKIP  operator.conv2d [^\n]*link.loopback"))) << damaged.out;
  EXPECT_EQ(damaged.out.find(" 0 skipped"), std::string::npos) << damaged.out;
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "clear"}).exit, 0);
  const Outcome after = run_naru({"diag", "--device", mock.selector()});
  EXPECT_EQ(after.exit, 0) << after.out;
  EXPECT_TRUE(std::regex_search(after.out, std::regex("WARN  device.counters [^\n]*checksum errors"))) << after.out;
  EXPECT_EQ(run_naru({"diag", "--device", mock.selector(), "--strict"}).exit, 6);
}

TEST(ExitCode, Is2ForWhatAServedMockRefusesAndSaysWhatToDo) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  const Outcome beyond = expect_failure({"mock", "plant", mock.path(), "sram_bit", "999999999999"}, 2, "NARU-0101");
  EXPECT_NE(beyond.err.find("from 0 to"), std::string::npos) << beyond.err;
  expect_failure({"mock", "plant", mock.path(), "gremlins"}, 2, "NARU-0101");
  ASSERT_EQ(run_naru({"mock", "unplug", mock.path()}).exit, 0);
  const Outcome twice = expect_failure({"mock", "unplug", mock.path()}, 2, "NARU-0101");
  EXPECT_NE(twice.err.find("naru mock plug " + mock.path()), std::string::npos) << twice.err;
}

TEST(ExitCode, Is3WithoutADevice) {
  for (const std::string verb : {"info", "diag", "counters", "reset"}) {
    expect_failure({verb, "--device", "usb:NOSUCH"}, 3, "NARU-0301");
    const Outcome outcome = expect_failure({verb}, 3, "NARU-0301");
    EXPECT_NE(outcome.err.find("--device mock"), std::string::npos) << outcome.err;
  }
}

TEST(ExitCode, Is3ForANodeThatNobodyServes) {
  const Folder folder;
  expect_failure({"info", "--device", "node:" + (folder / "nothing")}, 3, "NARU-0317");
  expect_failure({"run", kDigits, "--device", "node:" + (folder / "nothing")}, 3, "NARU-0317");
  write_text(folder / "file", "");
  const Outcome outcome = run_naru({"info", "--device", "node:" + (folder / "file")});
  EXPECT_EQ(outcome.exit, 3) << outcome.err;
  expect_failure({"mock", "status", folder / "nothing"}, 3, "NARU-0317");
}

TEST(ExitCode, Is11ForABadOrMissingFile) {
  const Folder folder;
  write_text(folder / "text", "this is no model at all");
  write_text(folder / "cut.tflite", source_file(kDigits).substr(0, 9000));
  write_text(folder / "short.bin", source_file(kSeven).substr(1));
  write_text(folder / "broken.png", source_file(kSevenImage).substr(0, 100));
  for (const std::string verb : {"run", "inspect", "disasm", "verify"}) {
    expect_failure({verb, folder / "nothing"}, 11, "NARU-0103");
    expect_failure({verb, folder / "text"}, 11, "NARU-0201");
    expect_failure({verb, folder / "cut.tflite"}, 11, "NARU-02[0-9]{2}");
    expect_failure({verb, "models"}, 11, "NARU-0104");
  }
  expect_failure({"compile", folder / "text", "-o", folder / "out"}, 11, "NARU-0201");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  const Outcome size = expect_failure({"run", kDigits, "--device", "mock", "--input", folder / "short.bin"}, 11, "NARU-0106");
  EXPECT_NE(size.err.find("783 bytes"), std::string::npos);
  EXPECT_NE(size.err.find("784"), std::string::npos);
  expect_failure({"run", kDigits, "--device", "mock", "--input", kSeven, "--steps", "2"}, 11, "NARU-0106");
  expect_failure({"run", kDigits, "--device", "mock", "--input", folder / "broken.png"}, 11, "NARU-0108");
  expect_failure({"run", kDigits, "--device", "mock", "--input", folder / "nothing"}, 11, "NARU-0103");
  expect_failure({"run", kDigits, "--device", "mock", "--labels", folder / "nothing"}, 11, "NARU-0103");
}

TEST(ExitCode, Is11ForAFifoAndForAnEmptyPathAtOnce) {
  const Folder folder;
  ASSERT_EQ(run_program({"/usr/bin/mkfifo", folder / "fifo"}).exit, 0);
  expect_failure({"inspect", folder / "fifo"}, 11, "NARU-0104");
  expect_failure({"run", kDigits, "--device", "mock", "--input", folder / "fifo"}, 11, "NARU-0104");
  expect_failure({"inspect", ""}, 11, "NARU-0103");
}

TEST(ExitCode, Is11ForAnOperatorThatIsNotKnownAndNamesIt) {
  const Folder folder;
  write_text(folder / "new.tflite", model_with_unknown_operator());
  for (const std::string verb : {"run", "inspect", "verify"}) {
    const Outcome outcome = expect_failure({verb, folder / "new.tflite"}, 11, "NARU-0208");
    EXPECT_NE(outcome.err.find("5000"), std::string::npos) << outcome.err;
  }
}

TEST(ExitCode, Is11ForAPackageThatIsCutOrFlipped) {
  const Folder folder;
  const std::string package = read_text(make_package(folder, "edge"));
  for (const std::size_t length : {std::size_t{40}, package.size() / 2, package.size() - 1}) {
    write_text(folder / "cut.naru", package.substr(0, length));
    expect_failure({"run", folder / "cut.naru", "--device", "mock"}, 11, "NARU-05[0-9]{2}");
  }
  for (std::size_t i = 1; i < 8; ++i) {
    std::string flipped = package;
    flipped[package.size() * i / 8] ^= 0x10;
    write_text(folder / "flipped.naru", flipped);
    expect_failure({"run", folder / "flipped.naru", "--device", "mock"}, 11, "NARU-0503");
    expect_failure({"verify", folder / "flipped.naru"}, 11, "NARU-0503");
  }
}

TEST(ExitCode, Is9ForAPackageOfAnotherChip) {
  const Folder folder;
  const Outcome outcome = expect_failure({"run", make_package(folder, "edge"), "--device", "mock:tiny"}, 9, "NARU-0505");
  EXPECT_NE(outcome.err.find("--profile"), std::string::npos) << outcome.err;
}

TEST(ExitCode, Is1ForACheckThatDiffersAndNamesTheFirstOperator) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  const Folder folder;
  const std::vector<std::string> check = {"run", kDigits, "--device", mock.selector(), "--input", make_noise(folder), "--steps", "10", "--check"};
  EXPECT_EQ(run_naru(check).exit, 0);
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "kernel_error"}).exit, 0);
  const Outcome outcome = run_naru(check);
  EXPECT_EQ(outcome.exit, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("NARU-0801"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("first at operator 0 CONV_2D"), std::string::npos) << outcome.err;
  std::vector<std::string> check_json = check;
  check_json.push_back("--json");
  const std::string json = run_naru(check_json).out;
  EXPECT_TRUE(std::regex_search(json, std::regex("\"first_difference\": \\{\n *\"inference\": 0,\n *\"operator\": 0,"))) << json;
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "clear"}).exit, 0);
  EXPECT_EQ(run_naru(check).exit, 0);
}

TEST(ExitCode, Is1ForDiagnosticsThatFind) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  struct Planted {
    std::string fault, test;
  };
  for (const Planted& planted : {Planted{"kernel_error", "operator.conv2d"}, Planted{"sram_bit 4099", "memory.sram.march"}, Planted{"link", "link.loopback"}}) {
    ASSERT_EQ(run_naru({"mock", "plant", mock.path(), planted.fault}).exit, 0);
    const Outcome outcome = run_naru({"diag", "--device", mock.selector(), "--level", "2"});
    EXPECT_EQ(outcome.exit, 1) << planted.fault << "\n" << outcome.out << outcome.err;
    EXPECT_TRUE(std::regex_search(outcome.out, std::regex("FAIL  " + planted.test + " [^\n]*-> [^\n]*\\[NARU-08[0-9]{2}\\]"))) << planted.fault << "\n" << outcome.out;
    ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "clear"}).exit, 0);
  }
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "kernel_error"}).exit, 0);
  const Outcome strict = run_naru({"diag", "--device", mock.selector(), "--level", "2", "--strict"});
  EXPECT_EQ(strict.exit, 8) << strict.out;
  EXPECT_NE(strict.out.find("verdict: replace the device"), std::string::npos) << strict.out;
  ASSERT_EQ(run_naru({"mock", "plant", mock.path(), "clear"}).exit, 0);
  const Outcome outcome = run_naru({"diag", "--device", mock.selector(), "--level", "2"});
  EXPECT_EQ(outcome.exit, 0) << outcome.out;
  EXPECT_NE(outcome.out.find(" 0 failed"), std::string::npos) << outcome.out;
}

TEST(ExitCode, Is5ForADeviceThatAnotherProcessHolds) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  Program holder(naru_command({"run", kDigits, "--device", mock.selector(), "--repeat", "1000000"}));
  for (int tries = 0; tries < 2000 && run_naru({"mock", "status", mock.path()}).out.find("claimed 1") == std::string::npos; ++tries) ASSERT_TRUE(holder.running());
  const Outcome outcome = run_naru({"run", kDigits, "--device", mock.selector()});
  EXPECT_EQ(outcome.exit, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("NARU-0304"), std::string::npos) << outcome.err;
  const Outcome reset = run_naru({"reset", "--device", mock.selector()});
  EXPECT_EQ(reset.exit, 5) << reset.err;
  EXPECT_NE(reset.err.find("--force"), std::string::npos) << reset.err;
  EXPECT_TRUE(holder.running());
  const Outcome forced = run_naru({"reset", "--device", mock.selector(), "--force"});
  EXPECT_EQ(forced.exit, 0) << forced.err;
  const Outcome ended = holder.wait();
  EXPECT_EQ(ended.exit, 3) << ended.err;
  EXPECT_NE(ended.err.find("NARU-0316"), std::string::npos) << ended.err;
}

TEST(ExitCode, Is12ForADeadlineThatPassed) {
  const Outcome outcome = expect_failure({"run", kDigits, "--device", "mock", "--deadline", "0.001"}, 12, "NARU-0704");
  EXPECT_EQ(run_naru({"run", kDigits, "--device", "mock", "--deadline", "1000"}).exit, 0);
}

TEST(ExitCode, Is12ForARunThatASignalEnded) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  for (const int number : {SIGINT, SIGTERM}) {
    Program run(naru_command({"run", kDigits, "--device", mock.selector(), "--repeat", "1000000", "--json"}));
    for (int tries = 0; tries < 2000 && run_naru({"mock", "status", mock.path()}).out.find("claimed 1") == std::string::npos; ++tries) ASSERT_TRUE(run.running());
    run.signal(number);
    const Outcome outcome = run.wait();
    EXPECT_EQ(outcome.exit, 12) << outcome.err;
    EXPECT_NE(outcome.err.find("NARU-0703"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.out.find("\"exit_code\": 12"), std::string::npos) << outcome.out;
  }
}

TEST(ExitCode, Is7WhenTheOutputCannotBeWritten) {
  for (const std::string verb : {"list", "version --json", "help", "run --help", "--version", "inspect models/digits/digits.tflite --json"}) {
    const Outcome outcome = run_program({"/bin/sh", "-c", "naru " + verb + " >/dev/full"});
    EXPECT_EQ(outcome.exit, 7) << verb << outcome.err;
    EXPECT_NE(outcome.err.find("NARU-0113"), std::string::npos) << verb << outcome.err;
  }
}

TEST(ExitCode, Is2ForKernelsThatDoNotExist) {
  const Outcome outcome = expect_failure({"run", kDigits, "--device", "mock"}, 2, "NARU-0101", {"NARU_KERNELS=nonsense"});
  EXPECT_NE(outcome.err.find("nonsense"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("portable"), std::string::npos) << outcome.err;
}
