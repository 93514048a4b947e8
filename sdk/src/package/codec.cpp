// Layout: header, section table, header hash, sections without gaps. Every byte is under a hash or is compared, so that any change is noticed.
#include "package/codec.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include "naru/base/hash.h"
#include "package/fields.h"
#include "package/validate.h"

namespace naru::sdk::package {
namespace {

constexpr std::uint64_t kMagic = 0x31474B505552414E;  // "NARUPKG1"
enum class SectionId : std::uint32_t { kInfo = 1, kTensors = 2, kConstants = 3, kSteps = 4, kReports = 5 };
constexpr std::size_t kSections = 5;

struct Header {
  std::uint64_t magic = kMagic;
  std::uint16_t version = kFormatVersion;
  abi::Reserved<2> reserved;
  std::uint32_t section_count = kSections;
  std::uint64_t total_bytes = 0;
  static constexpr auto fields() {
    return std::tuple{abi::Field{"magic", &Header::magic, "\"NARUPKG1\"."}, abi::Field{"version", &Header::version, "Of this layout."},
                      abi::Field{"reserved", &Header::reserved, ""}, abi::Field{"section_count", &Header::section_count, "Entries of the table that follows."},
                      abi::Field{"total_bytes", &Header::total_bytes, "Of the whole file."}};
  }
};

struct Section {
  SectionId id = SectionId::kInfo;
  abi::Reserved<4> reserved;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Sha256 hash{};
  static constexpr auto fields() {
    return std::tuple{abi::Field{"id", &Section::id, "1 info, 2 tensors, 3 constants, 4 steps, 5 reports; in this order."},
                      abi::Field{"reserved", &Section::reserved, ""}, abi::Field{"offset", &Section::offset, "From the start of the file."},
                      abi::Field{"bytes", &Section::bytes, "Of the section."}, abi::Field{"hash", &Section::hash, "sha256_of_parts() of the section (naru/base/hash.h)."}};
  }
};

constexpr std::size_t kTableBytes = abi::wire_size<Header>() + kSections * abi::wire_size<Section>();
constexpr std::size_t kHeadBytes = kTableBytes + sizeof(Sha256);

template <typename Archive>
void transfer_info(Archive& archive, Package& package) {
  transfer_all(archive, package.name, package.description);
  if constexpr (Archive::kReads) {
    std::ranges::copy(archive.fixed(package.model_sha256.size()), package.model_sha256.begin());
  } else {
    archive.fixed(package.model_sha256);
  }
  transfer_all(archive, package.requirements, package.advice, package.scratch_bytes);
  transfer_bytes(archive, package.state);
}

template <typename Archive>
void transfer_tensors(Archive& archive, Package& package) {
  transfer_all(archive, package.tensors, package.inputs, package.outputs, package.kept);
}

template <typename Archive>
void transfer_section(Archive& archive, SectionId id, Package& package) {
  switch (id) {
    case SectionId::kInfo: return transfer_info(archive, package);
    case SectionId::kTensors: return transfer_tensors(archive, package);
    case SectionId::kConstants: return transfer_bytes(archive, package.constants);
    case SectionId::kSteps: return transfer(archive, package.steps);
    case SectionId::kReports: return transfer_all(archive, package.operators, package.memory);
  }
}

std::string_view name_of(std::size_t section) {
  constexpr std::array<std::string_view, kSections> kNames{"info", "tensors", "constants", "steps", "reports"};
  return kNames[section];
}

/// The table, once the header's own hash has been compared.
Result<std::array<Section, kSections>> read_table(std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof(kMagic) || load_le<std::uint64_t>(bytes.data()) != kMagic) return fail(ErrorId::kPackageNotNaru, "The file does not begin as a package does");
  if (bytes.size() < sizeof(kMagic) + sizeof(kFormatVersion)) return fail(ErrorId::kPackageTruncated, fmt::format("The package ends after {} bytes", bytes.size()));
  if (const auto version = load_le<std::uint16_t>(bytes.data() + sizeof(kMagic)); version != kFormatVersion)
    return fail(Error(ErrorId::kPackageVersion, fmt::format("The package has format {}; this version reads {}", version, kFormatVersion))
                    .with_remedy(version > kFormatVersion ? "Upgrade Naru, or compile the model again with this version." : "Compile the model again with this version."));
  if (bytes.size() < kHeadBytes) return fail(ErrorId::kPackageTruncated, fmt::format("The package ends after {} bytes, within its section table", bytes.size()));
  const bool clean = abi::decode(bytes, header) == abi::Decoded::kOk;
  const Sha256 hash = sha256(bytes.first(kTableBytes));
  if (!std::ranges::equal(hash, bytes.subspan(kTableBytes, hash.size()))) return fail(ErrorId::kPackageHash, "The package's section table does not have the hash that it states");
  if (!clean || header.section_count != kSections) return fail(ErrorId::kPackageStructure, fmt::format("The package has {} sections; {} are expected", header.section_count, kSections));
  if (header.total_bytes > bytes.size()) return fail(ErrorId::kPackageTruncated, fmt::format("The package ends after {} of {} bytes", bytes.size(), header.total_bytes));
  if (header.total_bytes < bytes.size()) return fail(ErrorId::kPackageStructure, fmt::format("The file goes on for {} bytes after the package", bytes.size() - header.total_bytes));
  std::array<Section, kSections> sections;
  std::uint64_t next = kHeadBytes;
  for (std::size_t i = 0; i < kSections; ++i) {
    Section& section = sections[i];
    const bool readable = abi::decode(bytes.subspan(abi::wire_size<Header>() + i * abi::wire_size<Section>()), section) == abi::Decoded::kOk;
    if (!readable || section.id != static_cast<SectionId>(i + 1) || section.offset != next || section.bytes > bytes.size() - next)
      return fail(ErrorId::kPackageStructure, fmt::format("Section {} of the package ({}) is not where it belongs", i, name_of(i)));
    next += section.bytes;
  }
  if (next != bytes.size()) return fail(ErrorId::kPackageStructure, "The package's sections do not fill it");
  return sections;
}

Result<Package> read(std::span<const std::byte> bytes, const SharedBytes::Owner& owner) {
  NARU_TRY(const auto sections, read_table(bytes));
  for (std::size_t i = 0; i < kSections; ++i)
    if (sha256_of_parts(bytes.subspan(sections[i].offset, sections[i].bytes)) != sections[i].hash)
      return fail(ErrorId::kPackageHash, fmt::format("Section {} of the package ({}) does not have the hash that its table states", i, name_of(i)));
  Package package;
  for (std::size_t i = 0; i < kSections; ++i) {
    Reader reader(bytes.subspan(sections[i].offset, sections[i].bytes), owner);
    transfer_section(reader, sections[i].id, package);
    if (!reader.done()) return fail(ErrorId::kPackageStructure, fmt::format("Section {} of the package ({}) cannot be read to its end", i, name_of(i)));
  }
  NARU_CHECK_OK(validate(package));
  package.verified = true;
  return package;
}

}  // namespace

std::vector<std::byte> encode(const Package& package) {
  // The list of fields is shared with reading, which changes what it is given; writing does not.
  auto& readable = const_cast<Package&>(package);
  std::array<std::vector<std::byte>, kSections> bodies;
  Header header;
  header.total_bytes = kHeadBytes;
  std::vector<std::byte> bytes(abi::wire_size<Header>());
  for (std::size_t i = 0; i < kSections; ++i) {
    Writer writer;
    transfer_section(writer, static_cast<SectionId>(i + 1), readable);
    bodies[i] = writer.take();
    Section section;
    section.id = static_cast<SectionId>(i + 1);
    section.offset = header.total_bytes;
    section.bytes = bodies[i].size();
    section.hash = sha256_of_parts(bodies[i]);
    const auto encoded = abi::encode(section);
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
    header.total_bytes += section.bytes;
  }
  abi::encode_to(bytes, header);
  const Sha256 hash = sha256(bytes);
  bytes.insert(bytes.end(), hash.begin(), hash.end());
  bytes.reserve(header.total_bytes);
  for (const auto& body : bodies) bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

namespace {

Result<Package> read_guarded(std::span<const std::byte> bytes, const SharedBytes::Owner& owner) {
  try {
    return read(bytes, owner);
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory to read a package of {} bytes", bytes.size()));
  }
}

}  // namespace

Result<Package> decode(std::span<const std::byte> bytes) { return read_guarded(bytes, nullptr); }
Result<Package> decode(SharedBytes::Owner bytes) { return read_guarded(*bytes, bytes); }

bool is_package(std::span<const std::byte> bytes) noexcept { return bytes.size() >= sizeof(kMagic) && load_le<std::uint64_t>(bytes.data()) == kMagic; }

}  // namespace naru::sdk::package
