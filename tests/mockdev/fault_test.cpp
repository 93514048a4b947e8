// Sensors, planted faults and the throttle: what a diagnostic must be able to see.
#include <numeric>

#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::Rights;
using abi::Status;

/// A 1x1 convolution of 64 to 64 channels over many pixels: full MAC rate on `edge`, one pixel per cycle.
abi::Conv full_rate(std::uint32_t pixels) {
  abi::Conv conv;
  conv.input = Operand::at(0, 1 << 20);
  conv.weights = Operand::at(0, 0);
  conv.output = Operand::at(0, 4 << 20);
  conv.in_channels = conv.out_channels = 64;
  conv.out_cols = pixels;
  conv.input_pixel_stride = conv.output_pixel_stride = 64;
  conv.activation_min = -128;
  conv.activation_max = 127;
  return conv;
}
abi::Stream mac_work(unsigned repeats) {
  abi::Stream stream{.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 8 << 20)}, .commands = {}};
  for (unsigned i = 0; i < repeats; ++i) stream.commands.push_back(on(Engine::kMac, full_rate(40'000)));
  stream.commands.push_back(end());
  return stream;
}

TEST(Sensors, PowerAndTemperatureRiseWithWorkAndFallInIdle) {
  profile::Profile profile = profile_named("edge");
  profile.chip.clock_hz_thousands = 500;  // slow, so that little host work is much device time
  Bench bench(profile);
  bench.open();
  const abi::Sensors idle = bench.device->sensors();
  EXPECT_EQ(idle.power_milliwatts, 300u);
  const abi::Handle stream = bench.load(mac_work(2)).handle;
  ASSERT_EQ(bench.run(stream, {sram(8 << 20)}).status, Status::kOk);
  const abi::Sensors busy = bench.device->sensors();
  EXPECT_GT(busy.power_milliwatts, 1200u);
  EXPECT_LE(busy.power_milliwatts, 2000u);
  EXPECT_GT(busy.temperature_millicelsius, idle.temperature_millicelsius + 100);
  bench.pass(std::chrono::seconds(60));
  const abi::Sensors rested = bench.device->sensors();
  EXPECT_EQ(rested.power_milliwatts, 300u);
  EXPECT_LT(rested.temperature_millicelsius, busy.temperature_millicelsius);
  EXPECT_NEAR(rested.temperature_millicelsius, idle.temperature_millicelsius, 5);
}

TEST(Sensors, HeatThrottlesTheClockButNotTheCycles) {
  profile::Profile profile = profile_named("edge");
  profile.chip.clock_hz_thousands = 500;
  profile.power.throttle_millicelsius = 31'500;  // idle is 31 degrees
  Bench bench(profile);
  bench.open();
  const abi::Handle stream = bench.load(mac_work(2)).handle;
  std::set<std::uint64_t> cycles;
  for (unsigned i = 0; i < 4; ++i) cycles.insert(bench.run(stream, {sram(8 << 20)}).cycles);
  EXPECT_EQ(cycles.size(), 1u);
  const abi::Sensors hot = bench.device->sensors();
  EXPECT_EQ(hot.throttle_percent, 50u);
  EXPECT_EQ(hot.clock_khz, 250u);
  const auto offer = bench.device->in_peek(kEvents);
  ASSERT_TRUE(offer);
  abi::Event event;
  ASSERT_EQ(abi::decode(offer->bytes, event), abi::Decoded::kOk);
  EXPECT_EQ(event.kind, abi::EventKind::kThrottled);
  EXPECT_EQ(event.value, 50u);
}

TEST(Faults, AKernelErrorChangesBytesAndNothingElse) {
  Bench bench;
  bench.open();
  abi::Stream stream = mac_work(1);
  stream.regions.push_back(declare(MemoryKind::kDram, Rights::kWrite, 64));
  stream.commands = {on(Engine::kMac, full_rate(4)), wait(Engine::kDma0, Engine::kMac, 1), on(Engine::kDma0, dma(Operand::at(0, 4 << 20), Operand::at(1, 0), 64)), end()};
  const abi::Handle handle = bench.load(stream).handle, output = bench.create(64);
  const auto result = [&] {
    EXPECT_EQ(bench.run(handle, {sram(8 << 20), bind(output, 64)}).status, Status::kOk);
    return bench.read(output, 0, 64).payload;
  };
  const Bytes right = result();
  bench.device->plant({.kernel_error = true});
  const Bytes wrong = result();
  bench.device->plant({});
  EXPECT_EQ(static_cast<int>(wrong[0]), static_cast<int>(right[0]) + 1);
  EXPECT_TRUE(std::equal(right.begin() + 1, right.end(), wrong.begin() + 1));
  EXPECT_TRUE(result() == right);
}

TEST(Faults, AStuckSramBitReadsOne) {
  Bench bench;
  bench.open();
  const abi::Stream march{.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 4096), declare(MemoryKind::kDram, Rights::kRead, 4096), declare(MemoryKind::kDram, Rights::kWrite, 4096)},
                          .commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), 4096)), on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(2, 0), 4096)), end()}};
  const abi::Handle stream = bench.load(march).handle, in = bench.create(4096), out = bench.create(4096);
  const auto result = [&] {
    EXPECT_EQ(bench.run(stream, {sram(4096, 1 << 20), bind(in, 4096), bind(out, 4096)}).status, Status::kOk);
    return bench.read(out, 0, 4096).payload;
  };
  EXPECT_TRUE(result() == Bytes(4096));
  bench.device->plant({.sram_stuck_bit = ((1 << 20) + 77) * 8 + 3});
  Bytes expected(4096);
  expected[77] = std::byte{8};
  EXPECT_TRUE(result() == expected);
  bench.device->plant({});
  EXPECT_TRUE(result() == Bytes(4096));
  bench.device->plant({.sram_stuck_bit = std::int64_t{1} << 60});  // beyond the SRAM: nothing to break
  EXPECT_TRUE(result() == Bytes(4096));
}

TEST(Faults, LinkCorruptionFlipsOneBitPerLargeTransfer) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(100'000);
  const Bytes data = random_bytes(100'000, 6);
  const auto bits_different = [&](const Bytes& other) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < data.size(); ++i) bits += static_cast<unsigned>(std::popcount(static_cast<unsigned>(data[i] ^ other[i])));
    return bits;
  };
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  bench.device->plant({.link_corruption = true});
  EXPECT_EQ(bits_different(bench.read(buffer, 0, data.size()).payload), 1u);
  bench.device->plant({});
  EXPECT_EQ(bits_different(bench.read(buffer, 0, data.size()).payload), 0u);  // the memory was never wrong
  bench.device->plant({.link_corruption = true});
  ASSERT_TRUE(bench.send(bench.message(abi::MessageType::kWrite, body_of(abi::Access{.handle = buffer, .bytes = data.size()}), {}, data.size())));
  ASSERT_TRUE(bench.send(data, false));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  bench.device->plant({});
  const unsigned bits = bits_different(bench.read(buffer, 0, data.size()).payload);
  EXPECT_EQ(bits, 1u);
}

TEST(Kernels, EveryPathGivesTheSameBytesAndIsCounted) {
  std::set<Bytes> results;
  unsigned paths = 0;
  for (std::size_t path = 0; path < abi::kKernelPaths.size(); ++path) {
    auto created = Device::create(profile_named("edge"), {.serial = "K", .time = TimeMode::kVirtual, .kernels = std::string(abi::kKernelPaths[path])});
    if (!created) continue;  // this CPU does not have it
    ++paths;
    EXPECT_EQ((*created)->kernel_path(), abi::kKernelPaths[path]);
    Bench bench(profile_named("edge"), {.serial = "K", .time = TimeMode::kVirtual, .kernels = std::string(abi::kKernelPaths[path])});
    bench.open();
    abi::Stream stream = mac_work(1);
    stream.regions.push_back(declare(MemoryKind::kDram, Rights::kRead, 1 << 20));
    stream.regions.push_back(declare(MemoryKind::kDram, Rights::kWrite, 4096));
    stream.commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), 1 << 20)),  // weights: anything goes
                       on(Engine::kDma0, dma(Operand::at(1, 4096), Operand::at(0, 1 << 20), 8192)), wait(Engine::kMac, Engine::kDma0, 2), on(Engine::kMac, full_rate(64)),
                       wait(Engine::kDma0, Engine::kMac, 1), on(Engine::kDma0, dma(Operand::at(0, 4 << 20), Operand::at(2, 0), 4096)), end()};
    const abi::Handle handle = bench.load(stream).handle, in = bench.create(1 << 20), out = bench.create(4096);
    ASSERT_EQ(bench.write(in, 0, random_bytes(1 << 20, 99)), Status::kOk);
    ASSERT_EQ(bench.run(handle, {sram(8 << 20), bind(in, 1 << 20), bind(out, 4096)}).status, Status::kOk);
    results.insert(bench.read(out, 0, 4096).payload);
    const abi::Counters counters = bench.counters();
    EXPECT_EQ(counters.kernel_commands[path], 4u);
    EXPECT_EQ(std::accumulate(counters.kernel_commands.begin(), counters.kernel_commands.end(), std::uint64_t{0}), 4u);
  }
  EXPECT_GE(paths, 1u);
  EXPECT_EQ(results.size(), 1u);
}

}  // namespace
}  // namespace naru::mockdev::test
