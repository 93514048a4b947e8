// Goal: 2,500 mutated packages (of 10,000 mutated things, see histogram.h), with hashes put right again, end in an error or a right result each. Method: fields, bindings and streams of the digit model's package are
// changed and encoded anew; what decoding accepts runs in a session; its outputs must be the stream interpreter's on the same package.
#include <gtest/gtest.h>

#include "compiler/compiler.h"
#include "compiler/package_runner.h"
#include "mutation/histogram.h"
#include "mutation/mutate.h"
#include "naru/base/file.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "naru/session.h"
#include "package/codec.h"
#include "runtime/handles.h"

namespace naru {
namespace {

using sdk::package::NpuJob;
using sdk::package::Package;

constexpr unsigned kRounds = 2500;

template <typename T>
void change(T& value, Random& random) {
  value = static_cast<T>(random.chance(3) ? value + T{1} : static_cast<T>(testing::edge_value(random)));
}

void mutate_package(Package& package, Random& random) {
  auto& job = std::get<NpuJob>(package.steps[0]);
  switch (random.below(8)) {
    case 0: {
      auto& binding = job.bindings[random.below(job.bindings.size())];
      switch (random.below(5)) {
        case 0: binding.source = static_cast<sdk::package::RegionSource>(random.below(8)); break;
        case 1: change(binding.tensor, random); break;
        case 2: change(binding.offset, random); break;
        case 3: change(binding.bytes, random); break;
        default: binding.rights = static_cast<abi::Rights>(random.below(5)); break;
      }
      break;
    }
    case 1: change(package.tensors[random.below(package.tensors.size())].bytes, random); break;
    case 2: change(random.chance(2) ? package.inputs[0] : package.outputs[0], random); break;
    case 3: change(random.chance(2) ? package.scratch_bytes : package.requirements.sram_bytes, random); break;
    case 4: {
      std::vector<std::byte> constants(package.constants.begin(), package.constants.end());
      constants[random.below(constants.size())] ^= static_cast<std::byte>(1U << random.below(8));
      package.constants = std::move(constants);
      break;
    }
    case 5: change(random.chance(2) ? job.worst_case_cycles : job.predicted_cycles, random); break;
    default: {
      abi::Stream stream;
      (void)abi::decode_stream(job.stream, stream);
      testing::mutate(stream, random);
      job.stream = abi::encode_stream(stream);
    }
  }
}

TEST(PackageMutations, EndInAnErrorOrARightResult) {
  const profile::Profile tiny = profile::load("tiny").value();
  const std::string folder = NARU_SOURCE_DIR "/models/digits/";
  const Model source = Model::load(folder + "digits.tflite").value();
  const Package original = sdk::compiler::compile(*source.handle()->graph, tiny.chip, {.profile = "tiny", .keep_tensors = {}}).value();
  const std::vector<std::byte> picture = read_file(folder + "samples/digit4.bin").value();
  testing::Histogram histogram;
  Random random(31);
  for (unsigned round = 0; round < kRounds; ++round) {
    Package package = original;
    mutate_package(package, random);
    std::vector<std::byte> bytes = sdk::package::encode(package);
    if (random.chance(20)) bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1U << random.below(8));
    if (random.chance(40)) bytes.resize(random.below(bytes.size()));
    const Result<Model> model = Model::from_bytes(bytes);
    if (!model) {
      const ErrorId id = model.error().id();
      if (id != ErrorId::kPackageHash && id != ErrorId::kPackageTruncated && id != ErrorId::kPackageNotNaru && id != ErrorId::kPackageVersion && id != ErrorId::kModelNotTflite) histogram.got_past_framing();
      histogram.refused(model.error().id_text() + " " + std::string(error_row(id).name));
      continue;
    }
    histogram.got_past_framing();
    // A device of its own: memory that a damaged program reads without having written it is zero there, as it is for the judge.
    Result<Device> device = open_device_on(std::make_unique<driver::InprocTransport>(mockdev::Device::create(tiny).value()));
    ASSERT_TRUE(device) << device.error().to_string(true);
    Result<Session> session = Session::create(*device, *model);
    if (!session) {
      histogram.refused(session.error().id_text() + " " + std::string(error_row(session.error().id()).name));
      continue;
    }
    if (session->inputs().size() != 1 || session->inputs()[0].bytes != picture.size()) {
      histogram.refused("the test: its input has another size");
      continue;
    }
    ASSERT_TRUE(session->input(0).fill_from(std::span<const std::byte>(picture)));
    const Result<Outputs> outputs = session->run();
    if (!outputs) {
      histogram.refused(outputs.error().id_text() + " " + std::string(error_row(outputs.error().id()).name));
      continue;
    }
    const Package& accepted = *model->handle()->package;
    const auto expected = sdk::testing::run_package(accepted, {picture}, sdk::testing::Memory::kZero);
    ASSERT_TRUE(expected) << "round " << round << ": " << expected.error().to_string(true);
    histogram.executed(true);
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      const auto got = outputs->at(i).bytes();
      const auto& want = (*expected)[accepted.outputs[i]];
      ASSERT_TRUE(std::equal(got.begin(), got.end(), want.begin(), want.end())) << "round " << round << ", output " << i;
    }
  }
  histogram.record("packages");
  EXPECT_EQ(histogram.total(), kRounds);
  EXPECT_GT(histogram.past_framing(), kRounds / 2);
  EXPECT_GT(histogram.judged(), kRounds / 20);
  EXPECT_GE(histogram.checks(), 6U);
}

}  // namespace
}  // namespace naru
