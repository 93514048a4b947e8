// What travels on the cable: EP0 requests, messages on the bulk endpoints, job records, completions, events. docs/spec/wire.md is generated from here.
//
// Transfers
// - A *message transfer* carries one or more messages back to back and ends with a short packet: when its length is a multiple of the packet
//   size a zero-length packet follows. It has at most kMessageTransferMax bytes.
// - A message is a MessageHeader, its body record(s), and, when kPayloadInline is set, its payload, padded with zero to a multiple of 8.
// - With kPayloadFollows the payload comes as payload transfers of its own, right after the message transfer, in the order of the messages
//   in it: exactly payload_bytes, split by the sender as it likes (any number of transfers, whose lengths but the last are multiples of the
//   packet size). A payload transfer that ends on a packet boundary is NOT followed by a zero-length packet.
// - The checksum of a payload that follows stands in its message (kPayloadCrc), or, from protocol 2 on and as the sender likes, comes behind it
//   (kPayloadCrcBehind), so that it can be taken of bytes that are on their way anyway: when one or more payloads of a message transfer have theirs
//   behind them, the next message transfer of that direction begins with one kChecksums message that has the checksums of all of them, in the order
//   of their messages. Until then those requests are not carried out, and what was read is not believed. So that no payload waits for a request that
//   waits for its checksum, the host puts nothing but requests with payloads that follow behind the first of them in a transfer. Clearing the halt of
//   an endpoint forgets checksums that were due on it. A device may keep replies back while checksums are due to it.
// - The host speaks one protocol that both know, and the device answers in the one that the host's newest message had; before there was any, in the lowest.
// - A sender announces no more payloads in a message transfer once those in it come to announced_bytes_max(): what is urgent waits for them.
// - Both directions follow the same rules. The host keeps at most Identity::credits requests unanswered.
// - Device order: requests of one context are carried out in the order received; each is answered exactly once (jobs by a completion).
//   A read with after_fence != 0 is answered when that fence of its queue is signalled, and does not hold up what follows it.
//   What a read was answered with is sent as it was then: a write or a job that would change it waits until it has gone.
// - A device may keep a few replies without payload back while requests, or payloads that were announced, are there or on their way, or while a job runs
//   that has ended a millisecond later, so that they travel together; never a completion or data, and never while it has nothing to do for the host.
// Resynchronisation: any framing error (magic, checksum, length) stalls bulk OUT after a kStatusReport message that names the error; the host
//   clears the halt (both endpoints) and goes on with the next sequence number; a soft reset (EP0) starts a new epoch.
#pragma once

#include "naru/abi/chip.h"

namespace naru::abi {

inline constexpr std::uint16_t kVendorId = 0x1209;
inline constexpr std::uint16_t kProductRom = 0x0001;
inline constexpr std::uint16_t kProductRun = 0x0002;

inline constexpr std::uint16_t kProtocolMin = 1;
inline constexpr std::uint16_t kProtocolMax = 2;
inline constexpr std::uint16_t kProtocolChecksumsBehind = 2;  // from this one on there are kPayloadCrcBehind and kChecksums
inline constexpr std::uint32_t kMessageMagic = 0x5552414E;  // "NARU"
inline constexpr std::uint32_t kInlinePayloadMax = 16 * 1024;
inline constexpr std::uint32_t kMessageTransferMax = 32 * 1024;
inline constexpr std::uint64_t kAnnouncedBytesMax = 16u << 20;
/// Some 40 ms of SuperSpeed, whose bulk packets have 1024 bytes, and 50 of high speed.
[[nodiscard]] constexpr std::uint64_t announced_bytes_max(std::uint32_t packet_bytes) noexcept { return packet_bytes >= 1024 ? kAnnouncedBytesMax : kAnnouncedBytesMax / 8; }
inline constexpr unsigned kQueues = 4;  // priority is the queue number, 3 the most urgent

// ---- EP0: vendor requests to the device recipient (bmRequestType 0xC0 in, 0x40 out). They work while another process runs jobs. ----
enum class ControlRequest : std::uint8_t {
  kIdentity = 0x01,       // in: Identity
  kChip = 0x02,           // in: Chip
  kState = 0x03,          // in: DeviceState
  kCounters = 0x04,       // in: Counters
  kSensors = 0x05,        // in: Sensors
  kLog = 0x06,            // in: text, oldest first; wValue = how many of the newest bytes to skip / 1024
  kReadRegister = 0x10,   // in: u32; wIndex = register
  kWriteRegister = 0x11,  // out: u32; wIndex = register
  kReset = 0x12,          // out, no data; wValue = ResetLevel
  kPipeMode = 0x13,       // out, no data; wValue = PipeMode; wIndex = 0, or of sink and source: MiB of device memory (0: 1) | kPipeChecksums
};
enum class ResetLevel : std::uint16_t { kEngine = 1, kSoft = 2 };
/// What bulk endpoints do, for diag and the bench. All but kMessages land in and are sent from device memory like everything else. Loopback keeps
/// transfers apart as they came; byte number p of what the source sends is (p ^ p >> 8) & 255.
enum class PipeMode : std::uint16_t { kMessages = 0, kLoopback = 1, kSink = 2, kSource = 3 };
/// Loopback holds at most this many bytes before it NAKs.
inline constexpr std::uint32_t kLoopbackBytesMax = 4u << 20;
/// Sink and source go round in so many MiB of device memory at most, and in kPipeMode's wIndex this bit has them checksummed: Register::kPipeCrc.
inline constexpr std::uint16_t kPipeMebibytesMax = 64;
inline constexpr std::uint16_t kPipeChecksums = 0x8000;

/// Registers (32 bits). kScratch0..3 keep what is written; the others are read-only. kPipeCrc is the CRC-32C of all that a sink or source with
/// kPipeChecksums has moved since its kPipeMode.
enum class Register : std::uint16_t { kMagic = 0, kVersion = 1, kStatus = 2, kEpoch = 3, kHeartbeat = 4, kScratch0 = 16, kScratch1 = 17, kScratch2 = 18, kScratch3 = 19, kPipeCrc = 20 };
inline constexpr unsigned kRegisterCount = 21;

enum class Feature : std::uint32_t { kPayloadCrc = 1, kSimulated = 2, kRealTime = 4, kLeases = 8 };

struct Identity {
  std::uint32_t magic = kMessageMagic;
  std::uint16_t protocol_min = kProtocolMin, protocol_max = kProtocolMax;
  std::uint16_t isa_generation = kIsaGeneration;
  std::uint16_t credits = 64;
  std::uint32_t features = 0;
  std::uint32_t epoch = 0;
  std::uint32_t message_transfer_max = kMessageTransferMax;
  std::array<std::uint8_t, 3> firmware{0, 0, 0};
  std::uint8_t security = 0;
  std::array<char, 24> profile{};
  std::array<char, 24> serial{};
  friend constexpr bool operator==(const Identity&, const Identity&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"magic", &Identity::magic, "\"NARU\"."}, Field{"protocol_min", &Identity::protocol_min, "Oldest protocol spoken."},
                      Field{"protocol_max", &Identity::protocol_max, "Newest protocol spoken."}, Field{"isa_generation", &Identity::isa_generation, ""},
                      Field{"credits", &Identity::credits, "Requests that may be unanswered."}, Field{"features", &Identity::features, "Bits: 1 payload CRC, 2 simulated, 4 real time, 8 leases on the SRAM."},
                      Field{"epoch", &Identity::epoch, "Changes at every reset."}, Field{"message_transfer_max", &Identity::message_transfer_max, "Bytes."},
                      Field{"firmware", &Identity::firmware, "Major, minor, patch."}, Field{"security", &Identity::security, "0: firmware built in."},
                      Field{"profile", &Identity::profile, "Zero-padded text."}, Field{"serial", &Identity::serial, "Zero-padded text, as in the string descriptor."}};
  }
};

enum class DeviceCondition : std::uint32_t { kReady = 1, kBusy = 2, kFaulted = 3 };

struct DeviceState {
  DeviceCondition condition = DeviceCondition::kReady;
  std::uint32_t epoch = 0;
  std::uint64_t heartbeat = 0;
  std::uint64_t device_time_ns = 0;
  std::uint32_t jobs_queued = 0;
  std::uint32_t contexts = 0;
  std::uint64_t dram_free_bytes = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"condition", &DeviceState::condition, "1 ready, 2 busy, 3 faulted."}, Field{"epoch", &DeviceState::epoch, ""},
                      Field{"heartbeat", &DeviceState::heartbeat, "Commands retired since power-on; stands still only when idle or hung."},
                      Field{"device_time_ns", &DeviceState::device_time_ns, "Modelled time since power-on."}, Field{"jobs_queued", &DeviceState::jobs_queued, "Not yet complete."},
                      Field{"contexts", &DeviceState::contexts, "Open."}, Field{"dram_free_bytes", &DeviceState::dram_free_bytes, ""}};
  }
};

/// Kernel paths of a simulated device, in the order of Counters::kernel_commands.
inline constexpr std::array<std::string_view, 4> kKernelPaths = {"vnni", "avx2", "portable", "amx"};

struct Counters {
  std::uint64_t jobs_completed = 0, jobs_failed = 0, jobs_cancelled = 0;
  std::uint64_t device_cycles = 0;
  std::array<std::uint64_t, kEnginesMax> engine_busy_cycles{}, engine_wait_cycles{}, engine_commands{};
  std::uint64_t dram_stall_cycles = 0;
  std::uint64_t dram_read_bytes = 0, dram_write_bytes = 0, sram_read_bytes = 0, sram_write_bytes = 0;
  std::uint64_t macs = 0;
  std::uint64_t messages_in = 0, messages_out = 0, payload_in_bytes = 0, payload_out_bytes = 0, landed_bytes = 0, copied_bytes = 0;
  std::uint64_t checksum_errors = 0, protocol_errors = 0, resets = 0;
  std::array<std::uint64_t, kKernelPaths.size()> kernel_commands{};
  static constexpr auto fields() {
    return std::tuple{Field{"jobs_completed", &Counters::jobs_completed, ""}, Field{"jobs_failed", &Counters::jobs_failed, ""}, Field{"jobs_cancelled", &Counters::jobs_cancelled, ""},
                      Field{"device_cycles", &Counters::device_cycles, "From dispatch to END, summed over jobs."},
                      Field{"engine_busy_cycles", &Counters::engine_busy_cycles, "Per engine: mac, vector, dma0..3."},
                      Field{"engine_wait_cycles", &Counters::engine_wait_cycles, "Stalled in WAIT, per engine."}, Field{"engine_commands", &Counters::engine_commands, "Retired, per engine."},
                      Field{"dram_stall_cycles", &Counters::dram_stall_cycles, "DMA cycles lost to sharing the DRAM."},
                      Field{"dram_read_bytes", &Counters::dram_read_bytes, ""}, Field{"dram_write_bytes", &Counters::dram_write_bytes, ""},
                      Field{"sram_read_bytes", &Counters::sram_read_bytes, "By DMA."}, Field{"sram_write_bytes", &Counters::sram_write_bytes, "By DMA."}, Field{"macs", &Counters::macs, ""},
                      Field{"messages_in", &Counters::messages_in, ""}, Field{"messages_out", &Counters::messages_out, ""},
                      Field{"payload_in_bytes", &Counters::payload_in_bytes, ""}, Field{"payload_out_bytes", &Counters::payload_out_bytes, ""},
                      Field{"landed_bytes", &Counters::landed_bytes, "Payload that went from the cable straight into device memory."},
                      Field{"copied_bytes", &Counters::copied_bytes, "Payload copied once more inside the device."}, Field{"checksum_errors", &Counters::checksum_errors, ""},
                      Field{"protocol_errors", &Counters::protocol_errors, ""}, Field{"resets", &Counters::resets, ""},
                      Field{"kernel_commands", &Counters::kernel_commands, "Simulated devices: commands by the host kernel that ran them: vnni, avx2, portable, amx."}};
  }
};

struct Sensors {
  std::int32_t temperature_millicelsius = 0;
  std::uint32_t power_milliwatts = 0;
  std::uint32_t clock_khz = 0;
  std::uint32_t throttle_percent = 0;
  std::uint64_t ecc_corrected = 0, ecc_uncorrected = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"temperature_millicelsius", &Sensors::temperature_millicelsius, ""}, Field{"power_milliwatts", &Sensors::power_milliwatts, ""},
                      Field{"clock_khz", &Sensors::clock_khz, ""}, Field{"throttle_percent", &Sensors::throttle_percent, "Clock taken away by heat."},
                      Field{"ecc_corrected", &Sensors::ecc_corrected, ""}, Field{"ecc_uncorrected", &Sensors::ecc_uncorrected, ""}};
  }
};

// ---- messages ----
enum class MessageType : std::uint16_t {
  kOpenContext = 0x01,   // body none; reply Reply with handle = context
  kCloseContext = 0x02,  // frees all that the context owns; its jobs are cancelled and completed first
  kCreateBuffer = 0x10,  // body CreateBuffer; reply Reply with handle
  kFreeBuffer = 0x11,    // body HandleBody
  kWrite = 0x12,         // body Access; payload
  kRead = 0x13,          // body Access; reply Reply with payload
  kLoadStream = 0x20,    // payload: the stream's bytes; reply Reply with handle
  kFreeStream = 0x21,    // body HandleBody
  kSubmit = 0x30,        // body: JobRecord with its bindings, Submit::count times; answered by completions
  kCancel = 0x31,        // body Cancel; the job's completion says whether it was cancelled or already done
  kChecksums = 0x40,     // either side, sequence and context 0: body PayloadChecksum, as many as payloads had their checksums behind them; no reply
  kReply = 0x80,         // device: body Reply
  kCompletion = 0x81,    // device: body Completion; sequence 0
  kStatusReport = 0x82,  // device: body Reply; sequence 0; precedes a stall
};

enum class MessageFlag : std::uint16_t { kPayloadInline = 1, kPayloadFollows = 2, kPayloadCrc = 4, kPayloadCrcBehind = 8 };
/// All that a protocol has.
[[nodiscard]] constexpr std::uint16_t known_flags(std::uint16_t protocol) noexcept { return protocol >= kProtocolChecksumsBehind ? 15 : 7; }
[[nodiscard]] constexpr bool has(std::uint16_t flags, MessageFlag flag) noexcept { return (flags & static_cast<std::uint16_t>(flag)) != 0; }

struct MessageHeader {
  std::uint32_t magic = kMessageMagic;
  std::uint16_t version = kProtocolMax;
  MessageType type = MessageType::kReply;
  std::uint32_t epoch = 0;
  std::uint32_t sequence = 0;
  std::uint32_t context = 0;
  std::uint16_t flags = 0;
  Reserved<2> reserved{};
  std::uint32_t body_bytes = 0;
  std::uint32_t payload_crc = 0;
  std::uint64_t payload_bytes = 0;
  std::uint32_t crc = 0;
  Reserved<4> reserved2{};
  friend constexpr bool operator==(const MessageHeader&, const MessageHeader&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"magic", &MessageHeader::magic, "\"NARU\"."}, Field{"version", &MessageHeader::version, "Protocol version."}, Field{"type", &MessageHeader::type, ""},
                      Field{"epoch", &MessageHeader::epoch, "The device's, as last read; an older one is refused."},
                      Field{"sequence", &MessageHeader::sequence, "The host's request number; a reply repeats it."}, Field{"context", &MessageHeader::context, "0 before one is open."},
                      Field{"flags", &MessageHeader::flags, "1 payload inline, 2 payload follows, 4 payload CRC present, 8 (protocol 2) payload CRC comes behind the payload."}, Field{"reserved", &MessageHeader::reserved, ""},
                      Field{"body_bytes", &MessageHeader::body_bytes, "Bytes of body after the header, a multiple of 8."},
                      Field{"payload_crc", &MessageHeader::payload_crc, "CRC-32C of the payload, if flagged 4."}, Field{"payload_bytes", &MessageHeader::payload_bytes, ""},
                      Field{"crc", &MessageHeader::crc, "CRC-32C of header (this field zero) and body."}, Field{"reserved2", &MessageHeader::reserved2, ""}};
  }
};
static_assert(wire_size<MessageHeader>() == 48);

/// A buffer or stream on the device: index and generation. 0 is no object; kSramHandle is the scratchpad, in job bindings only.
using Handle = std::uint64_t;
inline constexpr Handle kSramHandle = ~std::uint64_t{0};
[[nodiscard]] constexpr Handle make_handle(std::uint32_t index, std::uint32_t generation) noexcept { return (std::uint64_t{generation} << 32) | (index + 1); }

struct CreateBuffer {
  std::uint64_t bytes = 0;
  static constexpr auto fields() { return std::tuple{Field{"bytes", &CreateBuffer::bytes, "Size; contents are zero."}}; }
};
struct HandleBody {
  Handle handle = 0;
  static constexpr auto fields() { return std::tuple{Field{"handle", &HandleBody::handle, ""}}; }
};
struct Access {
  Handle handle = 0;
  std::uint64_t offset = 0, bytes = 0;
  std::uint64_t after_fence = 0;
  std::uint16_t after_queue = 0;
  Reserved<6> reserved{};
  static constexpr auto fields() {
    return std::tuple{Field{"handle", &Access::handle, "A buffer."}, Field{"offset", &Access::offset, ""}, Field{"bytes", &Access::bytes, "At least 1."},
                      Field{"after_fence", &Access::after_fence, "Reads: answer when this fence is signalled; 0: at once."},
                      Field{"after_queue", &Access::after_queue, "Whose fence."}, Field{"reserved", &Access::reserved, ""}};
  }
};
struct PayloadChecksum {
  std::uint32_t sequence = 0;
  std::uint32_t crc = 0;
  static constexpr auto fields() { return std::tuple{Field{"sequence", &PayloadChecksum::sequence, "Of the message whose payload it is."}, Field{"crc", &PayloadChecksum::crc, "CRC-32C of all of the payload."}}; }
};
struct Submit {
  std::uint32_t count = 0;
  Reserved<4> reserved{};
  static constexpr auto fields() { return std::tuple{Field{"count", &Submit::count, "Job records that follow."}, Field{"reserved", &Submit::reserved, ""}}; }
};
struct RegionBinding {
  Handle handle = 0;
  std::uint64_t offset = 0, bytes = 0;
  Rights rights = Rights::kNone;
  Reserved<7> reserved{};
  friend constexpr bool operator==(const RegionBinding&, const RegionBinding&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"handle", &RegionBinding::handle, "A buffer, or ~0 for SRAM."}, Field{"offset", &RegionBinding::offset, ""}, Field{"bytes", &RegionBinding::bytes, ""},
                      Field{"rights", &RegionBinding::rights, "At least what the stream declares."}, Field{"reserved", &RegionBinding::reserved, ""}};
  }
};
/// What a job has to do with what lies in the SRAM when it begins and when it has ended. A lease is a number that a context gives to what one of its
/// jobs leaves there for later ones (weights). A device holds one at most:
/// - kTake: it begins when the job ends with kOk. kNeed: the job finds it, and it goes on when the job ends with kOk.
/// - It ends when any other job is dispatched, of whatever context; when a job that takes or needs it ends otherwise; at a reset of any level; with its
///   context; and whenever SRAM is cleared. Jobs that are never dispatched (refused, cancelled while they waited, kLeaseLost) do not touch it.
/// - It is looked for when the job's turn comes, not at submission: whether it is there depends on what ran before, in the order in which it ran. A job
///   that does not find the lease that it needs ends with kLeaseLost, and none of its commands has run.
enum class LeaseUse : std::uint8_t { kNone = 0, kTake = 1, kNeed = 2 };

struct JobRecord {
  Handle stream = 0;
  std::uint64_t fence = 0;
  std::uint64_t cycle_budget = 0;
  std::uint16_t queue = 0;
  std::uint8_t region_count = 0;
  LeaseUse lease_use = LeaseUse::kNone;
  std::uint32_t lease = 0;
  friend constexpr bool operator==(const JobRecord&, const JobRecord&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"stream", &JobRecord::stream, ""}, Field{"fence", &JobRecord::fence, "Next value of the queue's timeline in this context: last + 1."},
                      Field{"cycle_budget", &JobRecord::cycle_budget, "Enforced in device time; 0 is the chip's longest job."}, Field{"queue", &JobRecord::queue, "0 to 3."},
                      Field{"region_count", &JobRecord::region_count, "RegionBinding records that follow."},
                      Field{"lease_use", &JobRecord::lease_use, "0 none; 1 take: what the job leaves in SRAM stays for those that need it; 2 need: runs only where nothing else has run since."},
                      Field{"lease", &JobRecord::lease, "The context's number for what stays in SRAM; 0 exactly when lease_use is 0."}};
  }
};
static_assert(wire_size<JobRecord>() == 32);
struct Cancel {
  std::uint64_t fence = 0;
  std::uint16_t queue = 0;
  Reserved<6> reserved{};
  static constexpr auto fields() { return std::tuple{Field{"fence", &Cancel::fence, ""}, Field{"queue", &Cancel::queue, ""}, Field{"reserved", &Cancel::reserved, ""}}; }
};

/// How a request or job ended.
enum class Status : std::uint16_t {
  kOk = 0, kBadMagic = 1, kBadVersion = 2, kBadChecksum = 3, kBadLength = 4, kStaleEpoch = 5, kUnknownType = 6, kBadHandle = 7, kBadRange = 8, kBadRights = 9,
  kOutOfMemory = 10, kBadStream = 11, kBadBinding = 12, kBadField = 13, kBudgetExceeded = 14, kCancelled = 15, kJobFault = 16, kNoCredit = 17, kBadContext = 18,
  kReset = 19, kFenceFailed = 20, kPayloadChecksum = 21, kLeaseLost = 22,
};
[[nodiscard]] NARU_API std::string_view name_of(Status status) noexcept;

struct Reply {
  Status status = Status::kOk;
  Reserved<2> reserved{};
  std::uint32_t detail = 0;
  Handle handle = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"status", &Reply::status, ""}, Field{"reserved", &Reply::reserved, ""}, Field{"detail", &Reply::detail, "Command index, byte offset, ...: by status."},
                      Field{"handle", &Reply::handle, "What was made."}};
  }
};

/// Jobs first_fence..last_fence of a queue ended with the same status. Failed ones come alone.
struct Completion {
  std::uint16_t queue = 0;
  Status status = Status::kOk;
  std::uint32_t fault_command = 0;
  std::uint64_t first_fence = 0, last_fence = 0;
  std::uint64_t cycles = 0;
  std::uint64_t retired = 0;
  std::uint64_t device_time_ns = 0;
  static constexpr auto fields() {
    return std::tuple{Field{"queue", &Completion::queue, ""}, Field{"status", &Completion::status, ""}, Field{"fault_command", &Completion::fault_command, "Index of the command at fault."},
                      Field{"first_fence", &Completion::first_fence, ""}, Field{"last_fence", &Completion::last_fence, ""},
                      Field{"cycles", &Completion::cycles, "Dispatch to END of the last job."}, Field{"retired", &Completion::retired, "Commands retired by the last job."},
                      Field{"device_time_ns", &Completion::device_time_ns, "Modelled time of END."}};
  }
};

/// Interrupt IN: something that nobody asked for. Sixteen bytes.
enum class EventKind : std::uint32_t { kReset = 1, kThrottled = 2, kFault = 3 };
struct Event {
  EventKind kind = EventKind::kReset;
  std::uint32_t epoch = 0;
  std::uint64_t value = 0;
  static constexpr auto fields() { return std::tuple{Field{"kind", &Event::kind, ""}, Field{"epoch", &Event::epoch, ""}, Field{"value", &Event::value, ""}}; }
};

/// CRC-32C of a header (crc field zero) and its body: what MessageHeader::crc holds.
[[nodiscard]] NARU_API std::uint32_t message_crc(MessageHeader header, std::span<const std::byte> body) noexcept;
/// The same of a message as it lies on the wire: header and body, whatever its crc field holds.
[[nodiscard]] NARU_API std::uint32_t message_crc(std::span<const std::byte> message) noexcept;
/// Where MessageHeader::crc lies.
inline constexpr std::size_t kMessageCrcOffset = 40;

}  // namespace naru::abi
