// Facts for the plan, the plan into the operators, and its transfers into commands.
#include "compiler/schedule/stage.h"

#include <algorithm>
#include <map>

#include "compiler/schedule/overlap.h"
#include "compiler/schedule/transfers.h"
#include "naru/abi/cycles.h"

namespace naru::sdk::compiler {

std::uint32_t source_of(const Program& program, const Node& node) {
  const std::int32_t file_index = node.op < 0 ? -1 : program.reports[static_cast<std::size_t>(node.op)].file_index;
  return static_cast<std::uint32_t>(std::max(file_index, 0));
}

Staging plan_operators(std::vector<Planned>& all, const Program& program, std::span<const Alias> aliases, std::span<const abi::Operand> places, const abi::Chip& chip,
                       bool weights_stay) {
  std::vector<TensorFacts> facts(program.graph.tensors.size());
  for (std::size_t i = 0; i < facts.size(); ++i) facts[i] = {graph::byte_size(program.graph.tensors[i]), places[i].region() != kScratchStorage};
  std::vector<StagedOperator> operators;
  for (const Planned& planned : all) {
    StagedOperator& op = operators.emplace_back();
    op.nest = &planned.nest;
    for (TensorId id : planned.node->inputs) op.reads.push_back(aliases[static_cast<std::size_t>(id)].root);
    op.writes = aliases[static_cast<std::size_t>(planned.node->output)].root;
    op.may_be_whole = planned.weights.depth_chunks == 1;
    if (!planned.weights.objects.empty()) {
      op.weights_begin = planned.weights.objects.front();
      op.weights_bytes = planned.weights.end - op.weights_begin;
      op.block_bytes = planned.weights.block_bytes.front();
      op.compact = planned.compact;
    }
    op.tiles = planned.tiling.buffers;
    op.job = planned.job;
  }
  Staging staging = plan_staging(operators, facts, aliases, chip, weights_stay);
  for (std::size_t i = 0; i < all.size(); ++i) {
    Planned& planned = all[i];
    planned.sram = staging.tiles[i];
    planned.weights_at = staging.weights_at[i];
    if (!staging.whole[i]) continue;
    planned.nest = std::move(staging.nests[i]);
  }
  const std::vector<std::uint32_t> parts = parts_of_operators(operators, staging, chip);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (staging.whole[i]) all[i].tiling = whole_tiling(all[i].nest, parts[i]);
  return staging;
}

/// Loads in the order of their first users, weights before the tensors that they are applied to; borders and stores.
void stage_transfers(std::vector<Planned>& all, const Staging& staging, const Program& program, std::span<const Alias> aliases, std::span<const abi::Operand> places,
                     const abi::Chip& chip) {
  const auto home = [&](TensorId root) { return places[static_cast<std::size_t>(aliases[static_cast<std::size_t>(root)].root)]; };
  struct Load {
    std::uint32_t issue, first;
    const StagedWeights* weights;
    const StagedTensor* tensor;
  };
  std::vector<Load> loads;
  for (const StagedWeights& weights : staging.weights) loads.push_back({weights.issue, weights.first, &weights, nullptr});
  for (const StagedTensor& tensor : staging.tensors)
    if (tensor.loads || tensor.frame.any()) loads.push_back({tensor.issue, tensor.first, nullptr, &tensor});
  std::ranges::stable_sort(loads, {}, [](const Load& load) { return std::pair(load.issue, load.first); });
  std::map<std::uint32_t, Transfers> transfers_of_job;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Transfers& transfers = transfers_of_job.try_emplace(all[i].job, chip).first->second;
    if (!staging.whole[i]) transfers.share();
  }
  const auto put = [&](std::vector<TiledOperator>& where, const Planned& owner) -> std::vector<Item>& {
    TiledOperator& op = where.emplace_back();
    op.source = source_of(program, *owner.node);
    op.op = owner.node->op;
    return op.steps.emplace_back().compute;
  };
  for (const auto& [issue, first, weights, tensor] : loads) {
    Transfers& transfers = transfers_of_job.at(all[issue].job);
    std::vector<Item>& items = put(all[issue].before, all[first]);
    if (weights != nullptr) {
      items = transfers.load(*weights);
      all[issue].before.back().loads_weights = true;
      continue;
    }
    if (tensor->frame.any()) append_border(items, tensor->frame, tensor->offset, tensor->border_value, program.graph.tensor(tensor->root).type);
    if (tensor->loads) std::ranges::move(transfers.load(*tensor, home(tensor->root)), std::back_inserter(items));
  }
  for (const StagedTensor& tensor : staging.tensors) {
    if (!tensor.stores) continue;
    Planned& writer = all[tensor.writer];
    put(writer.after, writer) = transfers_of_job.at(writer.job).store(tensor, home(tensor.root));
  }
}

namespace {

template <typename Visit>
void for_each_item(const TiledOperator& op, Visit visit) {
  for (const Step& step : op.steps)
    for (const auto* items : {&step.loads, &step.compute, &step.stores}) std::ranges::for_each(*items, visit);
}

}  // namespace

Work work_of(const TiledOperator& op, const abi::Chip& chip) {
  Work work;
  for_each_item(op, [&](const Item& item) {
    ++work.commands;
    const auto* dma = std::get_if<abi::Dma>(&item.body);
    const auto source = dma == nullptr ? abi::MemoryKind::kSram : memory_of(dma->source.region());
    const auto target = dma == nullptr ? abi::MemoryKind::kSram : memory_of(dma->target.region());
    const auto engine = item.unit == Unit::kVector ? abi::Engine::kVector : item.unit == Unit::kMac ? abi::Engine::kMac : abi::Engine::kDma0;
    const abi::Cost cost = abi::cost_of({engine, 0, item.body}, chip, source, target);
    work.cycles += cost.alone(chip);
    work.dram_bytes += cost.dram_bytes;
  });
  return work;
}

void account(Planned& planned, const abi::Chip& chip) {
  planned.cycles = planned.dram_bytes = 0;
  planned.commands = 0;
  planned.tensors.clear();
  const auto add = [&](const TiledOperator& op) {
    const Work work = work_of(op, chip);
    planned.cycles += work.cycles;
    planned.dram_bytes += work.dram_bytes;
    planned.commands += work.commands;
    for_each_item(op, [&](const Item& item) {
      const auto* dma = std::get_if<abi::Dma>(&item.body);
      if (dma == nullptr) return;
      for (const abi::Operand& operand : {dma->source, dma->target})
        if (operand.region() >= kTensorStorage) planned.tensors.push_back(operand.region());
    });
  };
  add(planned.tiled);
  std::ranges::for_each(planned.before, add);
  std::ranges::for_each(planned.after, add);
  std::ranges::sort(planned.tensors);
  planned.tensors.erase(std::unique(planned.tensors.begin(), planned.tensors.end()), planned.tensors.end());
}

}  // namespace naru::sdk::compiler
