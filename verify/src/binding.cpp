// What a job binds, against what its stream declares.

#include <fmt/format.h>

#include "naru/base/bytes.h"
#include "naru/verify/verify.h"

namespace naru::verify {
namespace {

Result<void> check_one(std::size_t index, const abi::RegionDeclaration& declared, const BoundRegion& bound) {
  const auto refuse = [&](std::string what) {
    return fail(Error(ErrorId::kStreamBinding, fmt::format("Region {}: {}", index, what)).with_value("region", fmt::format("{}", index)));
  };
  if (bound.memory != declared.memory)
    return refuse(fmt::format("memory kind is {}; the stream declares {}", static_cast<unsigned>(bound.memory), static_cast<unsigned>(declared.memory)));
  if (!abi::includes(bound.rights, declared.rights))
    return refuse(fmt::format("rights are {}; the stream needs {}", static_cast<unsigned>(bound.rights), static_cast<unsigned>(declared.rights)));
  if (bound.length < declared.bytes) return refuse(fmt::format("{} bytes are bound; the stream needs {}", bound.length, declared.bytes));
  if (!checked_add(bound.offset, bound.length))
    return refuse(fmt::format("offset {} and length {} do not fit 64 bits", bound.offset, bound.length));
  return {};
}

bool share_bytes(const BoundRegion& a, const BoundRegion& b) {
  return a.buffer == b.buffer && a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

}  // namespace

Result<void> verify_binding(const abi::Stream& stream, std::span<const BoundRegion> regions) {
  if (regions.size() != stream.regions.size())
    return fail(ErrorId::kStreamBinding, fmt::format("{} regions are bound; the stream declares {}", regions.size(), stream.regions.size()));
  for (std::size_t i = 0; i < regions.size(); ++i) NARU_CHECK_OK(check_one(i, stream.regions[i], regions[i]));
  const auto in_dram = [&](std::size_t i) { return stream.regions[i].memory == abi::MemoryKind::kDram; };
  for (std::size_t i = 0; i < regions.size(); ++i) {
    if (!in_dram(i) || !abi::includes(stream.regions[i].rights, abi::Rights::kWrite)) continue;
    for (std::size_t j = 0; j < regions.size(); ++j) {
      if (i == j || !in_dram(j) || !share_bytes(regions[i], regions[j])) continue;
      return fail(Error(ErrorId::kStreamBinding,
                        fmt::format("Regions {} (written) and {} share bytes of buffer {}: {} to {} and {} to {}", i, j, regions[i].buffer, regions[i].offset,
                                    regions[i].offset + regions[i].length, regions[j].offset, regions[j].offset + regions[j].length)));
    }
  }
  return {};
}

}  // namespace naru::verify
