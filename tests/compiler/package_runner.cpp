// Runs each step on plain vectors of bytes.
#include "package_runner.h"

#include <algorithm>

#include "host/host.h"
#include "naru/base/random.h"
#include "package/arena.h"
#include "reference/stream/stream_interpreter.h"

namespace naru::sdk::testing {
namespace {

Bytes noise(std::uint64_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

Bytes first(Memory memory, std::uint64_t size, std::uint64_t seed) { return memory == Memory::kZero ? Bytes(size) : noise(size, seed); }

class Runner {
 public:
  Runner(const package::Package& package, const std::vector<Bytes>& inputs, Memory memory) : package_(package), constants_(package.constants.begin(), package.constants.end()) {
    sram_ = first(memory, package.requirements.sram_bytes, 1);
    scratch_ = first(memory, package.scratch_bytes, 2);
    for (const auto& tensor : package.tensors) tensors_.push_back(first(memory, tensor.bytes, 3));
    if (package::has_arena(package)) arena_ = first(memory, package::arena_offsets(package.tensors).back(), 3);
    for (std::size_t i = 0; i < inputs.size(); ++i) tensors_[package.inputs[i]] = inputs[i];
  }

  Result<std::vector<Bytes>> run() {
    for (const auto& step : package_.steps) NARU_CHECK_OK(std::visit([&](const auto& each) { return execute(each); }, step));
    return std::move(tensors_);
  }

 private:
  Result<void> execute(const package::NpuJob& job) {
    abi::Stream stream;
    if (abi::decode_stream(job.stream, stream).fault != abi::StreamFault::kNone) return fail(ErrorId::kInternal, "the stream is malformed");
    std::vector<std::span<std::byte>> regions;
    for (const auto& binding : job.bindings) regions.push_back(std::span(memory_of(binding)).subspan(binding.offset, binding.bytes));
    copy_tensors(true);
    NARU_CHECK_OK(reference::interpret_stream(stream, regions));
    copy_tensors(false);
    return {};
  }

  Result<void> execute(const package::HostStep& step) {
    const auto bytes_of = [&](graph::TensorId id) -> std::span<std::byte> {
      const std::int32_t index = step.tensors[static_cast<std::size_t>(id)];
      return index < 0 ? std::span<std::byte>{} : std::span<std::byte>(tensors_[static_cast<std::size_t>(index)]);
    };
    std::vector<std::span<const std::byte>> inputs;
    std::vector<std::span<std::byte>> outputs;
    for (graph::TensorId id : step.op.inputs) {
      const auto& operand = step.constants[static_cast<std::size_t>(id)];
      inputs.push_back(operand.is_constant() ? operand.constant : std::span<const std::byte>(bytes_of(id)));
    }
    for (graph::TensorId id : step.op.outputs) outputs.push_back(bytes_of(id));
    return host::execute(step.op, step.constants, inputs, outputs);
  }

  /// Between the tensors, as host steps see them, and the arena, where the package has one.
  void copy_tensors(bool to_arena) {
    if (arena_.empty()) return;
    const auto offsets = package::arena_offsets(package_.tensors);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const auto there = std::span(arena_).subspan(offsets[i], tensors_[i].size());
      if (to_arena) std::ranges::copy(tensors_[i], there.begin());
      else std::ranges::copy(there, tensors_[i].begin());
    }
  }

  Bytes& memory_of(const package::Binding& binding) {
    switch (binding.source) {
      case package::RegionSource::kSram: return sram_;
      case package::RegionSource::kConstants: return constants_;
      case package::RegionSource::kTensor: return tensors_[binding.tensor];
      case package::RegionSource::kArena: return arena_;
      default: return scratch_;
    }
  }

  const package::Package& package_;
  Bytes constants_, sram_, scratch_, arena_;
  std::vector<Bytes> tensors_;
};

}  // namespace

Result<std::vector<Bytes>> run_package(const package::Package& package, const std::vector<Bytes>& inputs, Memory memory) { return Runner(package, inputs, memory).run(); }

}  // namespace naru::sdk::testing
