// The stages in their order: legalize, pin, fuse, (group), lower, tile, plan memory, pack weights, schedule, emit, package.
#include "compiler/compiler.h"

#include <algorithm>
#include <map>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "compiler/emit/emit.h"
#include "compiler/fuse/fuse.h"
#include "compiler/group/group.h"
#include "compiler/legalize/legalize.h"
#include "compiler/lower/lower.h"
#include "compiler/package/assemble.h"
#include "compiler/pin/pin.h"
#include "compiler/schedule/order.h"
#include "compiler/schedule/predict.h"
#include "compiler/schedule/stage.h"
#include "compiler/tile/tile.h"
#include "naru/abi/cycles.h"
#include "package/arena.h"
#include "package/requirements.h"

namespace naru::sdk::compiler {
namespace {

using package::Package;

/// Regions that a job has for tensors, beside SRAM, constants, scratch, and the state before and after.
constexpr std::size_t kJobTensorsMax = abi::kRegionsMax - 5;
/// Below the longest stream: a command and its waits take at most this many bytes.
constexpr std::uint64_t kCommandBytesMax = 256;

/// An inner tensor: neither input nor output nor constant.
struct Life {
  std::size_t root = 0;                  // of those that share its place
  Buffer buffer;                         // moments are operators
  bool stays = false;                    // in the SRAM, all its life
};

struct Packed {
  WindowNode window;
  PackedWeights weights;
  std::optional<CompactBlock> compact;
};

class Compiler {
 public:
  Compiler(const abi::Chip& chip, const CompileOptions& options, HostReasons on_host) : chip_(chip), options_(options), on_host_(std::move(on_host)) {}

  /// Operators that turned out not to fit the NPU: by index, why. When run() fails and this has grown, it is worth another try.
  [[nodiscard]] const HostReasons& on_host() const { return on_host_; }

  Result<Package> run(const graph::Graph& graph) {
    NARU_TRY(program_, legalize(graph, on_host_));
    NARU_TRY(kept_, pin_tensors(program_, options_));
    if (options_.fuse) fuse(program_);
    program_.nodes = group_nodes(program_);
    aliases_ = alias_views(program_);
    tensors_ = number_tensors(program_);
    NARU_CHECK_OK(choose_tilings());
    NARU_CHECK_OK(place());
    NARU_CHECK_OK(unroll_all());
    if (std::ranges::any_of(planned_, [](const Planned& planned) { return planned.tensors.size() > kJobTensorsMax; })) NARU_CHECK_OK(share_an_arena());
    NARU_CHECK_OK(assign_jobs());
    place_sram();
    NARU_CHECK_OK(unroll_all());
    NARU_CHECK_OK(build_steps());
    NARU_CHECK_OK(finish(graph));
    return std::move(package_);
  }

 private:
  [[nodiscard]] bool stays_in_place(const Node& node) const {
    return std::holds_alternative<ViewNode>(node.body) && root_of(node.inputs[0]) == root_of(node.output);
  }

  [[nodiscard]] std::string describe(const Node& node) const {
    if (node.op < 0) return fmt::format("the copy of \"{}\"", program_.graph.tensor(node.output).name);
    const auto& op = program_.graph.operators[static_cast<std::size_t>(node.op)];
    return fmt::format("{} \"{}\"", graph::describe(op), op.name);
  }

  Result<void> choose_tilings() {
    for (const Node& node : program_.nodes) {
      if (std::holds_alternative<HostNode>(node.body)) continue;
      if (stays_in_place(node)) continue;
      NARU_CHECK_OK(may_go_on());
      auto nest = lower(program_.graph, node);
      if (!nest) {
        NARU_CHECK_OK(give_to_host(node, std::move(nest).error().while_doing(fmt::format("compiling {}", describe(node)))));
        continue;
      }
      // Half of the SRAM leaves room for the next operator's first tiles, so that they load early; all of it when that is much better.
      auto tiling = choose_tiling(*nest, chip_, chip_.sram_bytes / 2);
      auto larger = choose_tiling(*nest, chip_, chip_.sram_bytes);
      if (!tiling || (larger && larger->cycles < tiling->cycles - tiling->cycles / 16)) tiling = std::move(larger);
      if (!tiling) {
        const std::uint64_t needed = smallest_tiling_bytes(*nest, chip_);
        NARU_CHECK_OK(give_to_host(node, Error(ErrorId::kCompileSramTooSmall,
                                               fmt::format("The smallest tile of {} needs {} bytes; SRAM has {}", describe(node), needed, chip_.sram_bytes))
                                             .with_value("operator", fmt::format("{}", node.op < 0 ? -1 : report(node).file_index))));
        continue;
      }
      Planned planned;
      planned.node = &node;
      planned.nest = std::move(*nest);
      planned.tiling = std::move(*tiling);
      planned_.push_back(std::move(planned));
    }
    note_elided();
    return std::exchange(given_, Result<void>());
  }

  /// Operators of which only views are left, all in place.
  void note_elided() {
    std::vector<bool> viewed(program_.reports.size()), computed(program_.reports.size());
    for (const Node& node : program_.nodes)
      if (node.op >= 0) (stays_in_place(node) ? viewed : computed)[static_cast<std::size_t>(node.op)] = true;
    for (std::size_t i = 0; i < viewed.size(); ++i) {
      if (!viewed[i] || computed[i]) continue;
      program_.reports[i].placement = package::Placement::kElided;
      program_.reports[i].reason = "the same bytes under another shape";
    }
  }

  [[nodiscard]] Result<void> may_go_on() const { return options_.may_go_on ? options_.may_go_on() : Result<void>(); }

  /// What the NPU cannot do after all is tried on the host the next time: the error stands when that has been tried, or cannot be.
  Result<void> give_to_host(const Node& node, Error error) {
    if (node.op < 0 || on_host_.contains(node.op)) return fail(std::move(error));
    on_host_[node.op] = error.message();
    given_ = fail(std::move(error));
    return {};
  }

  /// Weights, constants and all tensors in the DRAM; buffers of tiles anywhere. Enough to know what every operator costs.
  Result<void> place() {
    places_.assign(program_.graph.tensors.size(), abi::Operand{});
    for (Planned& planned : planned_) {
      if (const auto* nest = std::get_if<WindowNest>(&planned.nest); nest != nullptr && nest->window.filter != graph::kAbsent) {
        const Packed& packed = packed_weights(nest->window, std::get<WindowTiling>(planned.tiling.choice).depth);
        planned.weights = packed.weights;
        planned.compact = packed.compact;
      }
      for (TensorId id : planned.node->inputs) place_constant(root_of(id));
      planned.sram.assign(planned.tiling.buffers.size(), 0);
    }
    find_lives();
    place_tensors();
    job_places_ = places_;
    std::uint64_t total = constants_.size() + package_.scratch_bytes + 2 * program_.state.size();
    for (const auto& tensor : tensors_.tensors) total += tensor.bytes;
    if (total > chip_.dram_bytes)
      return fail(ErrorId::kCompileDramTooSmall, fmt::format("The model needs {} bytes of DRAM ({} of constants, {} of scratch, the rest inputs and outputs); the chip has {}",
                                                             total, constants_.size(), package_.scratch_bytes, chip_.dram_bytes));
    return {};
  }

  [[nodiscard]] std::size_t root_of(TensorId id) const { return static_cast<std::size_t>(aliases_[static_cast<std::size_t>(id)].root); }

  /// Where tensor `id` begins when its root lies at `root`.
  [[nodiscard]] abi::Operand shown(abi::Operand root, std::size_t id) const { return abi::Operand::at(root.region(), root.offset() + aliases_[id].offset); }

  /// A filter that several nodes use (the steps of an LSTM) is packed once.
  const Packed& packed_weights(const WindowNode& window, std::uint32_t depth) {
    auto& packed = packed_[{window.filter, window.bias, depth}];
    const bool same = packed && packed->window.multipliers == window.multipliers && packed->window.input_zero == window.input_zero && packed->window.groups == window.groups &&
                      packed->window.kernel_rows == window.kernel_rows && packed->window.kernel_cols == window.kernel_cols && packed->window.weight_format == window.weight_format;
    if (!same) {
      packed = Packed{window, pack_weights(program_.graph, window, depth, constants_), {}};
      packed->compact = compact_last_block(window, packed->weights, chip_, constants_);
    }
    return *packed;
  }

  void place_constant(std::size_t root) {
    const graph::Tensor& tensor = program_.graph.tensors[root];
    if (!tensor.is_constant() || places_[root].region() == kConstantsStorage) return;
    const std::uint64_t offset = align_up<std::uint64_t>(constants_.size(), 64);
    constants_.resize(offset);
    constants_.insert(constants_.end(), tensor.constant.begin(), tensor.constant.end());
    places_[root] = abi::Operand::at(kConstantsStorage, offset);
  }

  /// From which operator to which every inner tensor is needed.
  void find_lives() {
    std::vector<std::optional<std::size_t>> life_of(program_.graph.tensors.size());
    const auto touch = [&](TensorId id, std::uint32_t moment) {
      const std::size_t root = root_of(id);
      if (tensors_.index[root] >= 0 || program_.pinned[root] || program_.graph.tensors[root].is_constant()) return;
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
      if (const std::int32_t index = tensors_.index[i]; index >= 0)
        places_[i] = arena_.empty() ? abi::Operand::at(kTensorStorage + static_cast<unsigned>(index), 0) : abi::Operand::at(kTensorStorage, arena_[static_cast<std::size_t>(index)]);
    std::vector<Buffer> buffers;
    for (const Life& life : lives_)
      if (!life.stays) buffers.push_back(life.buffer);
    const MemoryPlan plan = plan_memory(buffers);
    package_.scratch_bytes = plan.peak;
    std::size_t next = 0;
    for (const Life& life : lives_)
      if (!life.stays) places_[life.root] = abi::Operand::at(kScratchStorage, plan.offsets[next++]);
    for (const StatePlace& state : program_.states) {
      places_[static_cast<std::size_t>(state.before)] = abi::Operand::at(kStateReadStorage, state.offset);
      places_[static_cast<std::size_t>(state.after)] = abi::Operand::at(kStateWriteStorage, state.offset);
    }
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (aliases_[i].root != static_cast<TensorId>(i)) places_[i] = shown(places_[static_cast<std::size_t>(aliases_[i].root)], i);
  }

  /// One operator needs more tensors than a job has regions: all of them go into one.
  Result<void> share_an_arena() {
    arena_ = package::arena_offsets(tensors_.tensors);
    place_tensors();
    job_places_ = places_;
    return unroll_all();
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
      if (planned.cycles > chip_.job_cycles_max) {
        NARU_CHECK_OK(give_to_host(node, Error(ErrorId::kCompileTooLong, fmt::format("{} takes {} cycles; a job of this chip may take {}", describe(node), planned.cycles, chip_.job_cycles_max))));
        continue;
      }
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
    return std::exchange(given_, Result<void>());
  }

  /// What stays in the SRAM during each job, and the buffers of the tiles of all that does not; nothing lives in the SRAM across jobs.
  void place_sram() {
    // A second job, of this model, would overwrite what the first left.
    const bool weights_stay = options_.resident_weights && std::ranges::all_of(planned_, [](const Planned& planned) { return planned.job == 0; });
    staging_ = plan_operators(planned_, program_, aliases_, places_, chip_, weights_stay);
    package_.memory.sram_peak_bytes = staging_.peak;
    package_.memory.sram_live_peak_bytes = staging_.live_peak;
    for (const StagedTensor& tensor : staging_.tensors)
      if (!tensor.loads && !tensor.stores) std::ranges::find(lives_, root_of(tensor.root), &Life::root)->stays = true;
    place_tensors();
    stage_transfers(planned_, staging_, program_, aliases_, places_, chip_);
  }

  Result<void> unroll_all() {
    for (Planned& planned : planned_) {
      NARU_CHECK_OK(may_go_on());
      unroll_node(planned);
    }
    return {};
  }

  void unroll_node(Planned& planned) {
    const bool is_staged = !staging_.whole.empty();
    if (is_staged && places_of_job_ != planned.job) enter_job(planned.job);
    planned.tiled.steps = unroll(planned.nest, planned.tiling, {job_places_, planned.sram, &planned.weights, planned.weights_at, planned.compact ? &*planned.compact : nullptr, frames_});
    planned.tiled.source = source_of(program_, *planned.node);
    planned.tiled.op = planned.node->op;
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
      const StagedTensor* tensor = staged[static_cast<std::size_t>(aliases_[i].root)];
      if (tensor == nullptr) continue;
      job_places_[i] = shown(abi::Operand::at(kSramStorage, tensor->image()), i);
      frames_[i] = tensor->frame;
    }
  }

  Result<void> build_steps() {
    storage_bytes_ = {chip_.sram_bytes, constants_.size(), package_.scratch_bytes, program_.state.size(), program_.state.size()};
    if (arena_.empty())
      for (const auto& tensor : tensors_.tensors) storage_bytes_.push_back(tensor.bytes);
    else
      storage_bytes_.push_back(arena_.back());
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
    NARU_CHECK_OK(may_go_on());
    std::vector<const TiledOperator*> operators;
    for (const Planned* planned : job) {
      for (const TiledOperator& op : planned->before) operators.push_back(&op);
      operators.push_back(&planned->tiled);
      for (const TiledOperator& op : planned->after) operators.push_back(&op);
    }
    package::NpuJob step;
    NARU_TRY(static_cast<package::JobStream&>(step), build_stream(operators, *job.front()->node));
    if (staging_.weights_stay) {
      auto others = operators;
      std::erase_if(others, &TiledOperator::loads_weights);
      NARU_TRY(step.resident, build_stream(others, *job.front()->node));
    }
    for (const Planned* planned : job) {
      package_.memory.dram_traffic_bytes += planned->dram_bytes;
      if (planned->node->op < 0) continue;
      auto& entry = report(*planned->node);  // of all the nodes that the operator became
      entry.step = static_cast<std::uint32_t>(package_.steps.size());
      entry.tiles += static_cast<std::uint32_t>(planned->tiled.steps.size());
    }
    // A transfer is the work of the operator that needs it, whichever it is issued beside.
    for (const TiledOperator* op : operators) {
      if (op->op < 0) continue;
      const Work work = work_of(*op, chip_);
      auto& entry = program_.reports[static_cast<std::size_t>(op->op)];
      entry.commands += work.commands;
      entry.cycles += work.cycles;
      entry.dram_bytes += work.dram_bytes;
    }
    package_.steps.emplace_back(std::move(step));
    return {};
  }

  Result<package::JobStream> build_stream(const std::vector<const TiledOperator*>& operators, const Node& first) const {
    NARU_TRY(EmittedJob emitted, emit(order_commands(operators, chip_), storage_bytes_, !arena_.empty(), chip_));
    package::JobStream result;
    result.stream = abi::encode_stream(emitted.stream);
    if (result.stream.size() > abi::kStreamBytesMax)
      return fail(ErrorId::kCompileLimit, fmt::format("{} takes {} bytes of commands; a stream may have {}", describe(first), result.stream.size(), abi::kStreamBytesMax));
    result.bindings = std::move(emitted.bindings);
    result.worst_case_cycles = emitted.worst_case_cycles;
    result.predicted_cycles = predict_cycles(emitted.stream, chip_);
    return result;
  }

  Result<void> finish(const graph::Graph& graph) {
    package_.constants = std::move(constants_);
    package_.name = graph.name;
    package_.description = graph.description;
    package_.advice = {options_.profile, chip_};
    package_.tensors = tensors_.tensors;
    const auto index = [&](TensorId id) { return static_cast<std::uint32_t>(tensors_.index[static_cast<std::size_t>(id)]); };
    for (TensorId id : program_.graph.inputs) package_.inputs.push_back(index(id));
    for (TensorId id : program_.graph.outputs) package_.outputs.push_back(index(id));
    for (TensorId id : kept_) package_.kept.push_back(index(id));
    package_.operators = std::move(program_.reports);
    package_.state = std::move(program_.state);
    package_.requirements = package::requirements_of(package_);
    auto& memory = package_.memory;
    memory.scratch_bytes = package_.scratch_bytes;
    memory.constants_bytes = package_.constants.size();
    // What the jobs exchange with the host: inputs and outputs, or what host steps make of them.
    memory.compulsory_bytes = memory.constants_bytes;
    std::vector<bool> exchanged(package_.tensors.size());
    for (const auto& step : package_.steps)
      if (const auto* job = std::get_if<package::NpuJob>(&step)) {
        NARU_TRY(const std::vector<package::Exchange> exchanges, package::exchanges_of(*job, package_.tensors));
        for (const package::Exchange& exchange : exchanges) exchanged[exchange.tensor] = true;
      }
    for (std::size_t i = 0; i < exchanged.size(); ++i)
      if (exchanged[i]) memory.compulsory_bytes += package_.tensors[i].bytes;
    return {};
  }

  [[nodiscard]] package::OperatorReport& report(const Node& node) { return program_.reports[static_cast<std::size_t>(node.op)]; }

  const abi::Chip& chip_;
  const CompileOptions& options_;
  HostReasons on_host_;
  Result<void> given_;  // the last failure that the host may mend
  std::map<std::tuple<TensorId, TensorId, std::uint32_t>, std::optional<Packed>> packed_;
  Program program_;
  std::vector<TensorId> kept_;
  std::vector<Alias> aliases_;
  PackageTensors tensors_;
  std::vector<Planned> planned_;
  std::vector<Life> lives_;
  std::vector<abi::Operand> places_;          // in the DRAM
  std::vector<std::uint64_t> arena_;          // offsets of the package's tensors, when they share one region; empty: a region each
  Staging staging_;
  std::optional<std::uint32_t> places_of_job_;
  std::vector<abi::Operand> job_places_;      // while that job runs
  std::vector<Frame> frames_;
  std::vector<std::uint64_t> storage_bytes_;
  Package package_;
  std::vector<std::byte> constants_;  // Package::constants, while it grows
};

Result<void> check_chip(const abi::Chip& chip) {
  for (std::uint64_t number : {std::uint64_t{chip.dma_engines}, std::uint64_t{chip.oc_lanes}, std::uint64_t{chip.dot_depth}, std::uint64_t{chip.dw_channels},
                               std::uint64_t{chip.dw_taps}, std::uint64_t{chip.vector_lanes}, std::uint64_t{chip.sram_bytes_per_cycle},
                               std::uint64_t{chip.dram_bytes_per_cycle}, std::uint64_t{chip.dram_burst_bytes}})
    if (number == 0) return fail(ErrorId::kInvalidArgument, "A number of the chip that must be at least 1 is 0");
  if (chip.dma_engines > abi::kDmaEnginesMax) return fail(ErrorId::kInvalidArgument, fmt::format("The chip has {} DMA engines; at most {} are known", chip.dma_engines, abi::kDmaEnginesMax));
  return {};
}

Result<Package> compile_as(const graph::Graph& graph, const abi::Chip& chip, const CompileOptions& options) {
  HostReasons on_host;
  while (true) {
    Compiler compiler(chip, options, on_host);
    Result<Package> package = compiler.run(graph);
    // Each round gives at least one operator more to the host, so there are no more rounds than operators.
    if (package || compiler.on_host().size() == on_host.size()) return package;
    on_host = compiler.on_host();
  }
}

/// Of the one job that a package with a resident stream has.
std::optional<std::uint64_t> resident_cycles(const Package& package) {
  for (const package::Step& step : package.steps)
    if (const auto* job = std::get_if<package::NpuJob>(&step); job != nullptr && job->has_resident()) return job->resident.predicted_cycles;
  return std::nullopt;
}

std::uint64_t cycles_of(const Package& package) {
  std::uint64_t cycles = 0;
  for (const package::Step& step : package.steps)
    if (const auto* job = std::get_if<package::NpuJob>(&step)) cycles += job->predicted_cycles;
  return cycles;
}

}  // namespace

Result<Package> compile(const graph::Graph& graph, const abi::Chip& chip, const CompileOptions& options) {
  try {
    NARU_CHECK_OK(check_chip(chip));
    CompileOptions plain = options;
    plain.resident_weights = false;
    NARU_TRY(Package package, compile_as(graph, chip, plain));
    if (!options.resident_weights) return package;
    // Weights that stay take room from everything else: that must be worth it.
    Result<Package> resident = compile_as(graph, chip, options);
    const auto cycles = resident ? resident_cycles(*resident) : std::nullopt;
    if (cycles && *cycles < cycles_of(package)) return resident;
    return package;
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory to compile \"{}\"", graph.name));
  }
}

}  // namespace naru::sdk::compiler
