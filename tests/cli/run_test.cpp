// `naru run` and the verbs around packages: what they print, what they write, what stays the same from run to run.
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <vector>

#include "../support/golden_models.h"
#include "support.h"

using namespace naru::testing;
using Json = nlohmann::json;

namespace {

Json run_json(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
  arguments.insert(arguments.begin(), "run");
  arguments.push_back("--json");
  const Outcome outcome = run_naru(arguments, environment);
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false);
}

/// A binary (P5) portable graymap with the digit's pixels: int8 codes + 128.
std::string portable_graymap(const std::string& raw) {
  std::string pixels = "P5\n28 28\n255\n";
  for (const char c : raw) pixels += static_cast<char>(static_cast<unsigned char>(c) ^ 0x80U);
  return pixels;
}

/// The same picture as a bitmap: 24 bits a pixel, rows from the bottom up.
std::string bitmap(const std::string& raw) {
  std::string file = "BM";
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file += static_cast<char>(value >> (8 * i));
  };
  put(54 + 28 * 84, 4);
  put(0, 4);
  put(54, 4);
  put(40, 4);
  put(28, 4);
  put(28, 4);
  put(1, 2);
  put(24, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);
  for (std::size_t row = 28; row-- > 0;)
    for (std::size_t column = 0; column < 28; ++column) file.append(3, static_cast<char>(static_cast<unsigned char>(raw[row * 28 + column]) ^ 0x80U));
  return file;
}

}  // namespace

TEST(Run, NamesTheDigitFromARawTensorAPngAPpmAndABmp) {
  const Folder folder;
  write_text(folder / "seven.pgm", portable_graymap(source_file(kSeven)));
  write_text(folder / "seven.bmp", bitmap(source_file(kSeven)));
  std::string scores;
  for (const std::string& input : std::vector<std::string>{kSeven, kSevenImage, folder / "seven.pgm", folder / "seven.bmp"}) {
    const Json json = run_json({kDigits, "--device", "mock", "--input", input, "--labels", "models/digits/labels.txt"});
    EXPECT_EQ(json["top"][0]["class"], 7) << input;
    if (scores.empty()) scores = json["top"].dump();
    EXPECT_EQ(json["top"].dump(), scores) << input;
  }
  const Outcome text = run_naru({"run", kDigits, "--device", "mock", "--input", kSeven});
  EXPECT_TRUE(std::regex_search(text.out, std::regex("result   class 7 0\\.[0-9]{2} "))) << text.out;
  EXPECT_TRUE(std::regex_search(text.out, std::regex("time     upload [0-9.]+ ms · device [0-9.]+ ms \\([0-9,]+ cycles\\) · download [0-9.]+ ms, modelled\n"))) << text.out;
  EXPECT_TRUE(std::regex_search(text.out, std::regex("wall     compile [0-9.]+ ms · upload [0-9.]+ ms · device [0-9.]+ ms · download [0-9.]+ ms"))) << text.out;
}

TEST(Bench, CountsInferencesAtEveryDepthThatIsAsked) {
  const Outcome outcome = run_naru({"bench", kDigits, "--device", "mock", "--seconds", "0.01", "--depth", "2", "--depth", "16", "--json"});
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  const Json document = Json::parse(outcome.out, nullptr, false);
  const Json run = run_json({kDigits, "--device", "mock"});
  EXPECT_EQ(document["modelled"]["device_cycles"], run["timing"]["device_cycles"]);
  ASSERT_EQ(document["depths"].size(), 2U);
  EXPECT_EQ(document["depths"][0]["depth"], 2);
  EXPECT_EQ(document["depths"][1]["depth"], 16);
  for (const Json& row : document["depths"]) {
    EXPECT_LE(row["wall_p50_ms"], row["wall_p90_ms"]);
    EXPECT_LE(row["wall_p90_ms"], row["wall_p99_ms"]);
    EXPECT_GT(row["wall_per_second"], 0);
  }
  for (const std::string depth : {"0", "17"}) EXPECT_EQ(run_naru({"bench", kDigits, "--device", "mock", "--depth", depth}).exit, 2) << depth;
}

TEST(Run, TakesARawTensorThatBeginsAsAnImageDoes) {
  const Folder folder;
  for (const std::string magic : {"BM", "P5 ", "P6\t"}) {
    std::string tensor = magic;
    tensor.resize(784, '\x80');
    write_text(folder / "tensor.bin", tensor);
    EXPECT_EQ(run_naru({"run", kDigits, "--device", "mock", "--input", folder / "tensor.bin"}).exit, 0) << magic;
    // Of another size it can only be a broken image.
    tensor.pop_back();
    write_text(folder / "tensor.bin", tensor);
    const Outcome outcome = run_naru({"run", kDigits, "--device", "mock", "--input", folder / "tensor.bin"});
    EXPECT_EQ(outcome.exit, 11) << magic;
    EXPECT_NE(outcome.err.find("begins as an image"), std::string::npos) << outcome.err;
  }
}

TEST(Run, NormalisesAnImageAsTheFlagsSay) {
  const Folder folder;
  // The model's own scale is 1/255 with zero point -128: mean 0 and std 255 give the pixels back.
  const Json plain = run_json({kDigits, "--device", "mock", "--input", kSevenImage});
  const Json same = run_json({kDigits, "--device", "mock", "--input", kSevenImage, "--mean", "0", "--std", "255"});
  EXPECT_EQ(plain["top"], same["top"]);
  const Json black = run_json({kDigits, "--device", "mock", "--input", kSevenImage, "--mean", "255", "--std", "255"});
  EXPECT_NE(plain["top"], black["top"]);
}

TEST(Run, WritesOutputsAndTensorsOfTheRightSizes) {
  const Folder folder;
  const Json json = run_json({kDigits, "--device", "mock", "--input", kSeven, "--output-dir", folder / ".", "--tensor", "12"});
  const std::string output = read_text(folder / "output0.bin");
  EXPECT_EQ(output.size(), 10U);
  EXPECT_EQ(read_text(folder / "tensor" + json["outputs"][0]["tensor"].dump() + ".bin"), output);
}

TEST(Run, ConcatenatesTheOutputsOfSteps) {
  const Folder folder;
  std::string inputs, expected;
  for (const std::string digit : {"3", "7", "1"}) {
    const std::string input = "models/digits/samples/digit" + digit + ".bin";
    inputs += source_file(input);
    (void)run_json({kDigits, "--device", "mock", "--input", input, "--output-dir", folder / "."});
    expected += read_text(folder / "output0.bin");
  }
  write_text(folder / "three.bin", inputs);
  const Json json = run_json({kDigits, "--device", "mock", "--input", folder / "three.bin", "--steps", "3", "--repeat", "2", "--output-dir", folder / "."});
  EXPECT_EQ(read_text(folder / "output0.bin"), expected);
  EXPECT_EQ(json["runs"], 6);
}

TEST(Run, TakesTheSameCyclesEveryTime) {
  for (const std::string device : {"mock:edge", "mock:tiny"}) {
    const Json first = run_json({kDigits, "--device", device, "--input", kSeven}), second = run_json({kDigits, "--device", device, "--input", kSeven, "--repeat", "5"});
    EXPECT_GT(first["timing"]["device_cycles"], 0);
    EXPECT_EQ(first["timing"]["device_cycles"], second["timing"]["device_cycles"]) << device;
    EXPECT_EQ(first["timing"]["modelled"], second["timing"]["modelled"]) << device;
  }
}

TEST(Run, TakesTheDeviceFromTheEnvironmentUnlessOneIsNamed) {
  EXPECT_EQ(run_json({kDigits}, {"NARU_DEVICE=mock:tiny"})["device"], "mock:tiny");
  EXPECT_EQ(run_json({kDigits, "--device", "mock:edge"}, {"NARU_DEVICE=mock:tiny"})["device"], "mock:edge");
  EXPECT_EQ(run_json({kDigits})["device"], "mock:edge");
  EXPECT_EQ(run_naru({"run", kDigits}, {"NARU_DEVICE=node:/nothing/here"}).exit, 3);
}

TEST(Run, PrintsTheBytesThatTheHostCopied) {
  const std::string text = run_naru({"run", kDigits, "--device", "mock", "--counters"}).out;
  EXPECT_TRUE(std::regex_search(text, std::regex("counter +host\\.copied_bytes +[1-9]"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("counter +host\\.session_copied_bytes +784\n"))) << text;
}

TEST(Run, CountsCommandsPerKernel) {
  const auto kernels = [](const Json& json) {
    std::string used;
    for (const auto& [name, value] : json["counters"].items())
      if (name.find("kernel") != std::string::npos && value > 0) used += name + " ";
    return used;
  };
  const std::string portable = kernels(run_json({kDigits, "--device", "mock", "--counters"}, {"NARU_KERNELS=portable"}));
  EXPECT_NE(portable.find("portable"), std::string::npos) << portable;
  EXPECT_EQ(portable.find("vnni"), std::string::npos) << portable;
  EXPECT_EQ(portable.find("avx2"), std::string::npos) << portable;
}

TEST(Run, ComparesEveryBitWithTheReference) {
  for (const std::string device : {"mock:edge", "mock:tiny"}) {
    const Outcome outcome = run_naru({"run", kDigits, "--device", device, "--input", kSeven, "--check"});
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("equal the reference's, bit by bit"), std::string::npos) << outcome.out;
  }
}

TEST(Run, NamesClassesOnlyWhereScoresAreMeant) {
  const auto folder = models_folder();
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  const std::string autoencoder = (*folder / "mlperf_ad01_int8.tflite").string();
  EXPECT_TRUE(run_json({autoencoder, "--device", "mock"})["top"].empty());
  EXPECT_FALSE(run_json({kDigits, "--device", "mock"})["top"].empty());
}

TEST(Run, ComparesOperatorByOperatorWhereTheDeviceCannotHoldAllResultsAtOnce) {
  const auto models = models_folder();
  if (!models) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  const Folder folder;
  const std::string model = (*models / "tinyengine_detection.tflite").string();
  std::string small = source_file("profile/profiles/tiny.profile");
  small = std::regex_replace(small, std::regex("\ndram_bytes = [^\n]*"), "\ndram_bytes = 1280 KiB");
  write_text(folder / "small.profile", small);
  const Json whole = run_json({model, "--device", "mock:tiny", "--check"})["check"], parts = run_json({model, "--device", "mock:" + (folder / "small.profile"), "--check"})["check"];
  EXPECT_GT(whole["operators_compared"], 20);
  EXPECT_EQ(parts, whole);
}

TEST(Log, IsSilentUnlessAsked) {
  EXPECT_EQ(run_naru({"run", kDigits, "--device", "mock"}).err, "");
  EXPECT_EQ(run_naru({"run", kDigits, "--device", "mock"}, {"NARU_LOG=error"}).err, "");
  const std::string info = run_naru({"run", kDigits, "--device", "mock"}, {"NARU_LOG=info"}).err, debug = run_naru({"run", kDigits, "--device", "mock"}, {"NARU_LOG=debug"}).err;
  EXPECT_NE(info.find("naru info sdk: opened mock:edge"), std::string::npos) << info;
  EXPECT_EQ(info.find("naru debug"), std::string::npos) << info;
  EXPECT_NE(debug.find("naru debug driver: "), std::string::npos) << debug;
}

TEST(Inspect, ListsEveryTensorOfTheModel) {
  const Json json = Json::parse(run_naru({"inspect", kDigits, "--json"}).out, nullptr, false);
  std::map<std::string, int> kinds;
  std::int64_t before = -1;
  for (const Json& tensor : json["tensors"]) {
    EXPECT_GT(tensor["tensor"], before);
    before = tensor["tensor"];
    ++kinds[tensor["kind"]];
  }
  EXPECT_EQ(kinds["input"], 1);
  EXPECT_EQ(kinds["output"], 1);
  EXPECT_GT(kinds["constant"], 4);
  EXPECT_EQ(kinds["inner"], 4);
  const Outcome text = run_naru({"inspect", kDigits});
  EXPECT_NE(text.out.find("SHAPE AND NAME"), std::string::npos) << text.out;
}

TEST(Package, RunsAsItsModelDoesAndCanBeVerifiedInspectedAndDisassembled) {
  const Folder folder;
  const std::string package = make_package(folder, "edge");
  const Json from_model = run_json({kDigits, "--device", "mock:edge", "--input", kSeven}), from_package = run_json({package, "--device", "mock:edge", "--input", kSeven});
  EXPECT_EQ(from_model["top"], from_package["top"]);
  EXPECT_EQ(from_model["timing"]["device_cycles"], from_package["timing"]["device_cycles"]);
  const Outcome verified = run_naru({"verify", package});
  EXPECT_EQ(verified.exit, 0) << verified.err;
  EXPECT_NE(verified.out.find("commands"), std::string::npos);
  const Outcome inspected = run_naru({"inspect", package});
  EXPECT_EQ(inspected.exit, 0) << inspected.err;
  EXPECT_NE(inspected.out.find("CONV_2D"), std::string::npos) << inspected.out;
  const Outcome listing = run_naru({"disasm", package});
  EXPECT_EQ(listing.exit, 0) << listing.err;
  EXPECT_NE(listing.out.find("conv"), std::string::npos) << listing.out.substr(0, 500);
}

TEST(Package, IsTheSameBytesEveryTime) {
  const Folder one, two;
  EXPECT_EQ(read_text(make_package(one, "tiny")), read_text(make_package(two, "tiny")));
}
