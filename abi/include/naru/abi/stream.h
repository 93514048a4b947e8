// A command stream as bytes: header, region declarations, commands. The same codec serves compiler, verifier, disassembler and device.
#pragma once

#include <string>

#include "naru/abi/isa.h"

namespace naru::abi {

inline constexpr std::uint32_t kStreamMagic = 0x5254534E;  // "NSTR"
inline constexpr std::uint16_t kStreamVersion = 1;
inline constexpr std::size_t kStreamBytesMax = std::size_t{16} << 20;

struct StreamHeader {
  std::uint32_t magic = kStreamMagic;
  std::uint16_t version = kStreamVersion;
  std::uint16_t isa_generation = kIsaGeneration;
  std::uint32_t command_count = 0;
  std::uint32_t region_count = 0;
  std::uint64_t command_bytes = 0;
  friend constexpr bool operator==(const StreamHeader&, const StreamHeader&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"magic", &StreamHeader::magic, "\"NSTR\"."}, Field{"version", &StreamHeader::version, "Of this layout."},
                      Field{"isa_generation", &StreamHeader::isa_generation, "Which instruction set."},
                      Field{"command_count", &StreamHeader::command_count, "Commands, END included."},
                      Field{"region_count", &StreamHeader::region_count, "Region declarations, at most 16."},
                      Field{"command_bytes", &StreamHeader::command_bytes, "Bytes of all commands."}};
  }
};

/// What a job must bind at this index: checked against every command when the stream is loaded, and against the binding per job.
struct RegionDeclaration {
  MemoryKind memory = MemoryKind::kDram;
  Rights rights = Rights::kNone;
  Reserved<6> reserved;
  std::uint64_t bytes = 0;
  friend constexpr bool operator==(const RegionDeclaration&, const RegionDeclaration&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"memory", &RegionDeclaration::memory, "1 DRAM, 2 SRAM."}, Field{"rights", &RegionDeclaration::rights, "1 read, 2 write, 3 both."},
                      Field{"reserved", &RegionDeclaration::reserved, ""}, Field{"bytes", &RegionDeclaration::bytes, "Bytes that commands may touch."}};
  }
};

struct Stream {
  std::vector<RegionDeclaration> regions;
  std::vector<Command> commands;  // END is the last one
};

[[nodiscard]] NARU_API std::vector<std::byte> encode_stream(const Stream& stream);
[[nodiscard]] NARU_API std::size_t wire_size_of(const CommandBody& body) noexcept;  // header included

enum class StreamFault : std::uint8_t {
  kNone, kTruncated, kMagic, kVersion, kGeneration, kRegionCount, kReserved, kOpcode, kSize, kCount, kEndMissing, kEndEarly
};
struct StreamDecoded {
  StreamFault fault = StreamFault::kNone;
  std::uint32_t command = 0;   // index of the command at fault
  std::uint64_t offset = 0;    // byte offset of it in the stream
};
/// Framing only: lengths, known opcodes, reserved bytes, one END at the end. Ranges, rights and order are the verifier's and the device's.
[[nodiscard]] NARU_API StreamDecoded decode_stream(std::span<const std::byte> bytes, Stream& stream);
[[nodiscard]] NARU_API std::string_view name_of(StreamFault fault) noexcept;

/// One line: "conv @mac  input=r0+1024 weights=r0+65536 ... ; operator 3".
[[nodiscard]] NARU_API std::string disassemble(const Command& command);
/// The whole stream, one command a line with its index and its engine's count.
[[nodiscard]] NARU_API std::string disassemble(const Stream& stream);

}  // namespace naru::abi
