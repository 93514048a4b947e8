// Bulk OUT in message mode: puts messages together from transfers, checks their framing, and lets payloads land where they belong.
#pragma once

#include "core/state.h"
#include "timing/link.h"
#include "usb/in_pipe.h"
#include "usb/request_queue.h"

namespace naru::mockdev {

/// Decides where a payload lands; the command processor knows.
class LandingResolver {
 public:
  /// Sets landing and target of `queue[index]`, or leaves kUndecided: not now, because an earlier request still needs that memory.
  virtual void decide_landing(const RequestQueue& queue, std::size_t index, Request& request) = 0;

 protected:
  ~LandingResolver() = default;
};

class OutPipe {
 public:
  OutPipe(State& state, InPipe& in, LandingResolver& resolver);

  [[nodiscard]] std::span<std::byte> begin(TimePoint now);
  void end(TimePoint now, std::size_t bytes, bool ends_transfer);
  /// Whether begin() would give a span; may decide a landing.
  [[nodiscard]] bool ready(TimePoint now) { return !begin(now).empty(); }
  /// When the cable is free for more; in the past when it is.
  [[nodiscard]] TimePoint next_free() const noexcept;

  /// Whether a payload that was announced is still to come, and may land; may decide its landing.
  [[nodiscard]] bool expects_payload();
  /// Whether there will soon be another request to carry out without the host having to take anything first.
  [[nodiscard]] bool has_more();

  [[nodiscard]] bool halted() const noexcept { return halted_; }
  /// Either way the assembly starts anew; requests whose payload had not all arrived are answered with kBadLength.
  void set_halted(bool halted);
  /// Drops everything that was not processed.
  void clear(TimePoint now);

  /// The oldest request that the device may see at `now`, or nullptr.
  [[nodiscard]] Request* front(TimePoint now) noexcept;
  /// Its arrival; kForever when there is none or its payload is still to come.
  [[nodiscard]] TimePoint next_arrival() const noexcept;
  void pop_front();
  [[nodiscard]] RequestQueue& queue() noexcept { return queue_; }

 private:
  void end_message_transfer(TimePoint arrival);
  /// One message at `offset` of the assembly; 0: framing error (reported).
  [[nodiscard]] std::size_t take_message(std::size_t offset, TimePoint arrival);
  /// The checksums of payloads that arrived without; false: framing error (reported).
  [[nodiscard]] bool take_checksums(const abi::MessageHeader& header, std::span<const std::byte> body, std::size_t offset, TimePoint arrival);
  void framing_error(TimePoint arrival, abi::Status status, std::size_t offset);
  /// What still lacks its payload, or the checksum of it, is refused.
  void abandon_payloads(abi::Status status, TimePoint arrival);
  [[nodiscard]] Request* awaiting_payload() noexcept;
  TransferBuffer& assembly();

  State& state_;
  InPipe& in_;
  LandingResolver& resolver_;
  LinkLane lane_;
  bool halted_ = false;
  RequestQueue queue_;
  std::size_t incomplete_ = 0;  // requests at the back of the queue, from the first that awaits its payload on
  std::vector<Request*> unsealed_;  // requests whose payloads arrived, all in one transfer, and whose checksums come next
  std::vector<std::unique_ptr<TransferBuffer>> buffers_;
  TransferBuffer* assembly_ = nullptr;
  bool announced_crc_behind_ = false;  // in the transfer that is being taken apart
  std::vector<std::byte> discarded_;
};

}  // namespace naru::mockdev
