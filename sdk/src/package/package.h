// A compiled model: ordered steps with all that they need, bound to what a chip must have and to no address. The compiler makes it, the runtime runs it,
// package/codec.h turns it into bytes and back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "naru/abi/chip.h"
#include "naru/abi/stream.h"
#include "package/shared_bytes.h"

namespace naru::sdk::package {

inline constexpr std::uint16_t kFormatVersion = 4;

/// What the device must have; checked before anything is sent.
struct Requirements {
  std::uint16_t isa_generation = abi::kIsaGeneration;
  std::uint32_t weight_formats = 0;  // bit n: WeightFormat n is used
  std::uint32_t features = 0;
  std::uint32_t dma_engines = 1;
  std::uint64_t sram_bytes = 0;      // what the streams' SRAM regions declare
  std::uint64_t dram_bytes = 0;      // constants + scratch + states + tensors
  std::uint64_t job_cycles = 0;      // the longest job's worst case
};

/// What it was compiled for. Advice: a device with other clocks or bandwidths runs it all the same.
struct Advice {
  std::string profile;
  abi::Chip chip;
};

/// A tensor that steps exchange: model inputs and outputs, what passes between NPU jobs and host steps, and tensors that were asked to be kept.
struct Tensor {
  std::string name;
  graph::Shape shape;
  abi::ElementType type = abi::ElementType::kNone;
  std::optional<graph::Quantization> quantization;
  std::int32_t file_index = -1;
  std::uint64_t bytes = 0;
};

enum class RegionSource : std::uint8_t { kSram = 0, kConstants = 1, kScratch = 2, kStateRead = 3, kStateWrite = 4, kTensor = 5, kArena = 6 };

/// Region i of a job's table. `bytes` and `rights` are what the stream declares. kArena: all tensors in one region (arena.h).
struct Binding {
  RegionSource source = RegionSource::kSram;
  std::uint32_t tensor = 0;   // index in Package::tensors, for kTensor
  std::uint64_t offset = 0;   // inside the arena or tensor
  std::uint64_t bytes = 0;
  abi::Rights rights = abi::Rights::kNone;
};

struct JobStream {
  std::vector<std::byte> stream;         // abi::encode_stream; at most kStreamBytesMax
  std::vector<Binding> bindings;         // as many as the stream declares regions
  std::uint64_t worst_case_cycles = 0;   // the job's budget
  std::uint64_t predicted_cycles = 0;    // what a device like Advice::chip takes
};

struct NpuJob : JobStream {
  /// The same job for when its weights still lie in the SRAM, where the stream above left them: run under the lease that the other took. Empty: there is none.
  JobStream resident;
  [[nodiscard]] bool has_resident() const noexcept { return !resident.stream.empty(); }
};

/// One operator that the host executes: inputs and outputs are indices in Package::tensors, or constants.
struct HostStep {
  graph::Operator op;                    // its tensor ids are indices in `tensors`
  std::vector<std::int32_t> tensors;     // operand id -> Package::tensors index; -1: the constant of the same position in `constants`
  std::vector<graph::Tensor> constants;  // graph tensors of the operands (with bytes for constants), aligned with `tensors`
  std::vector<std::shared_ptr<const std::vector<std::byte>>> storage;
};

using Step = std::variant<NpuJob, HostStep>;

enum class Placement : std::uint8_t { kNpu = 1, kHost = 2, kFused = 3, kElided = 4 };

/// What became of one operator of the model: for inspect, --explain, --check and profiles.
struct OperatorReport {
  std::int32_t file_index = -1;
  graph::OperatorKind kind = graph::OperatorKind::kReshape;
  std::string name;
  Placement placement = Placement::kNpu;
  std::string reason;           // why on the host, into what fused, why elided
  std::uint32_t step = 0;       // index in Package::steps
  std::uint32_t tiles = 0;
  std::uint32_t commands = 0;
  std::uint64_t macs = 0;       // nominal
  std::uint64_t cycles = 0;     // busy cycles of its commands, summed over engines
  std::uint64_t dram_bytes = 0;
  std::int32_t output_file_index = -1;  // tensor that it writes
};

struct MemoryReport {
  std::uint64_t sram_peak_bytes = 0;
  std::uint64_t sram_live_peak_bytes = 0;  // largest sum of what is live at once: peak / live is the planner's fragmentation
  std::uint64_t scratch_bytes = 0;
  std::uint64_t constants_bytes = 0;
  std::uint64_t dram_traffic_bytes = 0;
  std::uint64_t compulsory_bytes = 0;      // weights, inputs, outputs once
};

struct Package {
  std::string name;
  std::string description;
  std::array<std::byte, 32> model_sha256{};
  Requirements requirements;
  Advice advice;
  std::vector<Tensor> tensors;
  std::vector<std::uint32_t> inputs;   // indices in tensors
  std::vector<std::uint32_t> outputs;  // indices in tensors
  std::vector<std::uint32_t> kept;     // indices in tensors that were asked for by CompileOptions::keep_tensors
  SharedBytes constants;               // the constants arena; of a package that was read, a part of the file
  std::uint64_t scratch_bytes = 0;
  std::vector<std::byte> state;        // initial contents of the state arena; the runtime keeps two copies on the device and swaps them
  std::vector<Step> steps;
  std::vector<OperatorReport> operators;
  MemoryReport memory;
  bool verified = false;               // its streams passed verify::verify_stream for advice.chip when it was read
};

}  // namespace naru::sdk::package
