// The stages in their order: legalize, fuse, (group), lower, tile, plan memory, pack weights, schedule, emit, package.
#include "compiler/compiler.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include "compiler/emit/emit.h"
#include "compiler/fuse/fuse.h"
#include "compiler/group/group.h"
#include "compiler/legalize/legalize.h"
#include "compiler/lower/lower.h"
#include "compiler/package/assemble.h"
#include "compiler/schedule/order.h"
#include "compiler/schedule/predict.h"
#include "compiler/schedule/stage.h"
#include "compiler/tile/tile.h"
#include "naru/abi/cycles.h"
#include "package/requirements.h"

namespace naru::sdk::compiler {
namespace {

using package::Package;

/// Regions that a job has for tensors, beside SRAM, constants and scratch.
constexpr std::size_t kJobTensorsMax = abi::kRegionsMax - 3;
/// Below the longest stream: a command and its waits take at most this many bytes.
constexpr std::uint64_t kCommandBytesMax = 256;

/// An inner tensor: neither input nor output nor constant.
struct Life {
  std::size_t root = 0;                  // of those that share its place
  Buffer buffer;                         // moments are operators
  bool stays = false;                    // in the SRAM, all its life
};

class Compiler {
 public:
  Compiler(const abi::Chip& chip, const CompileOptions& options) : chip_(chip), options_(options) {}

  Result<Package> run(const graph::Graph& graph) {
    NARU_TRY(program_, legalize(graph));
    NARU_CHECK_OK(pin_tensors());
    if (options_.fuse) fuse(program_);
    program_.nodes = group_nodes(program_);
    aliases_ = alias_views(program_);
    tensors_ = number_tensors(program_);
    NARU_CHECK_OK(choose_tilings());
    NARU_CHECK_OK(place());
    for (Planned& planned : planned_) unroll_node(planned);
    NARU_CHECK_OK(assign_jobs());
    place_sram();
    for (Planned& planned : planned_) unroll_node(planned);
    NARU_CHECK_OK(build_steps());
    finish(graph);
    return std::move(package_);
  }

 private:
  /// A tensor of its own for every input, output and kept tensor, and for what passes between NPU and host.
  Result<void> pin_tensors() {
    auto& graph = program_.graph;
    std::vector<bool> written(graph.tensors.size());
    for (const Node& node : program_.nodes) written[static_cast<std::size_t>(node.output)] = true;
    const auto pin = [&](TensorId id) { program_.pinned[static_cast<std::size_t>(id)] = true; };
    for (TensorId id : graph.inputs) pin(id);
    // What no operator writes is copied, so that an output never is an input or a constant.
    const auto own = [&](TensorId id) {
      if (!written[static_cast<std::size_t>(id)]) {
        graph::Tensor copy = graph.tensor(id);
        copy.constant = {};
        const TensorId from = id;
        id = graph.add_tensor(std::move(copy));
        program_.pinned.push_back(true);
        written.push_back(true);
        program_.nodes.push_back({.body = ViewNode{}, .inputs = {from}, .output = id, .op = -1});
      }
      pin(id);
      return id;
    };
    for (TensorId& id : graph.outputs) id = own(id);
    if (options_.keep_all_tensors)
      for (const auto& op : program_.graph.operators) kept_.push_back(op.output(0));
    for (std::int32_t file_index : options_.keep_tensors) {
      const auto found = std::ranges::find(graph.tensors, file_index, &graph::Tensor::file_index);
      if (file_index < 0 || found == graph.tensors.end())
        return fail(ErrorId::kInvalidArgument, fmt::format("The model has no tensor {} to keep", file_index));
      kept_.push_back(static_cast<TensorId>(found - graph.tensors.begin()));
    }
    const auto is_input = [&](TensorId id) { return std::ranges::count(graph.inputs, id) > 0; };
    for (TensorId& id : kept_) {
      if (is_input(id)) continue;
      if (graph.tensor(id).type == abi::ElementType::kNone || graph::byte_size(graph.tensor(id)) == 0)
        return fail(ErrorId::kInvalidArgument, fmt::format("Tensor {} has no elements to keep", graph.tensor(id).file_index));
      id = own(id);
    }
    for (const Node& node : program_.nodes) {
      if (!std::holds_alternative<HostNode>(node.body)) continue;
      pin(node.output);
      for (TensorId id : node.inputs)
        if (!graph.tensor(id).is_constant()) pin(id);
    }
    return {};
  }

  [[nodiscard]] bool stays_in_place(const Node& node) const {
    return std::holds_alternative<ViewNode>(node.body) && aliases_[static_cast<std::size_t>(node.inputs[0])] == aliases_[static_cast<std::size_t>(node.output)];
  }

  [[nodiscard]] std::string describe(const Node& node) const {
    if (node.op < 0) return fmt::format("the copy of \"{}\"", program_.graph.tensor(node.output).name);
    const auto& op = program_.graph.operators[static_cast<std::size_t>(node.op)];
    return fmt::format("{} \"{}\"", graph::describe(op), op.name);
  }

  Result<void> choose_tilings() {
    for (const Node& node : program_.nodes) {
      if (std::holds_alternative<HostNode>(node.body)) continue;
      if (stays_in_place(node)) {
        if (node.op >= 0) {
          report(node).placement = package::Placement::kElided;
          report(node).reason = "the same bytes under another shape";
        }
        continue;
      }
      auto nest = lower(program_.graph, node);
      if (!nest) return fail(std::move(nest).error().while_doing(fmt::format("compiling {}", describe(node))));
      // Half of the SRAM leaves room for the next operator's first tiles, so that they load early; all of it when that is much better.
      auto tiling = choose_tiling(*nest, chip_, chip_.sram_bytes / 2);
      auto larger = choose_tiling(*nest, chip_, chip_.sram_bytes);
      if (!tiling || (larger && larger->cycles < tiling->cycles - tiling->cycles / 16)) tiling = std::move(larger);
      if (!tiling) {
        const std::uint64_t needed = smallest_tiling_bytes(*nest, chip_);
        return fail(Error(ErrorId::kCompileSramTooSmall,
                          fmt::format("The smallest tile of {} needs {} bytes; SRAM has {}", describe(node), needed, chip_.sram_bytes))
                        .with_value("operator", fmt::format("{}", node.op < 0 ? -1 : report(node).file_index)));
      }
      Planned planned;
      planned.node = &node;
      planned.nest = std::move(*nest);
      planned.tiling = std::move(*tiling);
      planned_.push_back(std::move(planned));
    }
    return {};
  }

  /// Weights, constants and all tensors in the DRAM; buffers of tiles anywhere. Enough to know what every operator costs.
  Result<void> place() {
    places_.assign(program_.graph.tensors.size(), abi::Operand{});
    for (Planned& planned : planned_) {
      if (const auto* nest = std::get_if<WindowNest>(&planned.nest); nest != nullptr && nest->window.has_weights()) {
        planned.weights = pack_weights(program_.graph, nest->window, std::get<WindowTiling>(planned.tiling.choice).depth, package_.constants);
        planned.compact = compact_last_block(nest->window, planned.weights, chip_, package_.constants);
      }
      for (TensorId id : planned.node->inputs) place_constant(root_of(id));
      planned.sram.assign(planned.tiling.buffers.size(), 0);
    }
    find_lives();
    place_tensors();
    job_places_ = places_;
    std::uint64_t total = package_.constants.size() + package_.scratch_bytes;
    for (const auto& tensor : tensors_.tensors) total += tensor.bytes;
    if (total > chip_.dram_bytes)
      return fail(ErrorId::kCompileDramTooSmall, fmt::format("The model needs {} bytes of DRAM ({} of constants, {} of scratch, the rest inputs and outputs); the chip has {}",
                                                             total, package_.constants.size(), package_.scratch_bytes, chip_.dram_bytes));
    return {};
  }

  [[nodiscard]] std::size_t root_of(TensorId id) const { return static_cast<std::size_t>(aliases_[static_cast<std::size_t>(id)]); }

  void place_constant(std::size_t root) {
    const graph::Tensor& tensor = program_.graph.tensors[root];
    if (!tensor.is_constant() || places_[root].region() == kConstantsStorage) return;
    const std::uint64_t offset = align_up<std::uint64_t>(package_.constants.size(), 64);
    package_.constants.resize(offset);
    package_.constants.insert(package_.constants.end(), tensor.constant.begin(), tensor.constant.end());
    places_[root] = abi::Operand::at(kConstantsStorage, offset);
  }

  /// From which operator to which every inner tensor is needed.
  void find_lives() {
    std::vector<std::optional<std::size_t>> life_of(program_.graph.tensors.size());
    const auto touch = [&](TensorId id, std::uint32_t moment) {
      const std::size_t root = root_of(id);
      if (tensors_.index[root] >= 0 || program_.graph.tensors[root].is_constant()) return;
      if (!life_of[root]) {
        life_of[root] = lives_.size();
        lives_.push_back({root, {graph::byte_size(program_.graph.tensors[root]), moment, moment}, false});
      }
      lives_[*life_of[root]].buffer.last = moment;
    };
    for (std::uint32_t i = 0; i < planned_.size(); ++i) {
      for (TensorId id : planned_[i].node->inputs) touch(id, i);
      touch(planned_[i].node->output, i);
    }
  }

  /// Package tensors have storages of their own; inner tensors lie in scratch, unless they only live in the SRAM.
  void place_tensors() {
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (tensors_.index[i] >= 0) places_[i] = abi::Operand::at(kTensorStorage + static_cast<unsigned>(tensors_.index[i]), 0);
    std::vector<Buffer> buffers;
    for (const Life& life : lives_)
      if (!life.stays) buffers.push_back(life.buffer);
    const MemoryPlan plan = plan_memory(buffers);
    package_.scratch_bytes = plan.peak;
    std::size_t next = 0;
    for (const Life& life : lives_)
      if (!life.stays) places_[life.root] = abi::Operand::at(kScratchStorage, plan.offsets[next++]);
    for (std::size_t i = 0; i < places_.size(); ++i) places_[i] = places_[static_cast<std::size_t>(aliases_[i])];
  }

  /// Jobs are as long as the chip allows; host steps stand between them.
  Result<void> assign_jobs() {
    std::vector<std::uint32_t> tensors;
    std::uint64_t cycles = 0, commands = 0;
    std::uint32_t job = 0;
    bool open = false;
    const auto close = [&] {
      job += open ? 1 : 0;
      open = false;
      tensors.clear();
      cycles = commands = 0;
    };
    std::size_t next = 0;
    for (const Node& node : program_.nodes) {
      if (std::holds_alternative<HostNode>(node.body)) close();
      if (next == planned_.size() || planned_[next].node != &node) continue;  // the host's, or a view that stays in place
      Planned& planned = planned_[next++];
      if (planned.cycles > chip_.job_cycles_max)
        return fail(ErrorId::kCompileTooLong, fmt::format("{} takes {} cycles; a job of this chip may take {}", describe(node), planned.cycles, chip_.job_cycles_max));
      std::vector<std::uint32_t> joined;
      std::ranges::set_union(tensors, planned.tensors, std::back_inserter(joined));
      if (cycles + planned.cycles > chip_.job_cycles_max || joined.size() > kJobTensorsMax || (commands + planned.commands) * kCommandBytesMax > abi::kStreamBytesMax) {
        close();
        joined = planned.tensors;
      }
      planned.job = job;
      open = true;
      tensors = std::move(joined);
      cycles += planned.cycles;
      commands += planned.commands;
    }
    return {};
  }

  /// What stays in the SRAM during each job, and the buffers of the tiles of all that does not; nothing lives in the SRAM across jobs.
  void place_sram() {
    staging_ = plan_operators(planned_, program_, aliases_, places_, chip_, options_.weights_resident);
    package_.memory.sram_peak_bytes = staging_.peak;
    package_.memory.sram_live_peak_bytes = staging_.live_peak;
    for (const StagedTensor& tensor : staging_.tensors)
      if (!tensor.loads && !tensor.stores) std::ranges::find(lives_, root_of(tensor.root), &Life::root)->stays = true;
    place_tensors();
    stage_transfers(planned_, staging_, program_, aliases_, places_, chip_);
  }

  void unroll_node(Planned& planned) {
    const bool is_staged = !staging_.whole.empty();
    if (is_staged && places_of_job_ != planned.job) enter_job(planned.job);
    planned.tiled.steps = unroll(planned.nest, planned.tiling, {job_places_, planned.sram, &planned.weights, planned.weights_at, planned.compact ? &*planned.compact : nullptr, frames_});
    planned.tiled.source = source_of(program_, *planned.node);
    account(planned, chip_);
  }

  /// Where tensors lie while this job runs.
  void enter_job(std::uint32_t job) {
    places_of_job_ = job;
    job_places_ = places_;
    frames_.assign(places_.size(), Frame{});
    std::vector<const StagedTensor*> staged(places_.size());
    for (const StagedTensor& tensor : staging_.tensors)
      if (tensor.job == job) staged[static_cast<std::size_t>(tensor.root)] = &tensor;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const StagedTensor* tensor = staged[static_cast<std::size_t>(aliases_[i])];
      if (tensor == nullptr) continue;
      job_places_[i] = abi::Operand::at(kSramStorage, tensor->image());
      frames_[i] = tensor->frame;
    }
  }

  Result<void> build_steps() {
    storage_bytes_ = {chip_.sram_bytes, package_.constants.size(), package_.scratch_bytes};
    for (const auto& tensor : tensors_.tensors) storage_bytes_.push_back(tensor.bytes);
    std::vector<Planned*> job;
    const auto close = [&]() -> Result<void> {
      if (!job.empty()) NARU_CHECK_OK(build_job(job));
      job.clear();
      return {};
    };
    std::size_t next = 0;
    for (const Node& node : program_.nodes) {
      if (std::holds_alternative<HostNode>(node.body)) {
        NARU_CHECK_OK(close());
        report(node).step = static_cast<std::uint32_t>(package_.steps.size());
        package_.steps.emplace_back(host_step(program_, node, tensors_));
      }
      if (next == planned_.size() || planned_[next].node != &node) continue;
      if (!job.empty() && job.back()->job != planned_[next].job) NARU_CHECK_OK(close());
      job.push_back(&planned_[next++]);
    }
    return close();
  }

  Result<void> build_job(const std::vector<Planned*>& job) {
    std::vector<const TiledOperator*> operators;
    for (const Planned* planned : job) {
      for (const TiledOperator& op : planned->before) operators.push_back(&op);
      operators.push_back(&planned->tiled);
      for (const TiledOperator& op : planned->after) operators.push_back(&op);
    }
    NARU_TRY(const EmittedJob emitted, emit(order_commands(operators, chip_), storage_bytes_, chip_));
    package::NpuJob step;
    step.stream = abi::encode_stream(emitted.stream);
    if (step.stream.size() > abi::kStreamBytesMax)
      return fail(ErrorId::kCompileLimit, fmt::format("{} takes {} bytes of commands; a stream may have {}", describe(*job.front()->node), step.stream.size(), abi::kStreamBytesMax));
    step.bindings = emitted.bindings;
    step.worst_case_cycles = emitted.worst_case_cycles;
    step.predicted_cycles = predict_cycles(emitted.stream, chip_);
    for (const Planned* planned : job) {
      package_.memory.dram_traffic_bytes += planned->dram_bytes;
      if (planned->node->op < 0) continue;
      auto& entry = report(*planned->node);
      entry.step = static_cast<std::uint32_t>(package_.steps.size());
      entry.tiles = static_cast<std::uint32_t>(planned->tiled.steps.size());
      entry.commands = planned->commands;
      entry.cycles = planned->cycles;
      entry.dram_bytes = planned->dram_bytes;
    }
    package_.steps.emplace_back(std::move(step));
    return {};
  }

  void finish(const graph::Graph& graph) {
    package_.name = graph.name;
    package_.description = graph.description;
    package_.advice = {options_.profile, chip_};
    package_.tensors = tensors_.tensors;
    const auto index = [&](TensorId id) { return static_cast<std::uint32_t>(tensors_.index[static_cast<std::size_t>(id)]); };
    for (TensorId id : program_.graph.inputs) package_.inputs.push_back(index(id));
    for (TensorId id : program_.graph.outputs) package_.outputs.push_back(index(id));
    for (TensorId id : kept_) package_.kept.push_back(index(id));
    package_.operators = std::move(program_.reports);
    package_.requirements = package::requirements_of(package_);
    auto& memory = package_.memory;
    memory.scratch_bytes = package_.scratch_bytes;
    memory.constants_bytes = package_.constants.size();
    // What the jobs exchange with the host: inputs and outputs, or what host steps make of them.
    memory.compulsory_bytes = memory.constants_bytes;
    std::vector<bool> exchanged(package_.tensors.size());
    for (const auto& step : package_.steps)
      if (const auto* job = std::get_if<package::NpuJob>(&step))
        for (const package::Binding& binding : job->bindings)
          if (binding.source == package::RegionSource::kTensor) exchanged[binding.tensor] = true;
    for (std::size_t i = 0; i < exchanged.size(); ++i)
      if (exchanged[i]) memory.compulsory_bytes += package_.tensors[i].bytes;
  }

  [[nodiscard]] package::OperatorReport& report(const Node& node) { return program_.reports[static_cast<std::size_t>(node.op)]; }

  const abi::Chip& chip_;
  const CompileOptions& options_;
  Program program_;
  std::vector<TensorId> kept_;
  std::vector<TensorId> aliases_;
  PackageTensors tensors_;
  std::vector<Planned> planned_;
  std::vector<Life> lives_;
  std::vector<abi::Operand> places_;          // in the DRAM
  Staging staging_;
  std::optional<std::uint32_t> places_of_job_;
  std::vector<abi::Operand> job_places_;      // while that job runs
  std::vector<Frame> frames_;
  std::vector<std::uint64_t> storage_bytes_;
  Package package_;
};

Result<void> check_chip(const abi::Chip& chip) {
  for (std::uint64_t number : {std::uint64_t{chip.dma_engines}, std::uint64_t{chip.oc_lanes}, std::uint64_t{chip.dot_depth}, std::uint64_t{chip.dw_channels},
                               std::uint64_t{chip.dw_taps}, std::uint64_t{chip.vector_lanes}, std::uint64_t{chip.sram_bytes_per_cycle},
                               std::uint64_t{chip.dram_bytes_per_cycle}, std::uint64_t{chip.dram_burst_bytes}})
    if (number == 0) return fail(ErrorId::kInvalidArgument, "A number of the chip that must be at least 1 is 0");
  if (chip.dma_engines > abi::kDmaEnginesMax) return fail(ErrorId::kInvalidArgument, fmt::format("The chip has {} DMA engines; at most {} are known", chip.dma_engines, abi::kDmaEnginesMax));
  return {};
}

}  // namespace

Result<Package> compile(const graph::Graph& graph, const abi::Chip& chip, const CompileOptions& options) {
  try {
    NARU_CHECK_OK(check_chip(chip));
    return Compiler(chip, options).run(graph);
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory to compile \"{}\"", graph.name));
  }
}

}  // namespace naru::sdk::compiler
