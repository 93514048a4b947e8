// The device of the conformance suite: what bulk OUT brings, bulk IN gives back, transfer by transfer. It answers the few vendor requests that
// the suite uses as the mock device answers them, so that the same cases run on both.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "naru/abi/wire.h"
#include "naru/usb/function.h"

namespace naru::test {

class LoopbackFunction final : public usb::Function {
 public:
  explicit LoopbackFunction(usb::Speed speed = usb::Speed::kHigh, std::string serial = "LOOP0001");

  [[nodiscard]] const usb::DeviceDescription& description() const noexcept override { return description_; }
  std::optional<std::size_t> setup(const usb::SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) override;
  std::span<std::byte> out_begin(std::uint8_t endpoint) override;
  void out_end(std::uint8_t endpoint, std::size_t bytes, bool ends_transfer) override;
  std::optional<usb::InOffer> in_peek(std::uint8_t endpoint) override;
  void in_done(std::uint8_t endpoint, std::size_t bytes, bool completed) override;
  [[nodiscard]] bool halted(std::uint8_t endpoint) const noexcept override { return (endpoint & 0x80) != 0 ? halted_in_ : halted_out_; }
  void set_halt(std::uint8_t endpoint, bool halt) override { ((endpoint & 0x80) != 0 ? halted_in_ : halted_out_) = halt; }
  void set_configuration(std::uint8_t) override { clear(); }
  void bus_reset() override;
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  usb::StepResult step(TimePoint until, std::uint64_t budget) override;

 private:
  struct Piece {
    std::vector<std::byte> bytes;
    bool ends_transfer = false;
  };
  void clear();

  usb::DeviceDescription description_;
  VirtualClock clock_;
  std::vector<std::byte> landing_;
  std::deque<Piece> pieces_;
  std::size_t taken_ = 0, held_bytes_ = 0;
  std::deque<std::array<std::byte, 16>> events_;
  std::array<std::uint32_t, abi::kRegisterCount> registers_{};
  std::uint32_t epoch_ = 1;
  bool halted_in_ = false, halted_out_ = false;
};

}  // namespace naru::test
