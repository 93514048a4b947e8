// A layer in oneDNN: unsigned inputs, signed weights in the order it prefers, int32 sums or 8-bit codes by a float scale per channel. The bench's peer only.
#include <algorithm>

#include <dnnl.hpp>

#include "layer.h"

namespace naru::bench {
namespace {

using dnnl::memory;

memory::desc description(const memory::dims& dims, memory::data_type type, memory::format_tag tag) { return {dims, type, tag}; }

}  // namespace

struct OneDnnLayer::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  memory source, weights, target;
  bool codes = false;

  void set_weights(const memory::desc& wanted, const memory::desc& plain, const LayerData& data) {
    memory given(plain, engine, const_cast<std::int8_t*>(data.weights.data()));
    weights = memory(wanted, engine);
    dnnl::reorder(given, weights).execute(stream, given, weights);
    stream.wait();
  }
  void set_source(const memory::desc& desc, const LayerData& data) {
    source = memory(desc, engine);
    std::copy(data.input.begin(), data.input.end(), static_cast<std::uint8_t*>(source.get_data_handle()));
  }
};

OneDnnLayer::OneDnnLayer(const LayerData& data, Form form) : state_(std::make_unique<State>()) {
  const Shape& shape = data.shape;
  using Type = memory::data_type;
  using Tag = memory::format_tag;
  State& state = *state_;
  state.codes = form == Form::kRequantized;
  const Type output = state.codes ? Type::u8 : Type::s32;
  dnnl::primitive_attr attributes;
  if (state.codes) attributes.set_output_scales(1 << 1, std::vector<float>(data.scale.begin(), data.scale.end()));
  const memory::dim in = shape.in_channels, out = shape.out_channels, kernel = shape.kernel;
  if (shape.gemm) {
    const memory::dim rows = shape.size_cols;
    const memory::desc source = description({rows, in}, Type::u8, Tag::ab), target = description({rows, out}, output, Tag::ab);
    const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(source, description({in, out}, Type::s8, Tag::any), target), attributes, state.engine);
    state.set_weights(chosen.weights_desc(), description({in, out}, Type::s8, Tag::ba), data);
    state.set_source(source, data);
    state.target = memory(target, state.engine);
    state.primitive = dnnl::matmul(chosen);
    return;
  }
  const memory::desc source = description({1, in, shape.size_rows, shape.size_cols}, Type::u8, Tag::nhwc),
                     target = description({1, out, shape.out_rows(), shape.out_cols()}, output, Tag::nhwc);
  const memory::dims weight_dims = shape.depthwise ? memory::dims{out, 1, 1, kernel, kernel} : memory::dims{out, in, kernel, kernel};
  const memory::dim pad = shape.pad;
  const auto pad_after = [&](std::uint32_t padded, std::uint32_t size) { return memory::dim{padded} - pad - memory::dim{size}; };
  const dnnl::convolution_forward::desc wanted(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source, description(weight_dims, Type::s8, Tag::any), target,
                                               {memory::dim{shape.stride}, memory::dim{shape.stride}}, {pad, pad},
                                               {pad_after(shape.padded_rows(), shape.size_rows), pad_after(shape.padded_cols(), shape.size_cols)});
  const dnnl::convolution_forward::primitive_desc chosen(wanted, attributes, state.engine);
  state.set_weights(chosen.weights_desc(), description(weight_dims, Type::s8, shape.depthwise ? Tag::abcde : Tag::acdb), data);
  state.set_source(source, data);
  state.target = memory(target, state.engine);
  state.primitive = dnnl::convolution_forward(chosen);
}

OneDnnLayer::OneDnnLayer(OneDnnLayer&&) noexcept = default;
OneDnnLayer::~OneDnnLayer() = default;

void OneDnnLayer::run() {
  State& state = *state_;
  state.primitive.execute(state.stream, {{DNNL_ARG_SRC, state.source}, {DNNL_ARG_WEIGHTS, state.weights}, {DNNL_ARG_DST, state.target}});
}

std::vector<std::int32_t> OneDnnLayer::output() const {
  const State& state = *state_;
  const std::size_t count = state.target.get_desc().get_size() / (state.codes ? 1 : 4);
  std::vector<std::int32_t> values(count);
  const void* data = state.target.get_data_handle();
  for (std::size_t i = 0; i < count; ++i) values[i] = state.codes ? static_cast<const std::uint8_t*>(data)[i] : static_cast<const std::int32_t*>(data)[i];
  return values;
}

}  // namespace naru::bench
