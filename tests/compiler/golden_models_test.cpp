// The real models of issue 2: each compiles for both chips, its streams verify, and the package gives the golden outputs on the stream interpreter.
// The files are data beside the checkout (NARU_MODELS); without them these tests are skipped and say so.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

#include <fmt/format.h>

#include "chips.h"
#include "compiler/compiler.h"
#include "import/tflite/import.h"
#include "naru/abi/stream.h"
#include "naru/verify/verify.h"
#include "package/codec.h"
#include "package_runner.h"
#include "support/golden_models.h"

namespace naru::sdk::testing {
namespace {

/// The interpreter does some ten million multiply-accumulates a second: larger models run on the device in tests/golden.
constexpr std::uint64_t kInterpretedMacs = 10'000'000;

class GoldenModels : public ::testing::TestWithParam<std::tuple<std::string, Chip>> {};

TEST_P(GoldenModels, CompileVerifyAndGiveTheGoldenOutputs) {
  const auto& [model, chip] = GetParam();
  const auto folder = naru::testing::models_folder();
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  const auto golden = naru::testing::golden_model(*folder, model);
  const auto graph = import_tflite(std::make_shared<const Bytes>(naru::testing::read_all(golden.file)));
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  compiler::CompileOptions options;
  options.profile = chip.name;
  const auto start = std::chrono::steady_clock::now();
  const auto package = compiler::compile(*graph, chip.numbers, options);
  const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  ASSERT_TRUE(package) << package.error().to_string(true);

  std::uint64_t commands = 0, waits = 0, predicted = 0;
  for (const auto& step : package->steps) {
    const auto* job = std::get_if<package::NpuJob>(&step);
    if (job == nullptr) continue;
    const auto report = verify::verify_stream(job->stream, chip.numbers);
    ASSERT_TRUE(report) << report.error().to_string(true);
    abi::Stream stream;
    ASSERT_EQ(abi::decode_stream(job->stream, stream).fault, abi::StreamFault::kNone);
    for (const auto& command : stream.commands) waits += std::holds_alternative<abi::Wait>(command.body) ? 1 : 0;
    commands += stream.commands.size();
    predicted += job->predicted_cycles;
    EXPECT_EQ(job->worst_case_cycles, report->cycles_worst);
    EXPECT_LE(job->predicted_cycles, job->worst_case_cycles);
  }
  std::uint64_t tiled = 0, on_npu = 0;
  for (const auto& op : package->operators) {
    if (op.placement == package::Placement::kNpu) ++on_npu;
    if (op.tiles > 1) ++tiled;
  }
  std::cout << fmt::format("{} on {}: compiled in {:.0f} ms, {} commands ({} waits), {} of {} operators in several tiles, {} cycles, SRAM {} B, scratch {} B, DRAM {:.2f}x\n",
                           model, chip.name, took, commands, waits, tiled, on_npu, predicted, package->memory.sram_peak_bytes, package->scratch_bytes,
                           static_cast<double>(package->memory.dram_traffic_bytes) / static_cast<double>(package->memory.compulsory_bytes));
  ASSERT_TRUE(package::decode(package::encode(*package)));

  std::uint64_t macs = 0;
  for (const auto& op : package->operators) macs += op.macs;
  if (macs > kInterpretedMacs) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(golden.cases.size(), 2); ++i) {
    const auto& folder_of_case = golden.cases[i].folder;
    std::vector<Bytes> inputs;
    for (std::size_t input = 0; input < package->inputs.size(); ++input)
      inputs.push_back(naru::testing::read_all(folder_of_case / fmt::format("input{}.bin", input)));
    const auto tensors = run_package(*package, inputs);
    ASSERT_TRUE(tensors) << tensors.error().to_string(true);
    for (std::size_t output = 0; output < package->outputs.size(); ++output)
      EXPECT_TRUE((*tensors)[package->outputs[output]] == naru::testing::read_all(folder_of_case / fmt::format("output{}.bin", output)))
          << golden.cases[i].name << " output " << output;
  }
}

/// Without state and without the host's operators, so that the interpreter of streams can run them by itself.
const std::vector<std::string> kModelsOfTheNpu{
    "tflm_hello_world_int8",  "tflm_micro_speech_int8",    "emlearn_mnist_cnn_int8",   "aeq_conv_fc_mnist_srq_a8w8",          "mlperf_ad01_int8",
    "mlperf_ad_toycar_fullint_f32io", "mlperf_strww_int8", "mlperf_kws_dscnn_int8",    "mltk_rock_paper_scissors",            "mlperf_vww96_int8",
    "tflm_person_detect_int8", "mlperf_resnet8_int8",      "mlperf_resnet8_large_int8", "tflm_mobilenet_v2_1.0_224_pt_int8", "coral_tf2_mobilenet_v2_1.0_224_ptq"};

INSTANTIATE_TEST_SUITE_P(
    OfTheNpu, GoldenModels,
    ::testing::Combine(::testing::ValuesIn(kModelsOfTheNpu), ::testing::Values(edge(), tiny())),
    [](const auto& info) {
      std::string name = std::get<0>(info.param) + "_on_" + std::get<1>(info.param).name;
      for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      return name;
    });

}  // namespace
}  // namespace naru::sdk::testing
