// Packages as bytes: they come back the same, and nothing that is cut, changed or contradicts itself is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "chips.h"
#include "compiler/compiler.h"
#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "naru/abi/stream.h"
#include "package/arena.h"
#include "package/codec.h"
#include "random_models.h"

namespace naru::sdk::testing {
namespace {

using Bytes = std::vector<std::byte>;

/// A small package with an NPU job on either side of the host.
package::Package small_package() {
  ModelBuilder b(21);
  const auto in = b.input({1, 4, 4, 2});
  const auto filter = b.weights({3, 1, 1, 2}, 0, true);
  const auto conv = b.op(graph::OperatorKind::kConv2d, {in, filter, b.bias(3)}, b.activation({1, 4, 4, 3}), graph::ConvOptions{});
  const auto real = b.op(graph::OperatorKind::kDequantize, {conv}, b.real({1, 4, 4, 3}));
  const auto codes = b.op(graph::OperatorKind::kQuantize, {real}, b.activation({1, 4, 4, 3}));
  const auto out = b.op(graph::OperatorKind::kRelu, {codes}, b.activation({1, 4, 4, 3}));
  compiler::CompileOptions options;
  options.profile = "tiny";
  options.keep_tensors = {conv};
  return compiler::compile(b.finish({out}), tiny().numbers, options).value();
}

TEST(Package, ComesBackTheSame) {
  const package::Package before = small_package();
  ASSERT_EQ(before.steps.size(), 4U);
  const Bytes bytes = package::encode(before);
  EXPECT_TRUE(package::is_package(bytes));
  const auto after = package::decode(bytes);
  ASSERT_TRUE(after) << after.error().to_string(true);
  EXPECT_EQ(package::encode(*after), bytes);
  EXPECT_EQ(after->advice.chip, before.advice.chip);
  EXPECT_EQ(after->constants, before.constants);
  EXPECT_EQ(std::get<package::NpuJob>(after->steps[0]).stream, std::get<package::NpuJob>(before.steps[0]).stream);
  EXPECT_EQ(std::get<package::HostStep>(after->steps[1]).op.kind, graph::OperatorKind::kDequantize);
  EXPECT_EQ(after->operators.size(), 4U);
}

TEST(Package, IsRefusedWithAnyByteChanged) {
  const Bytes good = package::encode(small_package());
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= static_cast<std::byte>(1U << (i % 8));
    const auto decoded = package::decode(bad);
    ASSERT_FALSE(decoded) << "byte " << i;
    const auto id = decoded.error().id();
    ASSERT_EQ(id, i < 8 ? ErrorId::kPackageNotNaru : i < 10 ? ErrorId::kPackageVersion : ErrorId::kPackageHash) << "byte " << i << ": " << decoded.error().message();
  }
}

TEST(Package, IsRefusedWhereverItIsCut) {
  const Bytes good = package::encode(small_package());
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto decoded = package::decode(std::span(good).first(size));
    ASSERT_FALSE(decoded) << size << " bytes";
    ASSERT_EQ(decoded.error().id(), size < 8 ? ErrorId::kPackageNotNaru : ErrorId::kPackageTruncated) << size << " bytes";
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  const auto decoded = package::decode(longer);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().id(), ErrorId::kPackageStructure);
}

TEST(Package, OfAnotherFormatSaysWhichAndWhatToDo) {
  const Bytes good = package::encode(small_package());
  const auto expect_refusal = [&](std::uint16_t version, const char* remedy) {
    Bytes other = good;
    store_le<std::uint16_t>(other.data() + 8, version);
    const auto decoded = package::decode(other);
    ASSERT_FALSE(decoded) << version;
    EXPECT_EQ(decoded.error().id(), ErrorId::kPackageVersion);
    EXPECT_EQ(decoded.error().kind(), ErrorKind::kVersion);
    EXPECT_EQ(decoded.error().message(), fmt::format("The package has format {}; this version reads {}", version, package::kFormatVersion));
    EXPECT_EQ(decoded.error().remedy(), remedy);
  };
  expect_refusal(package::kFormatVersion - 1, "Compile the model again with this version.");
  expect_refusal(package::kFormatVersion + 1, "Upgrade Naru, or compile the model again with this version.");
  expect_refusal(0xFFFF, "Upgrade Naru, or compile the model again with this version.");
}

/// Places in the file: 24 bytes of header, then 56 per section, of which bytes 8 to 23 are its offset and size.
constexpr std::size_t kHeaderBytes = 24, kEntryBytes = 56;
constexpr const char* kSectionNames[] = {"info", "tensors", "constants", "steps", "reports"};

TEST(Package, WithABitFlippedInAnySectionIsCalledDamaged) {
  const Bytes good = package::encode(small_package());
  std::uint64_t next = kHeaderBytes + std::size(kSectionNames) * kEntryBytes + 32;  // the table's hash
  for (std::size_t section = 0; section < std::size(kSectionNames); ++section) {
    const std::byte* entry = good.data() + kHeaderBytes + section * kEntryBytes;
    const auto offset = load_le<std::uint64_t>(entry + 8), bytes = load_le<std::uint64_t>(entry + 16);
    ASSERT_GT(bytes, 0U) << kSectionNames[section];
    ASSERT_EQ(offset, next) << kSectionNames[section];
    next = offset + bytes;
    for (const std::uint64_t place : {offset, offset + bytes / 2, offset + bytes - 1})
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes bad = good;
        bad[place] ^= static_cast<std::byte>(1U << bit);
        const auto decoded = package::decode(bad);
        ASSERT_FALSE(decoded) << kSectionNames[section] << ", byte " << place;
        ASSERT_EQ(decoded.error().id(), ErrorId::kPackageHash);
        ASSERT_THAT(decoded.error().message(), ::testing::HasSubstr(fmt::format("Section {} of the package ({})", section, kSectionNames[section])));
        ASSERT_EQ(decoded.error().remedy(), "The file is damaged: copy or compile it again.");
      }
  }
  EXPECT_EQ(next, good.size());
}

TEST(Package, OfSeveralLayersIsRefusedAtEveryCutAndSaysWhere) {
  ModelBuilder b(4);
  auto value = b.input({1, 16, 16, 8});
  const graph::ConvOptions same{.padding = graph::Padding::kSame};
  for (int layer = 0; layer < 3; ++layer)
    value = b.op(graph::OperatorKind::kConv2d, {value, b.weights({8, 3, 3, 8}, 0, true), b.bias(8)}, b.activation({1, 16, 16, 8}), same);
  compiler::CompileOptions options;
  options.profile = "tiny";
  const Bytes good = package::encode(compiler::compile(b.finish({value}), tiny().numbers, options).value());
  std::size_t cuts = 0;
  for (std::size_t size = 97; size < good.size(); size += 97, ++cuts) {
    const auto decoded = package::decode(std::span(good).first(size));
    ASSERT_FALSE(decoded) << size << " bytes";
    ASSERT_EQ(decoded.error().id(), ErrorId::kPackageTruncated) << size << " bytes";
    ASSERT_THAT(decoded.error().message(), ::testing::HasSubstr(fmt::format("ends after {}", size)));
    ASSERT_EQ(decoded.error().remedy(), "The file is cut short: copy or compile it again.");
  }
  EXPECT_GT(cuts, 50U);
}

/// One job, with a second stream for when its weights are still there.
package::Package resident_package() {
  ModelBuilder b(22);
  const auto in = b.input({1, 8, 8, 16});
  const auto conv = b.op(graph::OperatorKind::kConv2d, {in, b.weights({16, 3, 3, 16}, 0, true), b.bias(16)}, b.activation({1, 8, 8, 16}),
                         graph::ConvOptions{graph::Padding::kSame, 1, 1, 1, 1, 1, {}});
  compiler::CompileOptions options;
  options.profile = "tiny";
  options.resident_weights = true;
  return compiler::compile(b.finish({conv}), tiny().numbers, options).value();
}

/// Encodes a package that was changed after compiling, hashes and all, and expects it to be refused as contradictory.
void expect_contradiction(const char* what, const std::function<void(package::Package&)>& change, package::Package package = small_package()) {
  change(package);
  const auto decoded = package::decode(package::encode(package));
  ASSERT_FALSE(decoded) << what;
  EXPECT_EQ(decoded.error().id(), ErrorId::kPackageStructure) << what << ": " << decoded.error().to_string(true);
}

TEST(Package, IsRefusedWhenItContradictsItself) {
  using package::HostStep;
  using package::NpuJob;
  using package::Package;
  expect_contradiction("input index", [](Package& p) { p.inputs[0] = 99; });
  expect_contradiction("output index", [](Package& p) { p.outputs[0] = 99; });
  expect_contradiction("output that nobody writes", [](Package& p) { p.steps.pop_back(); });
  expect_contradiction("order of steps", [](Package& p) { std::swap(p.steps[0], p.steps[3]); });
  expect_contradiction("tensor size", [](Package& p) { p.tensors[0].bytes += 1; });
  expect_contradiction("negative dimension", [](Package& p) { p.tensors[0].shape[0] = -1; });
  expect_contradiction("huge shape", [](Package& p) { p.tensors[0].shape.assign(8, 0x7FFFFFFF); });
  expect_contradiction("element type", [](Package& p) { p.tensors[0].type = static_cast<abi::ElementType>(99); });
  expect_contradiction("scale", [](Package& p) { p.tensors[0].quantization->scales[0] = -1.0F; });
  expect_contradiction("no scales", [](Package& p) { p.tensors[0].quantization->scales.clear(); });
  expect_contradiction("constants arena", [](Package& p) { p.constants = std::vector<std::byte>(p.constants.begin(), p.constants.begin() + static_cast<std::ptrdiff_t>(p.constants.size() / 2)); });
  expect_contradiction("scratch arena", [](Package& p) { p.scratch_bytes = ~std::uint64_t{0}; });
  expect_contradiction("binding count", [](Package& p) { std::get<NpuJob>(p.steps[0]).bindings.pop_back(); });
  expect_contradiction("binding offset", [](Package& p) { std::get<NpuJob>(p.steps[0]).bindings.back().offset = ~std::uint64_t{0}; });
  expect_contradiction("binding rights", [](Package& p) { std::get<NpuJob>(p.steps[0]).bindings.back().rights = abi::Rights::kReadWrite; });
  expect_contradiction("binding tensor", [](Package& p) { std::get<NpuJob>(p.steps[0]).bindings.back().tensor = 77; });
  expect_contradiction("cycles", [](Package& p) { std::get<NpuJob>(p.steps[0]).worst_case_cycles = 1; });
  expect_contradiction("stream", [](Package& p) { std::get<NpuJob>(p.steps[0]).stream.resize(40); });
  expect_contradiction("requirements", [](Package& p) { p.requirements.sram_bytes /= 2; });
  expect_contradiction("host operator", [](Package& p) { std::get<HostStep>(p.steps[1]).op.kind = graph::OperatorKind::kConv2d; });
  expect_contradiction("host operand", [](Package& p) { std::get<HostStep>(p.steps[1]).op.inputs[0] = 5; });
  expect_contradiction("host tensor", [](Package& p) { std::get<HostStep>(p.steps[1]).tensors[0] = 50; });
  expect_contradiction("host shape", [](Package& p) { std::get<HostStep>(p.steps[1]).constants[1].shape = {1}; });
  expect_contradiction("report", [](Package& p) { p.operators[0].step = 1000; });
}

TEST(Package, IsRefusedWhenAResidentStreamContradictsItsJob) {
  using package::NpuJob;
  using package::Package;
  const Package good = resident_package();
  ASSERT_TRUE(std::get<NpuJob>(good.steps.at(0)).has_resident());
  const auto expect = [&](const char* what, const std::function<void(package::JobStream&)>& change) {
    expect_contradiction(what, [&](Package& p) { change(std::get<NpuJob>(p.steps[0]).resident); }, good);
  };
  expect("cycles", [](package::JobStream& r) { r.worst_case_cycles = 1; });
  expect("stream", [](package::JobStream& r) { r.stream.resize(40); });
  expect("bindings without a stream", [](package::JobStream& r) { r.stream.clear(); });
  expect("bindings", [](package::JobStream& r) { r.bindings.pop_back(); });
  expect_contradiction("a second job", [](Package& p) { p.steps.push_back(p.steps[0]); }, good);
  expect_contradiction("a stream that writes nothing", [](Package& p) {
    NpuJob& job = std::get<NpuJob>(p.steps[0]);
    abi::Stream stream;
    stream.commands.push_back({abi::Engine::kNone, 0, abi::End{}});
    job.resident = {abi::encode_stream(stream), {}, job.resident.worst_case_cycles, 0};
  }, good);
}

TEST(Package, IsRefusedWhenItsArenaContradictsItself) {
  using package::NpuJob;
  using package::Package;
  using package::RegionSource;
  ModelBuilder b(1);
  std::vector<graph::TensorId> inputs = {b.input({1, 48})};
  while (inputs.size() < 20) inputs.push_back(b.input_like(inputs[0], {1, 48}));
  const auto out = b.op(graph::OperatorKind::kConcatenation, inputs, b.like(inputs[0], {20, 48}), graph::ConcatenationOptions{.axis = 0, .activation = {}});
  compiler::CompileOptions options;
  options.profile = "tiny";
  const Package good = compiler::compile(b.finish({out}), tiny().numbers, options).value();
  ASSERT_TRUE(package::has_arena(good));
  ASSERT_TRUE(package::decode(package::encode(good)));
  const auto arena_of = [](Package& p) -> package::Binding& { return *std::ranges::find(std::get<NpuJob>(p.steps[0]).bindings, RegionSource::kArena, &package::Binding::source); };
  expect_contradiction("offset", [&](Package& p) { arena_of(p).offset = 64; }, good);
  expect_contradiction("a tensor instead", [&](Package& p) { arena_of(p).source = RegionSource::kTensor; }, good);
  expect_contradiction("an unknown source", [&](Package& p) { arena_of(p).source = static_cast<RegionSource>(7); }, good);
  // Bytes between two tensors, and bytes of two at once: every tensor of 48 is followed by 16 that are nobody's.
  for (const std::uint64_t offset : {std::uint64_t{48}, std::uint64_t{32}})
    expect_contradiction("what a command touches", [&](Package& p) {
      NpuJob& job = std::get<NpuJob>(p.steps[0]);
      abi::Stream stream;
      ASSERT_EQ(abi::decode_stream(job.stream, stream).fault, abi::StreamFault::kNone);
      for (abi::Command& command : stream.commands)
        if (auto* dma = std::get_if<abi::Dma>(&command.body); dma != nullptr && p.steps.size() == 1 && job.bindings[dma->source.region()].source == RegionSource::kArena) {
          dma->source = abi::Operand::at(dma->source.region(), offset);
          break;
        }
      job.stream = abi::encode_stream(stream);
    }, good);
  // A job that reads what is no input, and that nothing has written.
  expect_contradiction("an input less", [](Package& p) { p.inputs.pop_back(); }, good);
  expect_contradiction("an output among the inputs", [](Package& p) { p.inputs.push_back(p.outputs[0]); }, good);
}

TEST(Package, ShowsNoBytesThatMoveTheCursor) {
  package::Package package = small_package();
  package.description = "clean \x1B[2J\xFF";
  package.tensors[0].name = "\r";
  const auto decoded = package::decode(package::encode(package));
  ASSERT_TRUE(decoded) << decoded.error().to_string(true);
  EXPECT_EQ(decoded->description, "clean \xEF\xBF\xBD[2J\xEF\xBF\xBD");
  EXPECT_EQ(decoded->tensors[0].name, "\xEF\xBF\xBD");
}

TEST(Package, SurvivesAnyBytesInsideValidHashes) {
  // Counts, indices and enumerators take random values; hashes are put right by encoding: an error or a package, never a crash.
  Random random(5);
  std::size_t refused = 0;
  for (int round = 0; round < 300; ++round) {
    package::Package p = small_package();
    const auto any = [&] { return random.chance(2) ? static_cast<std::uint32_t>(random.below(8)) : static_cast<std::uint32_t>(random.next()); };
    switch (random.below(8)) {
      case 0: p.tensors[random.below(p.tensors.size())].type = static_cast<abi::ElementType>(any()); break;
      case 1: p.tensors[random.below(p.tensors.size())].shape.push_back(static_cast<std::int32_t>(any())); break;
      case 2: std::get<package::NpuJob>(p.steps[0]).bindings[0].bytes = any(); break;
      case 3: std::get<package::NpuJob>(p.steps[3]).bindings[1].source = static_cast<package::RegionSource>(any()); break;
      case 4: std::get<package::HostStep>(p.steps[1]).op.outputs = {static_cast<std::int32_t>(any())}; break;
      case 5: std::get<package::HostStep>(p.steps[2]).constants[0].quantization.reset(); break;
      case 6: p.advice.chip.vector_lanes = any(); break;
      default: {
        auto& stream = std::get<package::NpuJob>(p.steps[0]).stream;
        stream[random.below(stream.size())] = static_cast<std::byte>(any());
      }
    }
    if (!package::decode(package::encode(p))) ++refused;
  }
  EXPECT_GT(refused, 100U);
}

TEST(Package, NamesWhatAChipLacks) {
  const package::Package package = small_package();
  EXPECT_TRUE(package::check_requirements(package, tiny().numbers));
  EXPECT_TRUE(package::check_requirements(package, edge().numbers));
  const auto expect_lack = [&](const char* what, const std::function<void(abi::Chip&)>& change) {
    abi::Chip chip = tiny().numbers;
    change(chip);
    const auto checked = package::check_requirements(package, chip);
    ASSERT_FALSE(checked) << what;
    EXPECT_EQ(checked.error().id(), ErrorId::kPackageRequirement);
    EXPECT_THAT(checked.error().message(), ::testing::HasSubstr(what));
    EXPECT_EQ(checked.error().kind(), ErrorKind::kVersion);
    EXPECT_EQ(checked.error().remedy(), "Compile the model for this chip: `naru compile --profile`.");
  };
  expect_lack("SRAM", [](abi::Chip& chip) { chip.sram_bytes = 64; });
  expect_lack("DRAM", [](abi::Chip& chip) { chip.dram_bytes = 64; });
  expect_lack("DMA", [](abi::Chip& chip) { chip.dma_engines = 0; });
  expect_lack("cycles", [](abi::Chip& chip) { chip.job_cycles_max = 1; });
  expect_lack("instruction set", [](abi::Chip& chip) { chip.isa_generation = 9; });
}

TEST(Package, NamesBothNumbersOfWhatAChipLacks) {
  abi::Chip chip = tiny().numbers;
  chip.sram_bytes = 64;
  const package::Package package = small_package();
  const auto checked = package::check_requirements(package, chip);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message(), fmt::format("The package needs {} bytes of SRAM; the chip has 64", package.requirements.sram_bytes));
  const auto message_with = [&](const std::function<void(package::Requirements&)>& change) {
    package::Package other = package;
    change(other.requirements);
    const auto result = package::check_requirements(other, tiny().numbers);
    return result ? std::string("no lack") : result.error().message();
  };
  EXPECT_EQ(message_with([](package::Requirements& need) { need.features = 6; }), "The package needs features 0x6; the chip has none");
  EXPECT_THAT(message_with([](package::Requirements& need) { need.weight_formats = 0x80; }), ::testing::HasSubstr("needs weight formats 0x80;"));
}

}  // namespace
}  // namespace naru::sdk::testing
