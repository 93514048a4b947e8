// From a transport to a ready device: who it is, whether the two sides understand each other, what its chip can do, and a context to work in.
#include <fmt/format.h>

#include "core.h"
#include "status.h"

namespace naru::driver {
namespace {

std::string text_of(const std::array<char, 24>& text) { return printable(std::string_view(text.data(), text.size())); }

Result<void> check_chip(const abi::Chip& chip) {
  const auto bad = [](std::string what) { return fail(ErrorId::kProtocolViolation, "The device describes a chip that cannot be: " + std::move(what)); };
  if (chip.isa_generation != abi::kIsaGeneration)
    return fail(ErrorId::kProtocolVersion, fmt::format("The chip has instruction set {}, this version knows {}: upgrade {}", chip.isa_generation, abi::kIsaGeneration,
                                                       chip.isa_generation > abi::kIsaGeneration ? "this software" : "the device's firmware"));
  if (chip.dma_engines == 0 || chip.dma_engines > abi::kDmaEnginesMax) return bad(fmt::format("{} DMA engines", chip.dma_engines));
  for (std::uint32_t number : {chip.clock_hz_thousands, chip.oc_lanes, chip.dot_depth, chip.dw_channels, chip.dw_taps, chip.vector_lanes, chip.sram_bytes_per_cycle, chip.dram_bytes_per_cycle,
                               chip.dram_burst_bytes})
    if (number == 0) return bad("a rate of zero");
  constexpr std::uint64_t kMemoryMax = std::uint64_t{1} << 46;
  if (chip.sram_bytes == 0 || chip.dram_bytes == 0 || chip.sram_bytes > kMemoryMax || chip.dram_bytes > kMemoryMax) return bad(fmt::format("{} bytes of SRAM, {} of DRAM", chip.sram_bytes, chip.dram_bytes));
  if (chip.job_cycles_max == 0) return bad("no job fits");
  return {};
}

Result<void> check_options(const DeviceOptions& options, const TransportInfo& transport) {
  if (options.payload_chunk_bytes < kChunkBytesMin || options.payload_chunk_bytes % kPacketBytesMax != 0 || options.payload_chunk_bytes > (64u << 20))
    return fail(ErrorId::kInvalidArgument, fmt::format("payload_chunk_bytes is {}; it is a multiple of {} from {} to 64 MiB", options.payload_chunk_bytes, kPacketBytesMax, kChunkBytesMin));
  if (options.unfinished_requests_max == 0 || options.unfinished_requests_max > kUnfinishedRequestsMax)
    return fail(ErrorId::kInvalidArgument, fmt::format("unfinished_requests_max is {}; it is 1 to {}", options.unfinished_requests_max, kUnfinishedRequestsMax));
  if (options.payload_chunks_in_flight == 0 || options.payload_chunks_in_flight > Flights::kPlaces / 2)
    return fail(ErrorId::kInvalidArgument, fmt::format("payload_chunks_in_flight is {}; it is 1 to {}", options.payload_chunks_in_flight, Flights::kPlaces / 2));
  for (Duration duration : {options.timeouts.control, options.timeouts.request, options.timeouts.job, options.timeouts.cancel, options.timeouts.recovery, options.timeouts.release, options.timeouts.close})
    if (duration <= Duration::zero()) return fail(ErrorId::kInvalidArgument, "A timeout is not positive");
  const std::uint32_t packet = transport.bulk_packet_bytes;
  if (packet == 0 || packet > kPacketBytesMax || (packet & (packet - 1)) != 0) return fail(ErrorId::kInvalidArgument, fmt::format("The transport has packets of {} bytes", packet));
  return {};
}

}  // namespace

Result<void> Core::adopt_identity(std::span<const std::byte> bytes) {
  abi::Identity identity;
  if (bytes.size() != abi::wire_size<abi::Identity>() || abi::decode(bytes, identity) != abi::Decoded::kOk || identity.magic != abi::kMessageMagic)
    return fail(ErrorId::kDeviceNotNaru, fmt::format("The device's identity is {} bytes without Naru's mark", bytes.size()));
  if (identity.protocol_min > identity.protocol_max) return fail(ErrorId::kProtocolViolation, fmt::format("The device speaks protocols {} to {}", identity.protocol_min, identity.protocol_max));
  if (identity.protocol_min > abi::kProtocolMax || identity.protocol_max < abi::kProtocolMin) {
    const bool host_is_old = identity.protocol_min > abi::kProtocolMax;
    return fail(Error(ErrorId::kProtocolVersion, fmt::format("The device speaks protocols {} to {}, this version {} to {}", identity.protocol_min, identity.protocol_max, abi::kProtocolMin, abi::kProtocolMax))
                    .with_remedy(host_is_old ? fmt::format("Upgrade this software to one that speaks protocol {}.", identity.protocol_min)
                                             : fmt::format("Upgrade the device's firmware to one that speaks protocol {}.", abi::kProtocolMin)));
  }
  constexpr std::uint32_t kTransferMin = 24 * 1024;  // the largest message with an inline payload, and room
  if (identity.credits == 0 || identity.message_transfer_max < kTransferMin)
    return fail(ErrorId::kProtocolViolation, fmt::format("The device grants {} credits and transfers of {} bytes", identity.credits, identity.message_transfer_max));
  identity_ = identity;
  epoch_ = identity.epoch;
  transfer_max_ = std::min(identity.message_transfer_max, abi::kMessageTransferMax);
  const auto has = [&](abi::Feature feature) { return (identity.features & static_cast<std::uint32_t>(feature)) != 0; };
  info_.protocol = std::min(identity.protocol_max, abi::kProtocolMax);
  info_.payload_checksums = options_.payload_checksums && has(abi::Feature::kPayloadCrc);
  info_.simulated = has(abi::Feature::kSimulated);
  info_.real_time = has(abi::Feature::kRealTime);
  info_.leases = has(abi::Feature::kLeases);
  info_.profile = text_of(identity.profile);
  info_.serial = text_of(identity.serial);
  info_.firmware = fmt::format("{}.{}.{}", identity.firmware[0], identity.firmware[1], identity.firmware[2]);
  return {};
}

Result<void> Core::bring_up() {
  NARU_CHECK_OK(check_options(options_, info_.transport));
  NARU_CHECK_OK(move_to(State::kIdentifying));
  if (info_.transport.vendor_id == abi::kVendorId && info_.transport.product_id == abi::kProductRom)
    return fail(ErrorId::kRomMode, fmt::format("{} is in ROM mode ({:04x}:{:04x})", device_name(), abi::kVendorId, abi::kProductRom));
  auto identity = control_in(abi::ControlRequest::kIdentity, 0, 0, abi::wire_size<abi::Identity>());
  if (!identity) {
    if (identity.error().id() != ErrorId::kTransferStalled) return fail(std::move(identity).error());
    return fail(ErrorId::kDeviceNotNaru, fmt::format("{} does not know the identity request", device_name()));
  }
  NARU_CHECK_OK(move_to(State::kNegotiating));
  NARU_CHECK_OK(adopt_identity(*identity));
  NARU_TRY(const abi::Chip chip, control_record<abi::Chip>(abi::ControlRequest::kChip));
  NARU_CHECK_OK(check_chip(chip));
  chip_ = chip;
  if (options_.control_only) return move_to(State::kReady);

  // A process that died may have left the pipes in any state.
  NARU_CHECK_OK(control_out(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(abi::PipeMode::kMessages), 0, {}));
  recovery_ = {};
  clear_halts();
  run_until([this] { return halt_out_ticket_ == Ticket::kNone && halt_in_ticket_ == Ticket::kNone; }, clock_->after(options_.timeouts.control * 2));
  if (!transport_) return fail(gone_error());
  if (recovery_.failed || halt_out_ticket_ != Ticket::kNone || halt_in_ticket_ != Ticket::kNone) return fail(ErrorId::kTransferStalled, "The device did not let its halts be cleared");
  // Requests of an earlier process may still be answered: hardly by the numbers that ours have. Should it be its request for a context that
  // is answered, that context was never used, and is as good as ours; the second answer is then dropped.
  sequence_ = static_cast<std::uint32_t>(now().count());
  resync_floor_ = sequence_ + 2;
  post_event();
  sending_ = receiving_ = true;
  pump_in();
  const std::uint16_t index = acquire(abi::MessageType::kOpenContext, false);
  if (index == kNoSlot) return fail(ErrorId::kInternal, "No request slot is free");
  enqueue(index);
  NARU_CHECK_OK_WHILE(finish_waiting(index), "opening a context");
  return move_to(State::kReady);
}

}  // namespace naru::driver
