// Carries out requests in the order received and answers each exactly once. Jobs go to the scheduler, answers to bulk IN.
#pragma once

#include <vector>

#include "core/contexts.h"
#include "core/job_scheduler.h"
#include "core/objects.h"
#include "core/state.h"
#include "usb/in_pipe.h"
#include "usb/out_pipe.h"

namespace naru::mockdev {

class RequestProcessor final : public LandingResolver {
 public:
  RequestProcessor(State& state, Memory& memory, ObjectTable& objects, ContextTable& contexts, InPipe& in, JobScheduler& scheduler)
      : state_(state), memory_(memory), objects_(objects), contexts_(contexts), in_(in), scheduler_(scheduler) {}

  void decide_landing(const RequestQueue& queue, std::size_t index, Request& request) override;

  /// False: not now, because bulk IN is full or still sends what this would change; nothing happened.
  [[nodiscard]] bool can_process(const Request& request) const noexcept;
  void process(TimePoint now, Request& request);
  /// Answers reads whose fences are signalled.
  void answer_waiting_reads(TimePoint now);
  [[nodiscard]] bool has_waiting_reads() const noexcept { return !waiting_.empty(); }
  /// Answers `request` with `status`, undone.
  void refuse(TimePoint now, const Request& request, abi::Status status, std::uint32_t detail = 0);
  /// Everything that waits is answered with kReset, every context dies.
  void reset(TimePoint now);

 private:
  struct WaitingRead {
    abi::MessageHeader header;
    abi::Access access;
    Pin pin;
    std::uint64_t dram_offset = 0;
  };

  void open_context(TimePoint now, const Request& request);
  void close_context(TimePoint now, const Request& request);
  void create_buffer(TimePoint now, const Request& request);
  void free_object(TimePoint now, const Request& request, bool is_stream);
  void write(TimePoint now, Request& request);
  void read(TimePoint now, const Request& request);
  void load(TimePoint now, const Request& request);
  void submit(TimePoint now, const Request& request);
  void cancel(TimePoint now, const Request& request);

  void reply(TimePoint now, const abi::MessageHeader& header, const abi::Reply& reply);
  void send_data(TimePoint now, WaitingRead& read);
  /// The single record that is the request's body; refuses the request otherwise.
  template <typename Record>
  [[nodiscard]] bool take_body(TimePoint now, const Request& request, Record& record);
  [[nodiscard]] abi::Status check_access(std::uint32_t context, const abi::Access& access, const ObjectTable::Buffer*& buffer) const noexcept;
  /// Fills the job's regions; on refusal, which region.
  [[nodiscard]] abi::Status bind(Job& job, const abi::JobRecord& record, std::span<const std::byte> bindings);
  [[nodiscard]] abi::Status bind_region(Job& job, std::size_t index, const abi::RegionBinding& binding);

  State& state_;
  Memory& memory_;
  ObjectTable& objects_;
  ContextTable& contexts_;
  InPipe& in_;
  JobScheduler& scheduler_;
  std::vector<WaitingRead> waiting_;
  std::uint32_t submits_unanswered_ = 0;
};

}  // namespace naru::mockdev
