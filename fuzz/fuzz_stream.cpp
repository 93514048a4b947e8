// Any bytes as a command stream (stream_target.h). A mutation keeps the header's lengths right, so that most inputs get past framing; an empty
// corpus starts from a stream of all commands.

#include <cstring>

#include "naru/base/bytes.h"
#include "stream_target.h"
#include "target.h"

namespace {

using namespace naru;  // NOLINT

constexpr std::size_t kHeaderBytes = abi::wire_size<abi::StreamHeader>();

std::size_t put_seed(std::uint8_t* data, std::size_t size_max) {
  const std::vector<std::byte> seed = abi::encode_stream(test::one_of_each());
  const std::size_t size = std::min(size_max, seed.size());
  std::memcpy(data, seed.data(), size);
  return size;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  if (size < kHeaderBytes || seed % 64 == 0) size = put_seed(data, size_max);
  // Seven times of eight only commands change, in place: the framing stays.
  const std::size_t from = seed % 8 == 0 || size <= test::kCommandsAt ? 0 : test::kCommandsAt;
  const std::size_t room = from == 0 ? size_max : size;
  size = from + LLVMFuzzerMutate(data + from, size - from, room - from);
  if (size < kHeaderBytes) return size;
  auto* bytes = reinterpret_cast<std::byte*>(data);
  const std::uint64_t tables = kHeaderBytes + std::uint64_t{load_le<std::uint32_t>(bytes + 12) % 32} * abi::wire_size<abi::RegionDeclaration>();
  store_le<std::uint64_t>(bytes + 16, size > tables ? size - tables : 0);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return naru::fuzzing::judge(naru::fuzzing::check_stream(naru::fuzzing::bytes_of(data, size)));
}
