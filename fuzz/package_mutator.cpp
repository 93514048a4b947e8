// Most changes are to bytes inside one section, after which the table and the hashes are written anew: nothing else of the reader would ever be
// reached. The others decode the package, change a field, a step or a stream's command, and encode it again.
#include "package_mutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "edge_values.h"
#include "mutation/mutate.h"
#include "naru/base/bytes.h"
#include "naru/base/hash.h"
#include "package/codec.h"
#include "target.h"

namespace naru::fuzzing {
namespace {

namespace package = sdk::package;

// The layout, as sdk/src/package/codec.h has it: a header, a table of five sections, the hash of both, the sections.
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kTotalAt = 16;
constexpr std::size_t kEntryBytes = 56;
constexpr std::size_t kOffsetAt = 8;
constexpr std::size_t kBytesAt = 16;
constexpr std::size_t kHashAt = 24;
constexpr std::size_t kSections = 5;
constexpr std::size_t kTableBytes = kHeaderBytes + kSections * kEntryBytes;
constexpr std::size_t kHeadBytes = kTableBytes + sizeof(Sha256);

struct Place {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

/// Where the sections are; empty when the table does not describe these bytes.
std::vector<Place> sections_of(const std::byte* data, std::size_t size) {
  std::vector<Place> places;
  std::size_t next = kHeadBytes;
  for (std::size_t i = 0; i < kSections && size >= kHeadBytes; ++i) {
    const std::byte* entry = data + kHeaderBytes + i * kEntryBytes;
    const auto bytes = load_le<std::uint64_t>(entry + kBytesAt);
    if (load_le<std::uint64_t>(entry + kOffsetAt) != next || bytes > size - next) return {};
    places.push_back({next, bytes});
    next += bytes;
  }
  return next == size ? places : std::vector<Place>();
}

void put_hash(std::byte* to, const Sha256& hash) { std::copy(hash.begin(), hash.end(), to); }

/// An integer of any width, a float, or a few bits.
void change_word(std::byte* section, std::size_t bytes, Random& random) {
  const std::size_t width = std::array<std::size_t, 4>{1, 2, 4, 8}[random.below(4)];
  if (bytes < width) return;
  std::byte* at = section + random.below(bytes - width + 1);
  std::array<std::byte, 8> value{};
  store_le(value.data(), edge_integer(random));
  if (random.chance(4)) {
    std::memcpy(value.data(), at, width);
    store_le(value.data(), load_le<std::uint64_t>(value.data()) + static_cast<std::uint64_t>(random.between(-2, 2)));
  }
  std::memcpy(at, value.data(), width);
}

/// Changes one section and puts the framing right, but for one of 64, where it is left wrong.
std::size_t change_section(std::byte* data, std::size_t size, std::size_t size_max, const std::vector<Place>& places, Random& random) {
  // The constants are bytes that nobody reads here.
  constexpr std::array<std::size_t, 12> kWeighted{0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4};
  const std::size_t index = kWeighted[random.below(kWeighted.size())];
  const Place place = places[index];
  std::size_t bytes = place.bytes;
  if (random.chance(8)) {
    // The section grows or shrinks: its tail is moved aside meanwhile.
    const std::vector<std::byte> tail(data + place.offset + place.bytes, data + size);
    const std::size_t room = size_max - std::min(size_max, place.offset + tail.size());
    if (room < place.bytes) return size;
    bytes = LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(data + place.offset), place.bytes, std::min(room, place.bytes + 64));
    std::copy(tail.begin(), tail.end(), data + place.offset + bytes);
  } else {
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) change_word(data + place.offset, place.bytes, random);
  }
  size = size - place.bytes + bytes;
  if (random.chance(64)) return size;
  store_le<std::uint64_t>(data + kHeaderBytes + index * kEntryBytes + kBytesAt, bytes);
  for (std::size_t i = index + 1; i < kSections; ++i) {
    std::byte* offset = data + kHeaderBytes + i * kEntryBytes + kOffsetAt;
    store_le<std::uint64_t>(offset, places[i].offset - place.bytes + bytes);
  }
  store_le<std::uint64_t>(data + kTotalAt, size);
  put_hash(data + kHeaderBytes + index * kEntryBytes + kHashAt, sha256_of_parts({data + place.offset, bytes}));
  put_hash(data + kTableBytes, sha256({data, kTableBytes}));
  return size;
}

template <typename T>
void change(T& value, Random& random) {
  value = static_cast<T>(edge_integer(random));
}

template <typename T>
void rearrange(std::vector<T>& list, Random& random) {
  if (list.empty()) return;
  const auto at = list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size()));
  switch (random.below(3)) {
    case 0: list.erase(at); break;
    case 1: {
      const T copy = *at;
      list.insert(at, copy);
      break;
    }
    default: std::swap(*at, list[random.below(list.size())]);
  }
}

template <typename T>
T* any_of(std::vector<T>& list, Random& random) {
  return list.empty() ? nullptr : &list[random.below(list.size())];
}

void change_job(package::JobStream& job, Random& random) {
  package::Binding* binding = any_of(job.bindings, random);
  switch (random.below(10)) {
    case 0: return rearrange(job.bindings, random);
    case 1: return change(job.worst_case_cycles, random);
    case 2:
    case 3:
    case 4:
      if (binding == nullptr) return;
      switch (random.below(5)) {
        case 0: binding->source = static_cast<package::RegionSource>(random.below(7)); break;
        case 1: change(binding->tensor, random); break;
        case 2: change(binding->offset, random); break;
        case 3: change(binding->bytes, random); break;
        default: binding->rights = static_cast<abi::Rights>(random.below(5)); break;
      }
      return;
    default: {
      abi::Stream stream;
      if (abi::decode_stream(job.stream, stream).fault != abi::StreamFault::kNone || stream.commands.empty()) return;
      naru::testing::mutate(stream, random);
      job.stream = abi::encode_stream(stream);
      // What a stream declares is bound as it is declared, or the first difference hides the rest.
      for (std::size_t i = 0; i < std::min(job.bindings.size(), stream.regions.size()); ++i) {
        job.bindings[i].bytes = stream.regions[i].bytes;
        job.bindings[i].rights = stream.regions[i].rights;
      }
    }
  }
}

void change_step(package::HostStep& step, Random& random) {
  sdk::graph::Tensor* operand = any_of(step.constants, random);
  switch (random.below(10)) {
    case 0: step.op.kind = static_cast<sdk::graph::OperatorKind>(random.below(sdk::graph::kOperatorKinds + 2)); break;
    case 1: rearrange(step.op.inputs, random); break;
    case 2: rearrange(step.op.outputs, random); break;
    case 3: rearrange(step.tensors, random); break;
    case 4: rearrange(step.constants, random); break;
    case 5:
      if (!step.op.inputs.empty()) change(*any_of(step.op.inputs, random), random);
      break;
    case 6:
      if (!step.tensors.empty()) change(*any_of(step.tensors, random), random);
      break;
    case 7:
      if (operand != nullptr) operand->type = static_cast<abi::ElementType>(random.below(16));
      break;
    default:
      if (operand == nullptr) return;
      if (!operand->shape.empty() && random.chance(2)) change(*any_of(operand->shape, random), random);
      else if (operand->quantization && !operand->quantization->scales.empty()) operand->quantization->scales[0] = edge_float(random);
      else operand->quantization.emplace();
  }
}

void change_package(package::Package& p, Random& random) {
  package::Tensor* tensor = any_of(p.tensors, random);
  auto& ends = random.chance(3) ? p.kept : random.chance(2) ? p.inputs : p.outputs;
  switch (random.below(12)) {
    case 0: return rearrange(p.tensors, random);
    case 1: return rearrange(p.steps, random);
    case 2: return ends.empty() || random.chance(3) ? ends.push_back(static_cast<std::uint32_t>(edge_integer(random))) : change(*any_of(ends, random), random);
    case 3: return change(random.chance(2) ? p.scratch_bytes : p.requirements.dram_bytes, random);
    case 4: return p.state.resize(random.below(64));
    case 5: return rearrange(p.operators, random);
    case 6:
      if (tensor == nullptr) return;
      if (!tensor->shape.empty() && random.chance(2)) return change(*any_of(tensor->shape, random), random);
      return change(tensor->bytes, random);
    default:
      if (package::Step* step = any_of(p.steps, random)) {
        if (auto* job = std::get_if<package::NpuJob>(step)) change_job(random.chance(3) ? job->resident : *job, random);
        else change_step(std::get<package::HostStep>(*step), random);
      }
  }
}

}  // namespace

std::size_t mutate_package(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  Random random(seed);
  auto* bytes = reinterpret_cast<std::byte*>(data);
  const std::vector<Place> places = sections_of(bytes, size);
  if (places.empty() || random.chance(64)) return LLVMFuzzerMutate(data, size, size_max);
  if (!random.chance(6)) return change_section(bytes, size, size_max, places, random);
  auto decoded = package::decode({bytes, size});
  if (!decoded) return change_section(bytes, size, size_max, places, random);
  change_package(*decoded, random);
  const std::vector<std::byte> encoded = package::encode(*decoded);
  if (encoded.size() > size_max) return size;
  std::memcpy(data, encoded.data(), encoded.size());
  return encoded.size();
}

}  // namespace naru::fuzzing
