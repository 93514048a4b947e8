// EP0: vendor requests to the device recipient. They work in every state, also while jobs run.
#pragma once

#include <array>
#include <optional>

#include "core/state.h"
#include "naru/usb/function.h"

namespace naru::mockdev {

/// What EP0 needs of the device beyond its State.
class ControlTarget {
 public:
  [[nodiscard]] virtual abi::DeviceState device_state() const = 0;
  [[nodiscard]] virtual abi::Sensors sensor_values() const = 0;
  virtual void engine_reset() = 0;
  virtual void soft_reset() = 0;
  [[nodiscard]] virtual bool set_pipe_mode(abi::PipeMode mode, std::uint16_t index) = 0;
  [[nodiscard]] virtual std::uint32_t pipe_crc() const = 0;

 protected:
  ~ControlTarget() = default;
};

class Control {
 public:
  Control(State& state, ControlTarget& target) noexcept : state_(state), target_(target) {}

  /// As usb::Function::setup().
  [[nodiscard]] std::optional<std::size_t> setup(const usb::SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in);

 private:
  [[nodiscard]] std::optional<std::size_t> read(const usb::SetupPacket& packet, std::span<std::byte> in) const;
  [[nodiscard]] std::optional<std::size_t> write(const usb::SetupPacket& packet, std::span<const std::byte> out);
  [[nodiscard]] abi::Identity identity() const;
  [[nodiscard]] std::optional<std::uint32_t> read_register(std::uint16_t index) const;

  State& state_;
  ControlTarget& target_;
  std::array<std::uint32_t, 4> scratch_{};
};

}  // namespace naru::mockdev
