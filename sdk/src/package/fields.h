// The parts of a package, field by field.
#pragma once

#include "package/archive.h"
#include "package/package.h"

namespace naru::sdk::package {

template <typename Archive, typename... T>
void transfer_all(Archive& archive, T&... values) {
  (transfer(archive, values), ...);
}

template <typename Archive>
void transfer(Archive& a, graph::Quantization& q) { transfer_all(a, q.scales, q.zero_points, q.axis); }

template <typename Archive>
void transfer(Archive& a, Tensor& t) { transfer_all(a, t.name, t.shape, t.type, t.quantization, t.file_index, t.bytes); }

template <typename Archive>
void transfer(Archive& a, Requirements& r) {
  transfer_all(a, r.isa_generation, r.weight_formats, r.features, r.dma_engines, r.sram_bytes, r.dram_bytes, r.job_cycles);
}

template <typename Archive>
void transfer(Archive& a, Advice& advice) {
  transfer(a, advice.profile);
  transfer_record(a, advice.chip);
}

template <typename Archive>
void transfer(Archive& a, Binding& b) { transfer_all(a, b.source, b.tensor, b.offset, b.bytes, b.rights); }

template <typename Archive>
void transfer(Archive& a, JobStream& job) {
  transfer_bytes(a, job.stream);
  transfer_all(a, job.bindings, job.worst_case_cycles, job.predicted_cycles);
}

template <typename Archive>
void transfer(Archive& a, NpuJob& job) {
  transfer(a, static_cast<JobStream&>(job));
  transfer(a, job.resident);
}

template <typename Archive>
void transfer(Archive&, std::monostate&) {}
template <typename Archive>
void transfer(Archive& a, graph::ConvOptions& o) {
  transfer_all(a, o.padding, o.stride_h, o.stride_w, o.dilation_h, o.dilation_w, o.depth_multiplier, o.activation);
}
template <typename Archive>
void transfer(Archive& a, graph::FullyConnectedOptions& o) { transfer_all(a, o.activation, o.keep_dims); }
template <typename Archive>
void transfer(Archive& a, graph::PoolOptions& o) { transfer_all(a, o.padding, o.stride_h, o.stride_w, o.filter_h, o.filter_w, o.activation); }
template <typename Archive>
void transfer(Archive& a, graph::ElementwiseOptions& o) { transfer(a, o.activation); }
template <typename Archive>
void transfer(Archive& a, graph::PadOptions& o) { transfer_all(a, o.before, o.after); }
template <typename Archive>
void transfer(Archive& a, graph::ReduceOptions& o) { transfer_all(a, o.axes, o.keep_dims); }
template <typename Archive>
void transfer(Archive&, graph::ReshapeOptions&) {}
template <typename Archive>
void transfer(Archive& a, graph::SoftmaxOptions& o) { transfer(a, o.beta); }
template <typename Archive>
void transfer(Archive& a, graph::ConcatenationOptions& o) { transfer_all(a, o.axis, o.activation); }
template <typename Archive>
void transfer(Archive& a, graph::TransposeOptions& o) { transfer(a, o.permutation); }
template <typename Archive>
void transfer(Archive& a, graph::LeakyReluOptions& o) { transfer(a, o.alpha); }
template <typename Archive>
void transfer(Archive& a, graph::GeluOptions& o) { transfer(a, o.approximate); }
template <typename Archive>
void transfer(Archive& a, graph::TransposeConvOptions& o) { transfer_all(a, o.padding, o.stride_h, o.stride_w, o.activation); }
template <typename Archive>
void transfer(Archive& a, graph::BatchMatmulOptions& o) { transfer_all(a, o.adj_x, o.adj_y); }
template <typename Archive>
void transfer(Archive& a, graph::ResizeOptions& o) { transfer_all(a, o.align_corners, o.half_pixel_centers); }
template <typename Archive>
void transfer(Archive& a, graph::AxisOptions& o) { transfer(a, o.axis); }
template <typename Archive>
void transfer(Archive& a, graph::MirrorPadOptions& o) { transfer_all(a, o.before, o.after, o.symmetric); }
template <typename Archive>
void transfer(Archive& a, graph::SliceOptions& o) { transfer_all(a, o.begin, o.stride, o.extent); }
template <typename Archive>
void transfer(Archive& a, graph::GatherOptions& o) { transfer_all(a, o.axis, o.batch_dims); }
template <typename Archive>
void transfer(Archive& a, graph::BlockOptions& o) { transfer(a, o.block_size); }
template <typename Archive>
void transfer(Archive& a, graph::SpaceBatchOptions& o) { transfer_all(a, o.block, o.before, o.after); }
template <typename Archive>
void transfer(Archive& a, graph::SvdfOptions& o) { transfer_all(a, o.rank, o.activation); }
template <typename Archive>
void transfer(Archive& a, graph::LstmOptions& o) { transfer_all(a, o.activation, o.cell_clip, o.projection_clip, o.time_major); }
template <typename Archive>
void transfer(Archive& a, graph::DetectionOptions& o) {
  transfer_all(a, o.max_detections, o.max_classes_per_detection, o.detections_per_class, o.classes, o.regular_suppression, o.score_threshold, o.overlap_threshold,
               o.y_scale, o.x_scale, o.h_scale, o.w_scale);
}

/// The alternative's number, then the alternative.
template <typename Archive, typename... T>
void transfer(Archive& a, std::variant<T...>& value) {
  auto index = static_cast<std::uint8_t>(value.index());
  a(index);
  if constexpr (Archive::kReads) {
    if (index >= sizeof...(T)) return a.refuse();
    std::uint8_t at = 0;
    ((at++ == index ? static_cast<void>(value.template emplace<T>()) : void()), ...);
  }
  std::visit([&](auto& alternative) { transfer(a, alternative); }, value);
}

template <typename Archive>
void transfer(Archive& a, graph::Operator& op) { transfer_all(a, op.kind, op.inputs, op.outputs, op.options, op.file_index, op.name); }

template <typename Archive>
void transfer(Archive& a, HostStep& step) {
  transfer_all(a, step.op, step.tensors);
  auto count = static_cast<std::uint32_t>(step.constants.size());
  a(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    if constexpr (Archive::kReads) {
      if (!a.ok()) return;
      step.constants.emplace_back();
    }
    graph::Tensor& t = step.constants[i];
    transfer_all(a, t.name, t.shape, t.type, t.quantization, t.is_variable, t.file_index);
    if constexpr (Archive::kReads) {
      const auto bytes = a.raw();
      if (bytes.empty()) continue;
      step.storage.push_back(std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()));
      t.constant = *step.storage.back();
    } else {
      a.raw(t.constant);
    }
  }
}

template <typename Archive>
void transfer(Archive& a, OperatorReport& r) {
  transfer_all(a, r.file_index, r.kind, r.name, r.placement, r.reason, r.step, r.tiles, r.commands, r.macs, r.cycles, r.dram_bytes, r.output_file_index);
}

template <typename Archive>
void transfer(Archive& a, MemoryReport& m) {
  transfer_all(a, m.sram_peak_bytes, m.sram_live_peak_bytes, m.scratch_bytes, m.constants_bytes, m.dram_traffic_bytes, m.compulsory_bytes);
}

}  // namespace naru::sdk::package
