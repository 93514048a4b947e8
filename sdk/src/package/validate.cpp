// Indices, sizes, bindings, streams, host steps, and that every tensor is written before it is read.
#include "package/validate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "host/host.h"
#include "naru/abi/stream.h"
#include "naru/verify/verify.h"
#include "package/arena.h"
#include "package/requirements.h"

namespace naru::sdk::package {
namespace {

template <typename... Args>
tl::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorId::kPackageStructure, "Package: " + fmt::format(format, std::forward<Args>(args)...));
}

Result<void> check_value(const graph::Shape& shape, abi::ElementType type, const std::optional<graph::Quantization>& quantization, std::uint64_t bytes,
                         std::string_view name) {
  const auto elements = graph::checked_element_count(shape);
  const auto size = elements ? checked_mul(*elements, abi::element_bytes(type)) : std::nullopt;
  if (!size || *size == 0 || *size != bytes) return refuse("tensor \"{}\" of shape {} has {} bytes", name, graph::to_string(shape), bytes);
  if (!quantization) return {};
  const auto& q = *quantization;
  const bool per_axis = q.axis >= 0 && static_cast<std::size_t>(q.axis) < shape.size() &&
                        static_cast<std::uint64_t>(shape[static_cast<std::size_t>(q.axis)]) == q.scales.size();
  if (q.scales.empty() || q.zero_points.size() != q.scales.size() || (q.scales.size() > 1 && !per_axis) ||
      std::ranges::any_of(q.scales, [](float scale) { return !(scale > 0) || !std::isfinite(scale); }))
    return refuse("tensor \"{}\" has a quantisation that does not fit it", name);
  return {};
}

class Validator {
 public:
  explicit Validator(const Package& package) : package_(package), has_arena_(has_arena(package)), written_(package.tensors.size()) {}

  Result<void> run() {
    for (const Tensor& tensor : package_.tensors) NARU_CHECK_OK(check_value(tensor.shape, tensor.type, tensor.quantization, tensor.bytes, tensor.name));
    for (const auto* list : {&package_.inputs, &package_.outputs, &package_.kept})
      for (std::uint32_t index : *list)
        if (index >= package_.tensors.size()) return refuse("tensor {} is named; there are {}", index, package_.tensors.size());
    for (std::uint32_t index : package_.inputs) {
      if (written_[index]) return refuse("tensor {} is two inputs", index);
      written_[index] = true;
    }
    NARU_CHECK_OK(check_sizes());
    for (std::size_t i = 0; i < package_.steps.size(); ++i) {
      auto checked = std::visit([&](const auto& step) { return check(step); }, package_.steps[i]);
      if (!checked) return fail(std::move(checked).error().while_doing(fmt::format("checking step {} of the package", i)));
    }
    for (const auto* list : {&package_.outputs, &package_.kept})
      for (std::uint32_t index : *list)
        if (!written_[index]) return refuse("no step writes output tensor {}", index);
    for (const OperatorReport& report : package_.operators)
      if (report.placement < Placement::kNpu || report.placement > Placement::kElided || (report.step != 0 && report.step >= package_.steps.size()))
        return refuse("the report of operator {} names step {} of {}", report.file_index, report.step, package_.steps.size());
    return check_requirements();
  }

 private:
  /// Sums that later code makes without looking.
  Result<void> check_sizes() const {
    auto total = checked_add(package_.constants.size(), package_.scratch_bytes);
    for (int copy = 0; copy < 2; ++copy) total = total ? checked_add(*total, package_.state.size()) : total;
    for (const Tensor& tensor : package_.tensors) total = total ? checked_add(*total, tensor.bytes) : total;
    if (!total || *total > std::uint64_t{1} << 48) return refuse("its arenas and tensors are larger than any device");
    return {};
  }

  Result<void> check_requirements() const {
    const Requirements need = requirements_of(package_);
    const Requirements& stated = package_.requirements;
    if (stated.isa_generation != abi::kIsaGeneration || stated.features != 0 || stated.weight_formats != need.weight_formats ||
        stated.dma_engines != need.dma_engines || stated.sram_bytes != need.sram_bytes || stated.dram_bytes != need.dram_bytes ||
        stated.job_cycles != need.job_cycles)
      return refuse("what it says it requires is not what its steps require");
    return {};
  }

  [[nodiscard]] std::uint64_t bytes_of(const Binding& binding) const {
    switch (binding.source) {
      case RegionSource::kSram: return package_.requirements.sram_bytes;
      case RegionSource::kConstants: return package_.constants.size();
      case RegionSource::kScratch: return package_.scratch_bytes;
      case RegionSource::kStateRead:
      case RegionSource::kStateWrite: return package_.state.size();
      case RegionSource::kTensor: return binding.tensor < package_.tensors.size() ? package_.tensors[binding.tensor].bytes : 0;
      case RegionSource::kArena: return arena_offsets(package_.tensors).back();
    }
    return 0;
  }

  Result<void> check(const NpuJob& job) {
    NARU_TRY(const std::vector<Exchange> exchanged, check_stream(job));
    if (!job.has_resident()) {
      if (!job.resident.bindings.empty() || job.resident.worst_case_cycles != 0 || job.resident.predicted_cycles != 0) return refuse("a job without a resident stream describes one");
      return {};
    }
    // Nothing else may run between the two, so that no step can need what the other would have written.
    if (std::ranges::count_if(package_.steps, [](const Step& step) { return std::holds_alternative<NpuJob>(step); }) != 1)
      return refuse("a job has a resident stream, and is not the only one");
    NARU_TRY(const std::vector<Exchange> resident, check_stream(job.resident));
    const auto states = [](const JobStream& stream) {
      std::set<std::pair<RegionSource, abi::Rights>> result;
      for (const Binding& binding : stream.bindings)
        if (binding.source == RegionSource::kStateRead || binding.source == RegionSource::kStateWrite) result.insert({binding.source, binding.rights});
      return result;
    };
    if (exchanged != resident || states(job) != states(job.resident)) return refuse("a job's resident stream does not read and write what the job does");
    return {};
  }

  /// What the stream exchanges with other steps.
  Result<std::vector<Exchange>> check_stream(const JobStream& job) {
    abi::Stream stream;
    if (const auto decoded = abi::decode_stream(job.stream, stream); decoded.fault != abi::StreamFault::kNone)
      return refuse("a stream is malformed at command {}: {}", decoded.command, abi::name_of(decoded.fault));
    if (stream.regions.size() != job.bindings.size()) return refuse("a stream declares {} regions; {} are bound", stream.regions.size(), job.bindings.size());
    std::set<std::pair<RegionSource, std::uint32_t>> bound;
    for (std::size_t i = 0; i < job.bindings.size(); ++i) {
      const Binding& binding = job.bindings[i];
      const abi::RegionDeclaration& declared = stream.regions[i];
      const auto memory = binding.source == RegionSource::kSram ? abi::MemoryKind::kSram : abi::MemoryKind::kDram;
      if (declared.memory != memory || declared.rights != binding.rights || declared.bytes != binding.bytes)
        return refuse("binding {} differs from what the stream declares", i);
      if (binding.source == RegionSource::kTensor && binding.tensor >= package_.tensors.size()) return refuse("binding {} names tensor {} of {}", i, binding.tensor, package_.tensors.size());
      if (binding.source == RegionSource::kArena && binding.offset != 0) return refuse("binding {} begins inside the arena", i);
      const auto end = checked_add(binding.offset, binding.bytes);
      if (!end || *end > bytes_of(binding)) return refuse("binding {} reaches past its {} bytes", i, bytes_of(binding));
      const bool writes = abi::includes(binding.rights, abi::Rights::kWrite);
      if (writes && (binding.source == RegionSource::kConstants || binding.source == RegionSource::kStateRead)) return refuse("binding {} writes what is only read", i);
      if (!bound.insert({binding.source, binding.source == RegionSource::kTensor ? binding.tensor : 0}).second) return refuse("binding {} is bound already", i);
      if (has_arena_ && binding.source == RegionSource::kTensor) return refuse("binding {} names a tensor of its own, another one the arena of all", i);
    }
    NARU_TRY(std::vector<Exchange> exchanges, exchanges_of(job, stream, package_.tensors));
    for (const auto& [tensor, rights] : exchanges) {
      const bool writes = abi::includes(rights, abi::Rights::kWrite);
      if (!writes && !written_[tensor]) return refuse("a job reads tensor {} before any step writes it", tensor);
      if (writes && std::ranges::count(package_.inputs, tensor) > 0) return refuse("a job writes input tensor {}", tensor);
    }
    const auto report = verify::verify_stream(stream, package_.advice.chip);
    // Nobody passed the chip as an argument: it is the file's.
    if (!report && report.error().id() == ErrorId::kInvalidArgument) return refuse("it was made for a chip that cannot be: {}", report.error().message());
    if (!report) return tl::unexpected(report.error());
    if (job.worst_case_cycles < report->cycles_worst) return refuse("a job claims {} cycles; it may take {}", job.worst_case_cycles, report->cycles_worst);
    for (const auto& [tensor, rights] : exchanges)
      if (abi::includes(rights, abi::Rights::kWrite)) written_[tensor] = true;
    return exchanges;
  }

  Result<void> check(const HostStep& step) {
    const std::size_t count = step.tensors.size();
    if (step.constants.size() != count) return refuse("a host step has {} operands and {} descriptions", count, step.constants.size());
    for (std::size_t i = 0; i < count; ++i) {
      const graph::Tensor& operand = step.constants[i];
      const std::int32_t index = step.tensors[i];
      if (index < -1 || (index >= 0 && static_cast<std::size_t>(index) >= package_.tensors.size())) return refuse("a host step names tensor {}", index);
      const auto elements = graph::checked_element_count(operand.shape);
      const auto size = elements ? checked_mul(*elements, abi::element_bytes(operand.type)) : std::nullopt;
      NARU_CHECK_OK(check_value(operand.shape, operand.type, operand.quantization, index < 0 ? operand.constant.size() : size.value_or(0), operand.name));
      if (index < 0) continue;
      const Tensor& tensor = package_.tensors[static_cast<std::size_t>(index)];
      if (tensor.shape != operand.shape || tensor.type != operand.type || tensor.quantization != operand.quantization || operand.is_constant())
        return refuse("a host step sees tensor {} differently", index);
    }
    const auto is_operand = [&](graph::TensorId id) { return id >= 0 && static_cast<std::size_t>(id) < count; };
    for (graph::TensorId id : step.op.inputs) {
      if (id == graph::kAbsent) continue;
      if (!is_operand(id)) return refuse("a host step reads operand {} of {}", id, count);
      const std::int32_t index = step.tensors[static_cast<std::size_t>(id)];
      if (index >= 0 && !written_[static_cast<std::size_t>(index)]) return refuse("a host step reads tensor {} before any step writes it", index);
    }
    for (graph::TensorId id : step.op.outputs) {
      if (!is_operand(id) || step.tensors[static_cast<std::size_t>(id)] < 0) return refuse("a host step writes operand {}", id);
      const auto index = static_cast<std::size_t>(step.tensors[static_cast<std::size_t>(id)]);
      if (std::ranges::count(package_.inputs, index) > 0) return refuse("a host step writes input tensor {}", index);
      written_[index] = true;
    }
    return check_operator(step);
  }

  /// Kernels write results while they read operands: none may be the other, and none two.
  static Result<void> check_apart(const HostStep& step) {
    std::set<std::int32_t> used;
    for (graph::TensorId id : step.op.inputs)
      if (id != graph::kAbsent) used.insert(step.tensors[static_cast<std::size_t>(id)]);
    for (graph::TensorId id : step.op.outputs)
      if (!used.insert(step.tensors[static_cast<std::size_t>(id)]).second) return refuse("a host step writes tensor {}, which it reads or writes already", step.tensors[static_cast<std::size_t>(id)]);
    return {};
  }

  static Result<void> check_operator(const HostStep& step) {
    NARU_CHECK_OK(check_apart(step));
    if (const auto able = host::can_execute(step.op, step.constants); !able) return refuse("a host step is none that hosts do: {}", able.error().message());
    return {};
  }

  const Package& package_;
  bool has_arena_;
  std::vector<bool> written_;
};

}  // namespace

Result<void> validate(const Package& package) { return Validator(package).run(); }

}  // namespace naru::sdk::package
