// Bulk IN in message mode: messages that are ready go out together in one message transfer, payloads that follow go out straight from DRAM.
#pragma once

#include <optional>
#include <vector>

#include "core/objects.h"
#include "core/state.h"
#include "naru/usb/function.h"
#include "timing/link.h"
#include "usb/recycling_queue.h"

namespace naru::mockdev {

/// A reply's payload that is sent from where it lies.
struct DramPayload {
  std::uint64_t offset = 0, bytes = 0;
  bool checked = false;  // with its checksum, in the message or behind
  Pin pin;
};

class InPipe {
 public:
  /// More answers than this wait for the host: then requests wait too.
  static constexpr std::size_t kItemsMax = 1024;
  /// So long do replies without payload wait for a job's completion, to travel with it.
  static constexpr Duration kReplyPatience = std::chrono::milliseconds(1);

  InPipe(State& state, Memory& memory) : state_(state), memory_(memory), lane_(state.profile.link) {
    transfer_.reserve(abi::kMessageTransferMax);
    checksums_.reserve(abi::kMessageTransferMax / abi::wire_size<abi::MessageHeader>());
  }

  /// Queues one message, made at `now`. `header` brings type, sequence and context; the rest is filled in. `inline_payload` is copied.
  void push(TimePoint now, abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload = {}, DramPayload payload = {});
  void push_reply(TimePoint now, std::uint32_t sequence, std::uint32_t context, const abi::Reply& reply);
  /// A job that went well joins the completion before it, of the same queue, in a message that waits for the host anyway. False: it needs push_completion().
  [[nodiscard]] bool extend_completion(TimePoint now, std::uint32_t context, std::uint16_t queue, std::uint64_t fence, std::uint64_t cycles, std::uint64_t retired) noexcept;
  void push_completion(TimePoint now, std::uint32_t context, const abi::Completion& completion);

  [[nodiscard]] bool has_room() const noexcept { return items_.size() < kItemsMax; }
  /// Whether bytes of DRAM are still to be sent: nobody may change them.
  [[nodiscard]] bool is_sending(std::uint64_t offset, std::uint64_t bytes) const noexcept;

  [[nodiscard]] std::optional<usb::InOffer> peek(TimePoint now);
  void done(std::size_t bytes, bool completed);
  /// Whether all that waits for the host are a few replies without payload: they may as well wait for more of their kind.
  [[nodiscard]] bool can_wait_for_company() const noexcept;
  /// They do: what comes next goes with them.
  void hold() noexcept { held_ = items_.size(); }
  [[nodiscard]] bool ready(TimePoint now) const noexcept { return next_ready() <= now; }
  /// When there is something to offer; kForever: nothing queued.
  [[nodiscard]] TimePoint next_ready() const noexcept;
  /// CLEAR_HALT: what the host took only in part is offered again from its message on.
  void restart();
  /// Drops everything.
  void clear(TimePoint now);

 private:
  struct Item {
    TimePoint made{0}, sent_from{0}, available{0};  // sent_from: when its first byte enters the cable
    abi::MessageHeader header;
    std::vector<std::byte> bytes;                   // room for the header, body, inline payload; sealed when they enter the cable
    DramPayload payload;
    TimePoint payload_available{0};
    bool is_completion = false;
    abi::Completion completion;

    /// Needs no company, and may wait for some.
    [[nodiscard]] bool is_plain_reply() const noexcept { return header.type == abi::MessageType::kReply && header.payload_bytes == 0; }
    /// Travels as if it had been made together with a later one.
    void join(const Item& later) noexcept {
      made = later.made;
      available = later.available;
    }
    /// All else is set by whoever queues it; the storage of `bytes` is kept.
    void clear() noexcept {
      payload = {};
      is_completion = false;
    }
  };

  enum class Phase : std::uint8_t { kIdle, kMessages, kPayload };

  Item& add_item(TimePoint now, abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload, std::uint64_t payload_bytes);
  /// Header, checksum, and the completion as it stands now.
  static void seal(Item& item);
  void start_transfer(TimePoint now);
  /// Decides where the checksums of the payloads in the transfer go.
  void place_checksums(std::uint64_t announced);
  /// The checksums of payloads that were sent begin the next transfer.
  void queue_checksums(TimePoint now);
  [[nodiscard]] std::span<const std::byte> unit() noexcept;  // all bytes of the message transfer, or of the payload, that is being sent
  /// Goes on to the next payload of the transfer, or ends it.
  void next_unit();
  void drop(std::size_t index) noexcept;
  void drop_front(std::size_t count) noexcept;

  State& state_;
  Memory& memory_;
  LinkLane lane_;
  RecyclingQueue<Item> items_;  // the first `in_transfer_` of them are on their way
  std::size_t plain_replies_ = 0;  // of them all
  std::size_t in_transfer_ = 0;
  std::size_t held_ = 0;  // of them, replies that were kept back
  Phase phase_ = Phase::kIdle;
  std::vector<std::byte> transfer_;  // messages of the current transfer, back to back
  std::size_t payload_item_ = 0;     // kPayload: whose
  std::size_t sent_ = 0;             // bytes taken of the unit
  std::uint32_t sent_crc_ = 0;       // of them, as they are in DRAM; taken as they go by: they are in the CPU's caches then
  std::vector<abi::PayloadChecksum> checksums_;  // of payloads that are sent, where they come behind: the next transfer begins with them
  std::vector<std::byte> corrupted_;  // the current unit as the planted link fault has it
};

}  // namespace naru::mockdev
