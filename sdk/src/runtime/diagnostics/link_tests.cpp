// Tests of identity, registers, sensors, counters, and of the cable in both directions.
#include <fmt/format.h>

#include <algorithm>

#include "naru/base/random.h"
#include "runtime/diagnostics/battery.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

Result<Outcome> identity(driver::Device& device) {
  const driver::DeviceInfo& info = device.info();
  NARU_TRY(const std::uint32_t magic, device.read_register(abi::Register::kMagic));
  if (magic != abi::kMessageMagic) return failed(fmt::format("register magic is {:#x}, expected {:#x}", magic, abi::kMessageMagic));
  return pass(fmt::format("{}, serial {}, firmware {}, protocol {}", info.profile, info.serial, info.firmware, info.protocol));
}

Result<Outcome> speed(driver::Device& device) {
  const usb::Speed now = device.info().transport.speed;
  const std::uint16_t packet = device.info().transport.bulk_packet_bytes;
  const std::uint16_t expected = now == usb::Speed::kSuper ? 1024 : 512;
  if (packet != expected) return failed(fmt::format("bulk packets of {} bytes; this speed has {}", packet, expected));
  return pass(fmt::format("{}, packets of {} bytes", now == usb::Speed::kSuper ? "USB 3" : "USB 2", packet));
}

Result<Outcome> scratch_registers(driver::Device& device) {
  std::size_t writes = 0;
  for (auto name : {abi::Register::kScratch0, abi::Register::kScratch1, abi::Register::kScratch2, abi::Register::kScratch3}) {
    NARU_TRY(const std::uint32_t before, device.read_register(name));
    for (unsigned bit = 0; bit < 32; ++bit) {
      const std::uint32_t value = std::uint32_t{1} << bit;
      NARU_CHECK_OK(device.write_register(name, value));
      NARU_TRY(const std::uint32_t read, device.read_register(name));
      if (read != value) return failed(fmt::format("register {} holds {:#010x} after writing {:#010x}", static_cast<unsigned>(name), read, value));
      ++writes;
    }
    NARU_CHECK_OK(device.write_register(name, before));
  }
  return pass(fmt::format("walking ones in 4 registers, {} writes", writes));
}

Result<Outcome> state(driver::Device& device) {
  NARU_TRY(const abi::DeviceState now, device.device_state());
  if (now.condition == abi::DeviceCondition::kFaulted) return failed("the device says that it is faulted");
  return pass(fmt::format("{}, epoch {}, contexts: {}, {:.1f} MiB of DRAM free", now.condition == abi::DeviceCondition::kReady ? "ready" : "busy", now.epoch, now.contexts,
                          static_cast<double>(now.dram_free_bytes) / (1 << 20)));
}

Result<Outcome> sensors(driver::Device& device) {
  NARU_TRY(const abi::Sensors now, device.sensors());
  const double temperature = now.temperature_millicelsius / 1000.0;
  const std::string evidence = fmt::format("{:.1f} C, {:.2f} W, {:.0f} MHz, {} ECC uncorrected", temperature, now.power_milliwatts / 1000.0, now.clock_khz / 1000.0, now.ecc_uncorrected);
  if (temperature < -40 || temperature > 125) return failed(evidence + ": no plausible temperature");
  if (now.ecc_uncorrected > 0) return failed(evidence);
  if (now.throttle_percent > 0) return warn(fmt::format("{}, clock throttled by {} %", evidence, now.throttle_percent));
  return pass(evidence);
}

Result<Outcome> counters(driver::Device& device) {
  NARU_TRY(const abi::Counters first, device.counters());
  NARU_TRY(const abi::Counters second, device.counters());
  if (second.messages_in < first.messages_in || second.device_cycles < first.device_cycles) return failed("a counter ran backwards");
  const std::string evidence = fmt::format("{} jobs done, {} failed, {} checksum errors, {} protocol errors", second.jobs_completed, second.jobs_failed, second.checksum_errors, second.protocol_errors);
  if (second.checksum_errors > 0) return warn(evidence);
  return pass(evidence);
}

/// Sends `size` bytes round and compares.
Result<Outcome> loop_once(driver::Device& device, std::size_t size, std::uint64_t seed, std::uint64_t& moved) {
  std::vector<std::byte> sent(size);
  Random random(seed);
  for (std::byte& byte : sent) byte = static_cast<std::byte>(random.next());
  // Pieces stay well under what the device holds while looping.
  constexpr std::size_t kPiece = 256 * 1024;
  // One packet more than what is due: the transfer's end, a zero-length packet where there is one, is read with it.
  std::vector<std::byte> received(size + device.info().transport.bulk_packet_bytes);
  for (std::size_t at = 0; at < size; at += kPiece) {
    const std::size_t piece = std::min(kPiece, size - at);
    NARU_CHECK_OK(device.raw_write(std::span(sent).subspan(at, piece), true));
    NARU_TRY(const std::size_t got, device.raw_read(std::span(received).subspan(at, piece + device.info().transport.bulk_packet_bytes)));
    if (got != piece) return failed(fmt::format("{} bytes sent, {} came back", piece, got));
  }
  const auto difference = std::mismatch(sent.begin(), sent.end(), received.begin());
  if (difference.first != sent.end()) {
    const auto at = static_cast<std::size_t>(difference.first - sent.begin());
    return failed(fmt::format("{} bytes: byte {} sent as {:#04x} came back as {:#04x}", size, at, static_cast<unsigned>(sent[at]), static_cast<unsigned>(received[at])));
  }
  moved += size;
  return pass({});
}

Result<Outcome> loopback(driver::Device& device) {
  const std::size_t packet = device.info().transport.bulk_packet_bytes;
  const std::size_t sizes[] = {1, packet - 1, packet, packet + 1, 4 * packet, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 1 << 20};
  NARU_CHECK_OK(device.set_pipe_mode(abi::PipeMode::kLoopback));
  Result<Outcome> outcome = pass({});
  std::uint64_t moved = 0;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    outcome = loop_once(device, sizes[i], i, moved);
    if (!outcome || outcome->verdict != Verdict::kPass) break;
  }
  // Whatever was found, the pipes go back to messages.
  const Result<void> back = device.set_pipe_mode(abi::PipeMode::kMessages);
  if (!outcome) return outcome;
  if (outcome->verdict != Verdict::kPass) return outcome;
  NARU_CHECK_OK(Result<void>(back));
  return pass(fmt::format("{} sizes, {} bytes there and back", std::size(sizes), moved));
}

constexpr Test kLinkTests[] = {
    {"link.identity", 811, 1, "Choose another device, or update its firmware.", identity},
    {"link.speed", 812, 1, "Try another cable or port.", speed},
    {"device.state", 813, 1, "naru reset --level soft; if it stays, replug.", state},
    {"device.registers", 814, 1, "Replug; if it stays, replace the device.", scratch_registers},
    {"device.sensors", 815, 1, "Cool the device; check its power supply.", sensors},
    {"device.counters", 816, 1, "Check the cable: checksums failed.", counters},
    {kCable, 821, 2, "Replace the cable or port; if it stays, replace the device.", loopback},
};

}  // namespace

std::span<const Test> link_tests() { return kLinkTests; }

}  // namespace naru::sdk::runtime::diagnostics
