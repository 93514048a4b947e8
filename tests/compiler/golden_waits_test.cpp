// No wait of any real model is redundant: without any one of them the verifier finds a hazard. Streams of many thousand commands are sampled, evenly.
#include <gtest/gtest.h>

#include <filesystem>

#include "chips.h"
#include "compiler/compiler.h"
#include "import/tflite/import.h"
#include "naru/abi/stream.h"
#include "naru/verify/verify.h"
#include "support/golden_models.h"

namespace naru::sdk::testing {
namespace {

/// Commands that one stream's removals may verify, together: seconds.
constexpr std::size_t kCommandsVerified = 40'000'000;

class GoldenWaits : public ::testing::TestWithParam<Chip> {};

TEST_P(GoldenWaits, AreAllNeeded) {
  const Chip& chip = GetParam();
  const auto folder = naru::testing::models_folder();
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  std::size_t removed = 0, left_out = 0, resident = 0;
  for (const auto& file : std::filesystem::directory_iterator(*folder)) {
    if (file.path().extension() != ".tflite") continue;
    const auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(naru::testing::read_all(file.path())));
    if (!graph) continue;  // other tests say which models must compile
    const auto package = compiler::compile(*graph, chip.numbers, {});
    if (!package) continue;
    std::vector<const package::JobStream*> streams;
    for (const auto& step : package->steps)
      if (const auto* job = std::get_if<package::NpuJob>(&step)) streams.push_back(job);
    const auto resident_package = compiler::compile(*graph, chip.numbers, {.profile = chip.name, .keep_tensors = {}, .resident_weights = true});
    ASSERT_TRUE(resident_package) << file.path();
    for (const auto& step : resident_package->steps)
      if (const auto* job = std::get_if<package::NpuJob>(&step); job != nullptr && job->has_resident()) {
        streams.push_back(job);
        streams.push_back(&job->resident);
        ++resident;
      }
    for (const package::JobStream* job : streams) {
      abi::Stream stream;
      ASSERT_EQ(abi::decode_stream(job->stream, stream).fault, abi::StreamFault::kNone);
      std::vector<std::size_t> waits;
      for (std::size_t i = 0; i < stream.commands.size(); ++i)
        if (std::holds_alternative<abi::Wait>(stream.commands[i].body)) waits.push_back(i);
      const std::size_t stride = std::max<std::size_t>(1, waits.size() * stream.commands.size() / kCommandsVerified);
      for (std::size_t k = 0; k < waits.size(); ++k) {
        if (k % stride != 0) {
          ++left_out;
          continue;
        }
        abi::Stream without = stream;
        without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(waits[k]));
        const auto report = verify::verify_stream(without, chip.numbers);
        ++removed;
        ASSERT_FALSE(report) << file.path().stem() << ": the wait at command " << waits[k] << " is not needed";
        ASSERT_EQ(report.error().id(), ErrorId::kStreamHazard) << report.error().to_string(true);
      }
    }
  }
  EXPECT_GT(removed, 100U);
  EXPECT_GT(resident, 0U);
  std::cout << removed << " waits removed one by one, " << left_out << " left out; " << resident << " models also with weights that stay\n";
}

INSTANTIATE_TEST_SUITE_P(RealModels, GoldenWaits, ::testing::Values(edge(), tiny()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace naru::sdk::testing
