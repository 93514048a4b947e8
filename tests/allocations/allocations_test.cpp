// Goal: a warm driver and a warm device allocate nothing: not for a job, not for a batch of jobs, not for any command, on any kernel path. Method: operator new of this process counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <set>

#include "frontend/model_builder.h"
#include "compiler/compiler.h"
#include "import/tflite/import.h"
#include "naru/abi/stream.h"
#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "support/cpu.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = alignment == 0 ? std::malloc(size) : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// The other forms of the standard library come down to these.
void* operator new(std::size_t size) { return counted(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace naru {
namespace {

using namespace std::chrono_literals;

struct Bench {
  std::unique_ptr<mockdev::Device> mock;
  std::unique_ptr<driver::Device> device;

  explicit Bench(const std::string& kernels = {}) {
    mock = mockdev::Device::create(profile::load("edge").value(), {.serial = "ALLOCATIONS", .kernels = kernels}).value();
    device = driver::Device::open(std::make_unique<driver::InprocTransport>(*mock)).value();
  }
};

template <typename Action>
std::uint64_t allocations_of(Action&& action) {
  const std::uint64_t before = allocations;
  action();
  return allocations - before;
}

TEST(Allocations, AreSeen) {
  std::vector<std::byte> bytes;
  EXPECT_EQ(allocations_of([&] { bytes.resize(1000); }), 1U);
  EXPECT_GT(allocations_of([] { const Bench bench; }), 10U);  // product code comes to the same operator new
}

/// END only, with one region.
struct NullJob {
  driver::Queue queue;
  driver::Buffer buffer;
  driver::Stream stream;
  driver::Binding binding;

  explicit NullJob(Bench& bench) : queue(bench.device->queue(0).value()), buffer(bench.device->create_buffer(64).value()), stream(load(bench)) {
    binding = {.buffer = &buffer, .offset = 0, .bytes = 64, .rights = abi::Rights::kRead};
  }
  static driver::Stream load(Bench& bench) {
    abi::Stream stream;
    stream.regions = {{.memory = abi::MemoryKind::kDram, .rights = abi::Rights::kRead, .reserved = {}, .bytes = 64}};
    stream.commands = {{abi::Engine::kNone, 0, abi::End{}}};
    return bench.device->load_stream(abi::encode_stream(stream)).value();
  }
  [[nodiscard]] driver::JobDescription description() const { return {.stream = &stream, .bindings = {&binding, 1}, .deadline = 5s}; }
};

TEST(Allocations, AreNoneForAJobOnceOneHasRun) {
  Bench bench;
  NullJob null(bench);
  std::size_t done = 0;
  const auto run = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      driver::Job job = null.queue.submit(null.description()).value();
      done += job.wait() && bench.device->fence_reached(job.fence()).value() ? 1 : 0;
    }
  };
  run(100);
  EXPECT_EQ(allocations_of([&] { run(1000); }), 0U);
  EXPECT_EQ(done, 1100U);
}

TEST(Allocations, AreNoneForJobsInFlightTogether) {
  Bench bench;
  NullJob null(bench);
  constexpr std::size_t kBatch = 32;
  const std::vector<driver::JobDescription> descriptions(kBatch, null.description());
  std::vector<driver::Job> jobs(kBatch);
  std::size_t done = 0;
  const auto run = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!null.queue.submit_batch(descriptions, jobs)) return;
      for (driver::Job& job : jobs) done += job.wait() ? 1 : 0;
    }
  };
  run(10);
  EXPECT_EQ(allocations_of([&] { run(100); }), 0U);
  EXPECT_EQ(done, 110 * kBatch);
}

TEST(Allocations, AreNoneForPayloadsOfAnySize) {
  Bench bench;
  for (const std::size_t size : {std::size_t{100}, std::size_t{40'000}, std::size_t{3} << 20}) {
    const driver::Buffer buffer = bench.device->create_buffer(size).value();
    std::vector<std::byte> bytes(size, std::byte{7});
    bool good = true;
    const auto run = [&] {
      for (int i = 0; i < 20; ++i) good = good && bench.device->write(buffer, 0, bytes) && bench.device->read(buffer, 0, bytes);
    };
    run();
    EXPECT_EQ(allocations_of(run), 0U) << size << " bytes";
    EXPECT_TRUE(good);
  }
}

/// Every kind of command that the compiler makes of the sample, whose operators are those of the first list.
TEST(Allocations, AreNoneForCommandsOnAnyKernelPath) {
  const auto graph = sdk::import_tflite(testing_models::Sample::make().bytes());
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  for (const std::string& kernels : testing::executable_kernels()) {
    Bench bench(kernels);
    const auto package = sdk::compiler::compile(*graph, bench.device->chip(), {});
    ASSERT_TRUE(package) << package.error().to_string(true);
    std::set<std::size_t> kinds;
    for (const auto& step : package->steps) {
      const auto* const npu = std::get_if<sdk::package::NpuJob>(&step);
      if (npu == nullptr) continue;
      abi::Stream decoded;
      ASSERT_EQ(abi::decode_stream(npu->stream, decoded).fault, abi::StreamFault::kNone);
      for (const abi::Command& command : decoded.commands) kinds.insert(command.body.index());
      const driver::Stream stream = bench.device->load_stream(npu->stream).value();
      std::vector<driver::Buffer> buffers;
      std::vector<driver::Binding> bindings;
      buffers.reserve(npu->bindings.size());
      for (const auto& binding : npu->bindings) {
        const bool is_sram = binding.source == sdk::package::RegionSource::kSram;
        if (!is_sram) buffers.push_back(bench.device->create_buffer(binding.bytes).value());
        bindings.push_back(driver::Binding{.buffer = is_sram ? nullptr : &buffers.back(), .offset = 0, .bytes = binding.bytes, .rights = binding.rights});
      }
      driver::Queue queue = bench.device->queue(0).value();
      std::size_t done = 0;
      const auto run = [&] {
        for (int i = 0; i < 20; ++i) done += queue.submit({.stream = &stream, .bindings = bindings, .deadline = 5s}).value().wait() ? 1 : 0;
      };
      run();
      EXPECT_EQ(allocations_of(run), 0U) << kernels;
      EXPECT_EQ(done, 40U) << kernels;
    }
    EXPECT_GE(kinds.size(), 9U) << "kinds of commands that were run";
  }
}

}  // namespace
}  // namespace naru
