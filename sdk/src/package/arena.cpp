// Offsets in the arena of tensors, and the tensors that a job touches.
#include "package/arena.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "naru/base/bytes.h"
#include "naru/verify/footprint.h"

namespace naru::sdk::package {

std::vector<std::uint64_t> arena_offsets(std::span<const Tensor> tensors) {
  std::vector<std::uint64_t> offsets;
  offsets.reserve(tensors.size() + 1);
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    offsets.push_back(offset);
    offset = align_up<std::uint64_t>(offset + tensor.bytes, kArenaAlignment);
  }
  offsets.push_back(offset);
  return offsets;
}

namespace {

bool binds_arena(const JobStream& job) noexcept { return std::ranges::find(job.bindings, RegionSource::kArena, &Binding::source) != job.bindings.end(); }

tl::unexpected<Error> refuse(std::string what) { return fail(ErrorId::kPackageStructure, "Package: " + std::move(what)); }

}  // namespace

bool has_arena(const Package& package) noexcept {
  return std::ranges::any_of(package.steps, [](const Step& step) {
    const auto* job = std::get_if<NpuJob>(&step);
    return job != nullptr && binds_arena(*job);
  });
}

Result<std::vector<Exchange>> exchanges_of(const JobStream& job, const abi::Stream& stream, std::span<const Tensor> tensors) {
  std::map<std::uint32_t, abi::Rights> touched;
  for (const Binding& binding : job.bindings)
    if (binding.source == RegionSource::kTensor) touched[binding.tensor] = binding.rights;
  if (binds_arena(job)) {
    const std::vector<std::uint64_t> offsets = arena_offsets(tensors);
    for (const abi::Command& command : stream.commands) {
      const verify::Footprint footprint = verify::footprint_of(command.body);
      for (const verify::Access& access : footprint.all()) {
        if (access.region >= job.bindings.size()) return refuse(fmt::format("a command names region {} of {}", access.region, job.bindings.size()));
        if (job.bindings[access.region].source != RegionSource::kArena || access.box.empty()) continue;
        const std::uint64_t first = access.box.offset, end = access.box.end();
        const auto next = std::upper_bound(offsets.begin(), offsets.end() - 1, first);
        const auto index = static_cast<std::size_t>(next - offsets.begin()) - 1;
        if (next == offsets.begin() || end > offsets[index] + tensors[index].bytes) return refuse(fmt::format("a command touches bytes {} to {} of the arena, which are not of one tensor", first, end));
        abi::Rights& rights = touched[static_cast<std::uint32_t>(index)];
        rights = rights | access.rights;
      }
    }
  }
  std::vector<Exchange> result;
  for (const auto& [tensor, rights] : touched) result.push_back({tensor, rights});
  return result;
}

Result<std::vector<Exchange>> exchanges_of(const JobStream& job, std::span<const Tensor> tensors) {
  abi::Stream stream;
  if (binds_arena(job) && abi::decode_stream(job.stream, stream).fault != abi::StreamFault::kNone) return refuse("a stream is malformed");
  return exchanges_of(job, stream, tensors);
}

}  // namespace naru::sdk::package
