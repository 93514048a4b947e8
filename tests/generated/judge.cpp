// Import, reference, session on either profile, comparison.
#include "judge.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "naru/compile.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "naru/session.h"
#include "reference/interpreter.h"
#include "runtime/handles.h"
#include "support/cpu.h"

namespace naru::generated {
namespace {

using abi::ElementType;
using sdk::graph::Graph;
using Bytes = std::vector<std::byte>;

Bytes input_of(const sdk::graph::Tensor& tensor, Random& random) {
  Bytes bytes(sdk::graph::byte_size(tensor));
  const bool extremes = random.chance(8);
  switch (tensor.type) {
    case ElementType::kF32:
      for (std::size_t i = 0; i < bytes.size(); i += 4)
        store_le(bytes.data() + i, std::bit_cast<std::uint32_t>(static_cast<float>(random.between(-4000, 4000)) / 1000.0F));
      break;
    case ElementType::kI32:
      for (std::size_t i = 0; i < bytes.size(); i += 4) store_le(bytes.data() + i, static_cast<std::int32_t>(random.between(-1000, 1000)));
      break;
    case ElementType::kBool:
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(2));
      break;
    case ElementType::kI16:
      for (std::size_t i = 0; i < bytes.size(); i += 2)
        store_le(bytes.data() + i, static_cast<std::int16_t>(extremes ? (random.chance(2) ? -32768 : 32767) : random.between(-32768, 32767)));
      break;
    default:
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(extremes ? (random.chance(2) ? 0x80 : 0x7F) : random.below(256));
  }
  return bytes;
}

/// An input keeps its elements when others are cut away.
std::uint64_t seed_of(const std::string& name, std::uint64_t seed) {
  for (char letter : name) seed = Random(seed ^ static_cast<std::uint8_t>(letter)).next();
  return seed;
}

bool same_float(std::uint32_t got_bits, std::uint32_t expected_bits) {
  const float got = std::bit_cast<float>(got_bits), expected = std::bit_cast<float>(expected_bits);
  if (std::isnan(got) || std::isnan(expected)) return std::isnan(got) && std::isnan(expected);
  if (got == expected) return true;
  return std::abs(got - expected) <= 1.0e-5F * std::max(1.0F, std::abs(expected)) && std::isfinite(expected);
}

/// Empty when the bytes mean the same.
std::string difference(std::span<const std::byte> got, std::span<const std::byte> expected, ElementType type) {
  if (got.size() != expected.size()) return fmt::format("{} bytes in place of {}", got.size(), expected.size());
  const std::size_t bytes = abi::element_bytes(type);
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < got.size(); i += bytes) {
    const bool same = type == ElementType::kF32 ? same_float(load_le<std::uint32_t>(got.data() + i), load_le<std::uint32_t>(expected.data() + i))
                                                : std::equal(got.begin() + static_cast<std::ptrdiff_t>(i), got.begin() + static_cast<std::ptrdiff_t>(i + bytes),
                                                             expected.begin() + static_cast<std::ptrdiff_t>(i));
    if (!same && wrong++ == 0) first = i;
  }
  if (wrong == 0) return {};
  const auto shown = [&](std::span<const std::byte> from) {
    if (type == ElementType::kF32) return fmt::format("{}", std::bit_cast<float>(load_le<std::uint32_t>(from.data() + first)));
    std::string text = "0x";
    for (std::size_t i = bytes; i-- > 0;) text += fmt::format("{:02x}", static_cast<unsigned>(from[first + i]));
    return text;
  };
  return fmt::format("{} of {} elements of {}, the first is {}: {} in place of {}", wrong, got.size() / bytes, abi::name_of(type), first / bytes, shown(got),
                     shown(expected));
}

Verdict rejected(std::string where, const Error& error) {
  return {Outcome::kRejected, std::move(where), fmt::format("{}", static_cast<unsigned>(error.id())), error.to_string(true)};
}

}  // namespace

struct Judge::Bench {
  std::string profile, kernels;
  std::unique_ptr<mockdev::Device> mock;
  Device device;
};

Judge::Judge() {
  for (const char* name : {"edge", "tiny"}) {
    for (const std::string& kernels : testing::executable_kernels()) {
      auto mock = mockdev::Device::create(profile::load(name).value(), {.serial = "GENERATED", .kernels = kernels}).value();
      Device device = open_device_on(std::make_unique<driver::InprocTransport>(*mock)).value();
      benches_.push_back(std::make_unique<Bench>(Bench{name, kernels, std::move(mock), std::move(device)}));
    }
  }
}
Judge::~Judge() = default;

void Judge::plant_kernel_error(bool planted) {
  mockdev::PlantedFaults faults;
  faults.kernel_error = planted;
  for (const auto& bench : benches_) bench->mock->plant(faults);
}

/// A model, what it is given in each run, and what it should say.
struct Judge::Trial {
  const naru::Model& model;
  const Graph& graph;
  bool keeps_weights;
  std::vector<std::vector<Bytes>> inputs, expected;
};

namespace {

constexpr std::size_t kRunsWithKeptWeights = 4;

/// One inference. `cycles` is what the compiler said that the device takes.
Verdict run_once(Session& session, const Graph& graph, std::size_t run, const std::vector<Bytes>& inputs, const std::vector<Bytes>& expected,
                 std::uint64_t cycles, const std::string& where) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (auto filled = session.input(i).fill_from(std::span<const std::byte>(inputs[i])); !filled) return rejected("input on " + where, filled.error());
  const Result<Outputs> outputs = session.run();
  if (!outputs) return rejected("run on " + where, outputs.error());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const sdk::graph::Tensor& tensor = graph.tensor(graph.outputs[i]);
    if (const std::string text = difference(outputs->at(i).bytes(), expected[i], tensor.type); !text.empty())
      return {Outcome::kDiffers, where, {}, fmt::format("run {}, output {} {}: {}", run, i, sdk::graph::to_string(tensor.shape), text)};
  }
  const std::uint64_t taken = outputs->timing().device_cycles;
  if (taken != cycles) return {Outcome::kDiffers, where + " in time", {}, fmt::format("run {}: {} cycles in place of {}", run, taken, cycles)};
  return {};
}

}  // namespace

Verdict Judge::judge_on(Bench& bench, const Trial& trial) {
  const std::string on = bench.profile + " (" + bench.kernels + ")";
  Result<Session> plain = Session::create(bench.device, trial.model, {.keep_tensors = {}, .depth = 1});
  if (!plain) return rejected("session on " + on, plain.error());
  const Result<ModelSummary> summary = summarize(plain->package(), bench.profile);
  if (!summary) return rejected("summary for " + on, summary.error());
  for (const OperatorSummary& op : summary->operators) ++(op.placement == "host" ? on_host : on_npu);
  const auto run = [&](Session& session, std::size_t number, std::uint64_t cycles, const std::string& where) {
    return run_once(session, trial.graph, number, trial.inputs[number], trial.expected[number], cycles, where);
  };
  const std::size_t last = trial.inputs.size() - 1;
  const std::size_t runs_first = trial.keeps_weights ? last : last + 1;
  for (std::size_t i = 0; i < runs_first; ++i)
    if (Verdict verdict = run(*plain, i, summary->predicted_cycles, on); !verdict.ok()) return verdict;
  if (!trial.keeps_weights) return {};

  const std::string where = on + " with weights that stay";
  Result<Session> keeping = Session::create(bench.device, trial.model, {.keep_tensors = {}, .depth = 1, .resident_weights = true});
  if (!keeping) return rejected("session on " + where, keeping.error());
  const Result<ModelSummary> kept_summary = summarize(keeping->package(), bench.profile);
  if (!kept_summary) return rejected("summary for " + where, kept_summary.error());
  const std::uint64_t cold = kept_summary->predicted_cycles, warm = kept_summary->resident_cycles.value_or(cold);
  ++asked_to_keep;
  can_keep += kept_summary->resident_cycles ? 1 : 0;
  for (std::size_t i = 0; i < last; ++i) {
    if (Verdict verdict = run(*keeping, i, i == 0 ? cold : warm, where); !verdict.ok()) return verdict;
    kept += i > 0 && warm < cold ? 1 : 0;
  }
  // The other session takes the SRAM; then the weights have to be loaded again.
  if (Verdict verdict = run(*plain, last, summary->predicted_cycles, on); !verdict.ok()) return verdict;
  return run(*keeping, last, cold, where);
}

Verdict Judge::judge(const testing_models::SharedBytes& bytes, std::uint64_t seed, std::size_t runs_wanted) {
  const Result<naru::Model> model = naru::Model::from_bytes(*bytes, "generated");
  if (!model) return rejected("importer", model.error());
  const Graph& graph = *model->handle()->graph;
  const bool keeps_weights = Random(seed ^ 0x4B454550).chance(8);
  const std::size_t runs = std::max({runs_wanted, std::size_t{graph.states.empty() ? 1U : 3U}, keeps_weights ? kRunsWithKeptWeights : 1});
  models_with_state += graph.states.empty() ? 0 : 1;

  Trial trial{*model, graph, keeps_weights, std::vector<std::vector<Bytes>>(runs), std::vector<std::vector<Bytes>>(runs)};
  std::vector<Bytes> states(graph.states.size());
  for (std::size_t run = 0; run < runs; ++run) {
    for (const auto id : graph.inputs) {
      Random random(seed_of(graph.tensor(id).name, seed + run));
      trial.inputs[run].push_back(input_of(graph.tensor(id), random));
    }
    const std::vector<std::span<const std::byte>> views(trial.inputs[run].begin(), trial.inputs[run].end());
    auto result = sdk::reference::run(graph, views, {.states = &states});
    if (!result) return rejected("reference", result.error());
    trial.expected[run] = std::move(result->outputs);
  }
  // Kernels take turns by the seed.
  const std::vector<std::string> kernels = testing::executable_kernels();
  for (const auto& bench : benches_) {
    if (bench->kernels != kernels[seed % kernels.size()]) continue;
    if (Verdict verdict = judge_on(*bench, trial); !verdict.ok()) return verdict;
  }
  return {};
}

}  // namespace naru::generated
