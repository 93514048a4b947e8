// What a job exchanges with the steps around it, and where tensors lie that share one region.
//
// A tensor that jobs touch is a region of its own, unless a job needs more of them than a job has regions: then all tensors of the package lie in one arena, one after the other in
// the order of Package::tensors, each at a multiple of kArenaAlignment, and jobs bind the whole of it (RegionSource::kArena).
#pragma once

#include <span>
#include <vector>

#include "naru/abi/stream.h"
#include "naru/base/result.h"
#include "package/package.h"

namespace naru::sdk::package {

inline constexpr std::uint64_t kArenaAlignment = 64;

/// Offset of every tensor in the arena, and its size as one more. The sum of the tensors' sizes is below 2^63.
[[nodiscard]] std::vector<std::uint64_t> arena_offsets(std::span<const Tensor> tensors);
/// Whether a job of the package binds the arena.
[[nodiscard]] bool has_arena(const Package& package) noexcept;

/// A tensor that a job reads, writes or both.
struct Exchange {
  std::uint32_t tensor = 0;
  abi::Rights rights = abi::Rights::kNone;
  friend bool operator==(const Exchange&, const Exchange&) = default;
};

/// By tensor number; in the arena, from what the stream's commands touch. Bindings name tensors that exist, and the arena from its start. `stream` is job.stream, decoded.
/// kPackageStructure: a command touches bytes of the arena that are not of one tensor, or names a region that is not bound.
[[nodiscard]] Result<std::vector<Exchange>> exchanges_of(const JobStream& job, const abi::Stream& stream, std::span<const Tensor> tensors);
/// The same, of a stream that is decoded only where there is an arena. kPackageStructure also for one that is malformed.
[[nodiscard]] Result<std::vector<Exchange>> exchanges_of(const JobStream& job, std::span<const Tensor> tensors);

}  // namespace naru::sdk::package
