// The stream codec: commands to bytes and back, by the records' own field lists.
#include "naru/abi/stream.h"

namespace naru::abi {
namespace {

template <typename T>
constexpr std::size_t command_size() {
  static_assert(wire_size<T>() % 8 == 0, "commands are 64-bit aligned");
  return wire_size<CommandHeader>() + wire_size<T>();
}

/// Calls `use` with a default record of the opcode's type; false when the opcode is not known.
template <typename Use, std::size_t... I>
bool with_record(Opcode opcode, Use&& use, std::index_sequence<I...>) {
  return ((std::variant_alternative_t<I, CommandBody>::kOpcode == opcode ? (use(std::variant_alternative_t<I, CommandBody>{}), true) : false) || ...);
}
template <typename Use>
bool with_record(Opcode opcode, Use&& use) {
  return with_record(opcode, std::forward<Use>(use), std::make_index_sequence<std::variant_size_v<CommandBody>>{});
}

}  // namespace

std::size_t wire_size_of(const CommandBody& body) noexcept {
  return std::visit([](const auto& record) { return command_size<std::remove_cvref_t<decltype(record)>>(); }, body);
}

std::vector<std::byte> encode_stream(const Stream& stream) {
  std::size_t command_bytes = 0;
  for (const Command& command : stream.commands) command_bytes += wire_size_of(command.body);
  const std::size_t table_bytes = wire_size<StreamHeader>() + stream.regions.size() * wire_size<RegionDeclaration>();
  std::vector<std::byte> bytes(table_bytes + command_bytes);
  std::span<std::byte> rest = bytes;
  const auto put = [&rest](const auto& record) { rest = rest.subspan(encode_to(rest, record)); };
  put(StreamHeader{.command_count = static_cast<std::uint32_t>(stream.commands.size()),
                   .region_count = static_cast<std::uint32_t>(stream.regions.size()),
                   .command_bytes = command_bytes});
  for (const RegionDeclaration& region : stream.regions) put(region);
  for (const Command& command : stream.commands) {
    std::visit(
        [&](const auto& record) {
          using T = std::remove_cvref_t<decltype(record)>;
          put(CommandHeader{.opcode = T::kOpcode, .engine = command.engine, .size_words = command_size<T>() / 8, .source = command.source});
          put(record);
        },
        command.body);
  }
  return bytes;
}

StreamDecoded decode_stream(std::span<const std::byte> bytes, Stream& stream) {
  stream.regions.clear();
  stream.commands.clear();
  StreamHeader header;
  if (bytes.size() > kStreamBytesMax) return {StreamFault::kSize, 0, bytes.size()};
  switch (decode(bytes, header)) {
    case Decoded::kTooShort: return {StreamFault::kTruncated, 0, bytes.size()};
    case Decoded::kReservedNotZero: return {StreamFault::kReserved, 0, 0};
    case Decoded::kOk: break;
  }
  if (header.magic != kStreamMagic) return {StreamFault::kMagic, 0, 0};
  if (header.version != kStreamVersion) return {StreamFault::kVersion, 0, 4};
  if (header.isa_generation != kIsaGeneration) return {StreamFault::kGeneration, 0, 6};
  if (header.region_count > kRegionsMax) return {StreamFault::kRegionCount, 0, 12};
  std::size_t offset = wire_size<StreamHeader>();
  for (std::uint32_t i = 0; i < header.region_count; ++i) {
    RegionDeclaration region;
    const Decoded decoded = decode(bytes.subspan(offset), region);
    if (decoded == Decoded::kTooShort) return {StreamFault::kTruncated, 0, offset};
    if (decoded == Decoded::kReservedNotZero) return {StreamFault::kReserved, 0, offset};
    stream.regions.push_back(region);
    offset += wire_size<RegionDeclaration>();
  }
  if (bytes.size() - offset != header.command_bytes) return {StreamFault::kTruncated, 0, offset};
  // Every command takes at least its header, which bounds the count before anything is reserved for it.
  if (header.command_count > header.command_bytes / wire_size<CommandHeader>()) return {StreamFault::kCount, 0, 8};
  stream.commands.reserve(header.command_count);
  for (std::uint32_t index = 0; index < header.command_count; ++index) {
    CommandHeader command_header;
    const std::span<const std::byte> rest = bytes.subspan(offset);
    if (decode(rest, command_header) != Decoded::kOk) return {StreamFault::kTruncated, index, offset};
    StreamFault fault = StreamFault::kNone;
    const bool known = with_record(command_header.opcode, [&](auto record) {
      using T = decltype(record);
      if (command_header.size_words != command_size<T>() / 8) {
        fault = StreamFault::kSize;
        return;
      }
      const Decoded decoded = decode(rest.subspan(wire_size<CommandHeader>()), record);
      if (decoded == Decoded::kTooShort) fault = StreamFault::kTruncated;
      if (decoded == Decoded::kReservedNotZero) fault = StreamFault::kReserved;
      if (fault == StreamFault::kNone) stream.commands.push_back({command_header.engine, command_header.source, record});
    });
    if (!known) fault = StreamFault::kOpcode;
    if (fault != StreamFault::kNone) return {fault, index, offset};
    const bool is_end = command_header.opcode == Opcode::kEnd;
    if (is_end && index + 1 != header.command_count) return {StreamFault::kEndEarly, index, offset};
    if (!is_end && index + 1 == header.command_count) return {StreamFault::kEndMissing, index, offset};
    offset += std::size_t{command_header.size_words} * 8;
  }
  if (header.command_count == 0) return {StreamFault::kEndMissing, 0, offset};
  if (offset != bytes.size()) return {StreamFault::kCount, header.command_count, offset};
  return {};
}

std::string_view name_of(StreamFault fault) noexcept {
  switch (fault) {
    case StreamFault::kNone: return "none";
    case StreamFault::kTruncated: return "truncated";
    case StreamFault::kMagic: return "magic";
    case StreamFault::kVersion: return "version";
    case StreamFault::kGeneration: return "ISA generation";
    case StreamFault::kRegionCount: return "region count";
    case StreamFault::kReserved: return "reserved bytes not zero";
    case StreamFault::kOpcode: return "unknown opcode";
    case StreamFault::kSize: return "size";
    case StreamFault::kCount: return "command count";
    case StreamFault::kEndMissing: return "END missing";
    case StreamFault::kEndEarly: return "END before the last command";
  }
  return "unknown";
}

}  // namespace naru::abi
