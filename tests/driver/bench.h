// A mock device, a transport to it that a test may spoil, and the streams that the driver's tests run.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "naru/abi/stream.h"
#include "naru/base/random.h"
#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "tampered_transport.h"

namespace naru::driver::test {

using namespace std::chrono_literals;
using Bytes = std::vector<std::byte>;

inline Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

#define ASSERT_OK(result) ASSERT_TRUE(result) << ((result) ? std::string() : (result).error().to_string(true))
#define EXPECT_OK(result) EXPECT_TRUE(result) << ((result) ? std::string() : (result).error().to_string(true))
#define EXPECT_FAILS(result, expected_id)                                            \
  do {                                                                               \
    const auto& naru_failed = (result);                                              \
    ASSERT_FALSE(naru_failed) << "it went well";                                     \
    EXPECT_EQ(naru_failed.error().id(), (expected_id)) << naru_failed.error().to_string(true); \
  } while (false)

/// Does nothing: END only.
inline Bytes empty_stream() { return abi::encode_stream({.regions = {}, .commands = {{abi::Engine::kNone, 0, abi::End{}}}}); }

/// Region 0 (DRAM, read) to region 2 (SRAM) to region 1 (DRAM, write), `bytes` of them, `rounds` times over.
inline Bytes copy_stream(std::uint32_t bytes, std::uint32_t rounds = 1) {
  using namespace abi;
  abi::Stream stream;
  stream.regions = {{.memory = MemoryKind::kDram, .rights = Rights::kRead, .reserved = {}, .bytes = bytes},
                    {.memory = MemoryKind::kDram, .rights = Rights::kWrite, .reserved = {}, .bytes = bytes},
                    {.memory = MemoryKind::kSram, .rights = Rights::kReadWrite, .reserved = {}, .bytes = bytes}};
  for (std::uint32_t i = 0; i < rounds; ++i) {
    stream.commands.push_back({Engine::kDma0, 0, Dma{.source = Operand::at(0, 0), .target = Operand::at(2, 0), .row_bytes = bytes}});
    stream.commands.push_back({Engine::kDma0, 0, Dma{.source = Operand::at(2, 0), .target = Operand::at(1, 0), .row_bytes = bytes}});
  }
  stream.commands.push_back({Engine::kNone, 0, End{}});
  return encode_stream(stream);
}

class Bench {
 public:
  explicit Bench(std::string_view profile_name = "edge") {
    auto profile = profile::load(profile_name);
    EXPECT_OK(profile);
    auto device = mockdev::Device::create(*profile);
    EXPECT_OK(device);
    mock = *std::move(device);
  }
  [[nodiscard]] std::unique_ptr<TamperedTransport> transport() { return std::make_unique<TamperedTransport>(std::make_unique<InprocTransport>(*mock), tampering); }
  [[nodiscard]] Result<std::unique_ptr<Device>> try_open(DeviceOptions options = {}) { return Device::open(transport(), options); }
  [[nodiscard]] std::unique_ptr<Device> open(DeviceOptions options = {}) {
    auto device = try_open(options);
    EXPECT_OK(device);
    return device ? *std::move(device) : nullptr;
  }

  Tampering tampering;
  std::unique_ptr<mockdev::Device> mock;
};

/// Buffers and a stream for copy jobs, and what a job of them says.
struct CopySetup {
  Buffer input, output;
  Stream stream;
  std::vector<Binding> bindings;
  std::uint32_t bytes = 0;

  static Result<CopySetup> make(Device& device, std::uint32_t bytes, std::uint32_t rounds = 1) {
    CopySetup setup;
    setup.bytes = bytes;
    NARU_TRY(setup.input, device.create_buffer(bytes));
    NARU_TRY(setup.output, device.create_buffer(bytes));
    NARU_TRY(setup.stream, device.load_stream(copy_stream(bytes, rounds)));
    return setup;
  }
  [[nodiscard]] std::vector<Binding> bind() const {
    return {{.buffer = &input, .offset = 0, .bytes = bytes, .rights = abi::Rights::kRead},
            {.buffer = &output, .offset = 0, .bytes = bytes, .rights = abi::Rights::kWrite},
            {.buffer = nullptr, .offset = 0, .bytes = bytes, .rights = abi::Rights::kReadWrite}};
  }
};

/// For Tampering::on_control: what the device says to one EP0 request, edited.
template <typename Record>
auto change(abi::ControlRequest request, std::function<void(Record&)> edit) {
  return [=](const usb::SetupPacket& setup, std::span<std::byte> bytes, TransferCompletion&) {
    if (setup.request != static_cast<std::uint8_t>(request)) return;
    Record record;
    ASSERT_EQ(abi::decode(bytes, record), abi::Decoded::kOk);
    edit(record);
    abi::encode_to(bytes, record);
  };
}

}  // namespace naru::driver::test
