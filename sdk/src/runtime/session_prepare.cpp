// What a session sets up once: buffers, constants, streams, and the plan of what each step exchanges with the host.
#include <fmt/format.h>

#include <algorithm>

#include "naru/base/log.h"
#include "package/arena.h"
#include "package/codec.h"
#include "runtime/session_state.h"

namespace naru::sdk::runtime {
namespace {

using package::Binding;
using package::HostStep;
using package::NpuJob;
using package::Package;
using package::RegionSource;

/// Where the newest contents of each tensor are as the steps go by; from that, what must move when.
Result<void> plan_steps(detail::SessionState& session, std::vector<bool>& on_device, std::vector<bool>& on_host) {
  const Package& package = session.package();
  const std::size_t count = package.tensors.size();
  std::vector<bool> host_newer(count, false);
  std::vector<std::size_t> last_host_use(count, 0);  // step + 1
  for (std::uint32_t tensor : package.inputs) {
    host_newer[tensor] = true;
    on_host[tensor] = true;
  }
  const std::size_t end = package.steps.size();
  for (const auto* list : {&package.outputs, &package.kept})
    for (std::uint32_t tensor : *list) {
      last_host_use[tensor] = end + 1;
      on_host[tensor] = true;
    }
  for (std::size_t i = 0; i < end; ++i)
    if (const auto* host = std::get_if<HostStep>(&package.steps[i]))
      for (graph::TensorId operand : host->op.inputs)
        if (operand >= 0 && host->tensors[static_cast<std::size_t>(operand)] >= 0) {
          const auto tensor = static_cast<std::size_t>(host->tensors[static_cast<std::size_t>(operand)]);
          last_host_use[tensor] = std::max(last_host_use[tensor], i + 1);
          on_host[tensor] = true;
        }
  session.plans.resize(end);
  for (std::size_t i = 0; i < end; ++i) {
    detail::StepPlan& plan = session.plans[i];
    if (const auto* job = std::get_if<NpuJob>(&package.steps[i])) {
      NARU_TRY(const std::vector<package::Exchange> exchanges, package::exchanges_of(*job, package.tensors));
      for (const auto& [tensor, rights] : exchanges) {
        on_device[tensor] = true;
        if (abi::includes(rights, abi::Rights::kWrite)) {
          host_newer[tensor] = false;
          if (last_host_use[tensor] > i + 1) plan.downloads.push_back(tensor);
        } else if (host_newer[tensor]) {
          plan.uploads.push_back(tensor);
          host_newer[tensor] = false;
        }
      }
      continue;
    }
    const HostStep& host = std::get<HostStep>(package.steps[i]);
    for (graph::TensorId operand : host.op.outputs)
      if (operand >= 0 && host.tensors[static_cast<std::size_t>(operand)] >= 0) {
        const auto tensor = static_cast<std::size_t>(host.tensors[static_cast<std::size_t>(operand)]);
        host_newer[tensor] = true;
        on_host[tensor] = true;
      }
  }
  return {};
}

/// Scratch is the first place's when all share it.
Result<detail::Place> make_place(const detail::SessionState& session, const std::vector<bool>& on_device, bool with_scratch) {
  driver::Device& device = *session.device->device;
  const Package& package = session.package();
  detail::Place place;
  place.tensors.resize(package.tensors.size());
  if (!session.arena.empty()) {
    NARU_TRY(place.arena, device.create_buffer(session.arena.back()));
  }
  for (std::size_t t = 0; t < package.tensors.size(); ++t) {
    if (!on_device[t] || !session.arena.empty()) continue;
    NARU_TRY(place.tensors[t], device.create_buffer(package.tensors[t].bytes));
  }
  if (with_scratch) {
    NARU_TRY(place.scratch, device.create_buffer(package.scratch_bytes));
  }
  return place;
}

/// With one job there is nothing that needs what was uploaded once it has ended, unless it may be repeated (for its lease). What it exchanges is uploaded or downloaded, never both.
bool may_leave_early(const detail::SessionState& session) {
  return session.package().steps.size() == 1 && session.package().state.empty() && !session.resident.valid() && travel_with_job(session, session.plans.front());
}

/// So many at once keep cable and device busy: one comes, one computes, one goes, the last without a place where it leaves early. Where things take their time there is one more then, or the cable
/// stands idle from a job's end until the next input, which waits for that place, has heard of it. More of large ones only spread over more memory, out of everybody's caches.
std::size_t places_wanted(const detail::SessionState& session) {
  constexpr std::uint64_t kExchangedBytesMax = 4 * 1024 * 1024;
  const std::uint64_t places_min = session.leaves_early && !session.device->info.real_time ? 2 : 3;
  std::uint64_t exchanged = 0;
  for (const detail::StepPlan& plan : session.plans)
    for (const auto* tensors : {&plan.uploads, &plan.downloads})
      for (std::uint32_t tensor : *tensors) exchanged += session.package().tensors[tensor].bytes;
  return std::min<std::size_t>(session.slots.size(), std::max<std::uint64_t>(places_min, kExchangedBytesMax / std::max<std::uint64_t>(exchanged, 1)));
}

}  // namespace

Result<void> prepare(detail::SessionState& session) {
  driver::Device& device = *session.device->device;
  const Package& package = session.package();
  NARU_CHECK_OK(package::check_requirements(package, device.chip()));

  if (!package.constants.empty()) {
    NARU_TRY(session.constants, device.create_buffer(package.constants.size()));
    NARU_CHECK_OK_WHILE(device.write(session.constants, 0, package.constants), fmt::format("uploading {} bytes of constants", package.constants.size()));
  }
  if (!package.state.empty()) {
    for (int i = 0; i < 2; ++i) {
      NARU_TRY(driver::Buffer state, device.create_buffer(package.state.size()));
      session.states.push_back(std::move(state));
    }
    NARU_CHECK_OK_WHILE(device.write(session.states[0], 0, package.state), fmt::format("uploading {} bytes of initial state", package.state.size()));
  }
  session.streams.resize(package.steps.size());
  // A stream that passed for this very chip when the package was read is not verified once more; the device looks for itself in any case.
  const abi::Chip* const verified_for = package.verified ? &package.advice.chip : nullptr;
  std::size_t jobs = 0;
  for (std::size_t i = 0; i < package.steps.size(); ++i)
    if (const auto* job = std::get_if<NpuJob>(&package.steps[i])) {
      Result<driver::Stream> stream = device.load_stream(job->stream, verified_for);
      if (!stream) return fail(std::move(stream).error().while_doing(fmt::format("loading the command stream of step {}", i)));
      session.streams[i] = std::move(*stream);
      if (job->has_resident() && device.info().leases) {
        Result<driver::Stream> resident = device.load_stream(job->resident.stream, verified_for);
        if (!resident) return fail(std::move(resident).error().while_doing(fmt::format("loading the command stream of step {} for weights in the SRAM", i)));
        session.resident = std::move(*resident);
      }
      ++jobs;
    }
  NARU_TRY(session.queue, device.queue(0));

  std::vector<bool> on_device(package.tensors.size(), false), on_host(package.tensors.size(), false);
  NARU_CHECK_OK(plan_steps(session, on_device, on_host));
  if (package::has_arena(package)) session.arena = package::arena_offsets(package.tensors);
  // Scratch lives across the jobs of one inference only: with a single job all inferences may share it, because jobs run one at a time.
  const bool share_scratch = jobs <= 1;
  session.slots.resize(package.state.empty() ? session.options.depth : 1);
  for (detail::Slot& slot : session.slots) {
    slot.host.resize(package.tensors.size());
    for (std::size_t t = 0; t < package.tensors.size(); ++t)
      if (on_host[t]) slot.host[t].resize(package.tensors[t].bytes);
  }
  session.leaves_early = may_leave_early(session);
  const std::size_t wanted = places_wanted(session);
  while (session.places.size() < wanted) {
    const bool first = session.places.empty();
    Result<detail::Place> place = make_place(session, on_device, package.scratch_bytes > 0 && (first || !share_scratch));
    // One is enough to run; more are there to overlap.
    if (!place && place.error().id() == ErrorId::kDeviceOutOfMemory && !first) {
      log(LogLevel::kInfo, "sdk", "{}: the device's memory holds {} of {} inferences at once", package.name, session.places.size(), wanted);
      break;
    }
    if (!place) return fail(std::move(place).error().while_doing("making room for an inference"));
    session.places.push_back(std::move(*place));
  }
  return {};
}

}  // namespace naru::sdk::runtime
