// One small model per operator: an input or two, the operator, an output. Values do not matter; shapes, types and scales fit.
#include "seed_models.h"

#include <functional>
#include <tuple>
#include <utility>

#include <flatbuffers/flexbuffers.h>

namespace naru::fuzzing {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables
using testing_models::ModelBuilder;
using Shape = std::vector<std::int32_t>;

/// A model that grows; `in` and `out` also list the tensor at the graph's ends.
class Seed {
 public:
  ModelBuilder builder;

  int value(const Shape& shape, TensorType type = TensorType_INT8, float scale = 0.05F, std::int64_t zero_point = 3) {
    const bool codes = type == TensorType_INT8 || type == TensorType_UINT8 || type == TensorType_INT16;
    return builder.add_tensor("t", shape, type, codes ? std::vector<float>{scale} : std::vector<float>(), type == TensorType_INT16 ? 0 : zero_point);
  }
  int in(const Shape& shape, TensorType type = TensorType_INT8) {
    const int id = value(shape, type);
    builder.graph().inputs.push_back(id);
    return id;
  }
  int out(const Shape& shape, TensorType type = TensorType_INT8, float scale = 0.05F, std::int64_t zero_point = 3) {
    const int id = value(shape, type, scale, zero_point);
    builder.graph().outputs.push_back(id);
    return id;
  }
  int weights(const Shape& shape, float scale = 0.02F) { return builder.constant_i8(builder.add_tensor("w", shape, TensorType_INT8, {scale})); }
  int indices(const Shape& shape, const std::vector<std::int32_t>& values) { return builder.constant(builder.add_tensor("p", shape, TensorType_INT32), values); }
  int bias(std::int32_t count) { return indices({count}, std::vector<std::int32_t>(static_cast<std::size_t>(count), 7)); }
  int variable(const Shape& shape, TensorType type, float scale) {
    const int id = value(shape, type, scale, 0);
    builder.tensor(id).is_variable = true;
    return id;
  }
};

class Collection {
 public:
  std::vector<SeedModel> models;

  void add(std::string name, const std::function<void(Seed&)>& make) {
    Seed seed;
    make(seed);
    models.push_back({std::move(name), seed.builder.bytes()});
  }

  /// [1, 4, 4, 2] in and out.
  template <typename... Options>
  void unary(const char* name, BuiltinOperator code, TensorType type, float scale, std::int64_t zero_point, Options... options) {
    add(name, [&](Seed& s) {
      const int in = s.in(kImage, type);
      s.builder.add_operator(code, {in}, {s.out(kImage, type, scale, zero_point)}, options...);
    });
  }

  /// Broadcasts [1, 4, 4, 2] and [2].
  template <typename... Options>
  void binary(const char* name, BuiltinOperator code, TensorType type, TensorType result, Options... options) {
    add(name, [&](Seed& s) {
      const int a = s.in(kImage, type);
      const int b = s.in({2}, type);
      s.builder.add_operator(code, {a, b}, {s.out(kImage, result)}, options...);
    });
  }

  /// Data [1, 4, 4, 2], a constant parameter, an output of `shape`.
  template <typename... Options>
  void with_parameter(const char* name, BuiltinOperator code, const Shape& parameter_shape, const std::vector<std::int32_t>& parameter, const Shape& shape,
                      Options... options) {
    add(name, [&](Seed& s) {
      const int in = s.in(kImage);
      const int parameter_id = s.indices(parameter_shape, parameter);
      s.builder.add_operator(code, {in, parameter_id}, {s.out(shape)}, options...);
    });
  }

 private:
  inline static const Shape kImage{1, 4, 4, 2};
};

template <typename Options>
Options strided(std::int32_t stride) {
  Options options;
  options.stride_w = options.stride_h = stride;
  return options;
}

void add_curves(Collection& c) {
  constexpr auto i8 = TensorType_INT8;
  constexpr auto f32 = TensorType_FLOAT32;
  const std::pair<const char*, BuiltinOperator> codes[] = {{"relu", BuiltinOperator_RELU}, {"relu6", BuiltinOperator_RELU6}, {"relu_n1_to_1", BuiltinOperator_RELU_N1_TO_1},
                                                          {"relu_0_to_1", BuiltinOperator_RELU_0_TO_1}, {"elu", BuiltinOperator_ELU}};
  for (const auto& [name, code] : codes) c.unary(name, code, i8, 0.05F, 3);
  c.unary("hard_swish", BuiltinOperator_HARD_SWISH, i8, 0.05F, 3, HardSwishOptionsT());
  c.unary("abs", BuiltinOperator_ABS, i8, 0.05F, 3, AbsOptionsT());
  c.unary("logistic", BuiltinOperator_LOGISTIC, i8, 1.0F / 256.0F, -128);
  c.unary("tanh", BuiltinOperator_TANH, i8, 1.0F / 128.0F, 0);
  c.unary("log_softmax", BuiltinOperator_LOG_SOFTMAX, i8, 16.0F / 256.0F, 127);
  c.unary("l2_normalization", BuiltinOperator_L2_NORMALIZATION, i8, 1.0F / 128.0F, 0, L2NormOptionsT());
  c.unary("rsqrt", BuiltinOperator_RSQRT, i8, 0.05F, -128);
  c.unary("gelu", BuiltinOperator_GELU, i8, 0.05F, 3);
  LeakyReluOptionsT leaky;
  leaky.alpha = 0.1F;
  c.unary("leaky_relu", BuiltinOperator_LEAKY_RELU, i8, 0.05F, 3, leaky);
  SoftmaxOptionsT softmax;
  softmax.beta = 1.0F;
  c.unary("softmax", BuiltinOperator_SOFTMAX, i8, 1.0F / 256.0F, -128, softmax);
  c.unary("softmax_f32", BuiltinOperator_SOFTMAX, f32, 1, 0, softmax);
  const std::pair<const char*, BuiltinOperator> plain[] = {
      {"neg", BuiltinOperator_NEG}, {"square", BuiltinOperator_SQUARE}, {"sqrt", BuiltinOperator_SQRT}, {"exp", BuiltinOperator_EXP}, {"log", BuiltinOperator_LOG},
      {"sin", BuiltinOperator_SIN}, {"cos", BuiltinOperator_COS}, {"floor", BuiltinOperator_FLOOR}, {"ceil", BuiltinOperator_CEIL}, {"round", BuiltinOperator_ROUND}};
  for (const auto& [name, code] : plain) c.unary(name, code, f32, 1, 0);
  c.unary("logical_not", BuiltinOperator_LOGICAL_NOT, TensorType_BOOL, 1, 0);
}

void add_pairs(Collection& c) {
  constexpr auto i8 = TensorType_INT8;
  constexpr auto f32 = TensorType_FLOAT32;
  c.binary("add", BuiltinOperator_ADD, i8, i8, AddOptionsT());
  c.binary("add_i16", BuiltinOperator_ADD, TensorType_INT16, TensorType_INT16, AddOptionsT());
  c.binary("sub_u8", BuiltinOperator_SUB, TensorType_UINT8, TensorType_UINT8, SubOptionsT());
  c.binary("mul", BuiltinOperator_MUL, i8, i8, MulOptionsT());
  c.binary("div", BuiltinOperator_DIV, f32, f32, DivOptionsT());
  c.binary("minimum", BuiltinOperator_MINIMUM, i8, i8, MaximumMinimumOptionsT());
  c.binary("maximum", BuiltinOperator_MAXIMUM, i8, i8, MaximumMinimumOptionsT());
  c.binary("squared_difference", BuiltinOperator_SQUARED_DIFFERENCE, i8, i8, SquaredDifferenceOptionsT());
  c.binary("floor_div", BuiltinOperator_FLOOR_DIV, TensorType_INT32, TensorType_INT32, FloorDivOptionsT());
  c.binary("floor_mod", BuiltinOperator_FLOOR_MOD, TensorType_INT32, TensorType_INT32);
  c.binary("pow", BuiltinOperator_POW, f32, f32);
  const std::pair<const char*, BuiltinOperator> comparisons[] = {{"equal", BuiltinOperator_EQUAL}, {"not_equal", BuiltinOperator_NOT_EQUAL}, {"less", BuiltinOperator_LESS},
                                                                {"less_equal", BuiltinOperator_LESS_EQUAL}, {"greater", BuiltinOperator_GREATER},
                                                                {"greater_equal", BuiltinOperator_GREATER_EQUAL}};
  for (const auto& [name, code] : comparisons) c.binary(name, code, f32, TensorType_BOOL);
  c.binary("logical_and", BuiltinOperator_LOGICAL_AND, TensorType_BOOL, TensorType_BOOL);
  c.binary("logical_or", BuiltinOperator_LOGICAL_OR, TensorType_BOOL, TensorType_BOOL);
  c.add("select", [](Seed& s) {
    const int condition = s.in({4}, TensorType_BOOL);
    const int a = s.in({4});
    const int b = s.in({4});
    s.builder.add_operator(BuiltinOperator_SELECT_V2, {condition, a, b}, {s.out({4})}, SelectV2OptionsT());
  });
  c.add("prelu", [](Seed& s) {
    const int in = s.in({1, 4, 4, 2});
    s.builder.add_operator(BuiltinOperator_PRELU, {in, s.weights({1, 1, 2})}, {s.out({1, 4, 4, 2})});
  });
  c.add("chain", [](Seed& s) {
    const int in = s.in({1, 2, 2, 2}, TensorType_FLOAT32);
    const int codes = s.value({1, 2, 2, 2});
    const int doubled = s.value({1, 2, 2, 2});
    s.builder.add_operator(BuiltinOperator_QUANTIZE, {in}, {codes}, QuantizeOptionsT());
    s.builder.add_operator(BuiltinOperator_ADD, {codes, codes}, {doubled}, AddOptionsT());
    s.builder.add_operator(BuiltinOperator_DEQUANTIZE, {doubled}, {s.out({1, 2, 2, 2}, TensorType_FLOAT32)}, DequantizeOptionsT());
  });
}

void add_windows(Collection& c) {
  c.add("conv", [](Seed& s) {
    const int in = s.in({1, 4, 4, 2});
    s.builder.add_operator(BuiltinOperator_CONV_2D, {in, s.weights({3, 3, 3, 2}), s.bias(3)}, {s.out({1, 4, 4, 3})}, strided<Conv2DOptionsT>(1));
  });
  c.add("conv_channels", [](Seed& s) {
    const int in = s.in({1, 4, 4, 4}, TensorType_INT8);
    const int filter = s.builder.constant_i8(s.builder.add_tensor("w", {2, 2, 2, 2}, TensorType_INT8, {0.02F, 0.03F}, 0, 0));
    auto options = strided<Conv2DOptionsT>(1);
    options.dilation_h_factor = 2;
    options.padding = Padding_VALID;
    s.builder.add_operator(BuiltinOperator_CONV_2D, {in, filter, -1}, {s.out({1, 2, 3, 2})}, options);
  });
  c.add("conv_f32", [](Seed& s) {
    const int in = s.in({1, 3, 3, 1}, TensorType_FLOAT32);
    const int filter = s.builder.constant<float>(s.value({1, 1, 1, 1}, TensorType_FLOAT32), {0.5F});
    const int bias = s.builder.constant<float>(s.value({1}, TensorType_FLOAT32), {1.0F});
    s.builder.add_operator(BuiltinOperator_CONV_2D, {in, filter, bias}, {s.out({1, 3, 3, 1}, TensorType_FLOAT32)}, strided<Conv2DOptionsT>(1));
  });
  c.add("depthwise", [](Seed& s) {
    const int in = s.in({1, 4, 4, 2});
    auto options = strided<DepthwiseConv2DOptionsT>(2);
    options.depth_multiplier = 1;
    s.builder.add_operator(BuiltinOperator_DEPTHWISE_CONV_2D, {in, s.weights({1, 3, 3, 2}), s.bias(2)}, {s.out({1, 2, 2, 2})}, options);
  });
  c.add("fully_connected", [](Seed& s) {
    const int in = s.in({2, 8});
    s.builder.add_operator(BuiltinOperator_FULLY_CONNECTED, {in, s.weights({3, 8}), s.bias(3)}, {s.out({2, 3})}, FullyConnectedOptionsT());
  });
  for (const auto& [name, code] : {std::pair{"average_pool", BuiltinOperator_AVERAGE_POOL_2D}, std::pair{"max_pool", BuiltinOperator_MAX_POOL_2D}})
    c.add(name, [code = code](Seed& s) {
      const int in = s.in({1, 4, 4, 2});
      auto options = strided<Pool2DOptionsT>(2);
      options.filter_width = options.filter_height = 2;
      s.builder.add_operator(code, {in}, {s.out({1, 2, 2, 2})}, options);
    });
  c.add("transpose_conv", [](Seed& s) {
    const int in = s.in({1, 2, 2, 2});
    const int size = s.indices({4}, {1, 4, 4, 2});
    s.builder.add_operator(BuiltinOperator_TRANSPOSE_CONV, {size, s.weights({2, 2, 2, 2}), in, s.bias(2)}, {s.out({1, 4, 4, 2})}, strided<TransposeConvOptionsT>(2));
  });
  c.add("batch_matmul", [](Seed& s) {
    const int a = s.in({2, 3, 4});
    const int b = s.in({1, 4, 2});
    s.builder.add_operator(BuiltinOperator_BATCH_MATMUL, {a, b}, {s.out({2, 3, 2})}, BatchMatMulOptionsT());
  });
  c.with_parameter("resize_bilinear", BuiltinOperator_RESIZE_BILINEAR, {2}, {8, 6}, {1, 8, 6, 2}, ResizeBilinearOptionsT());
  c.with_parameter("resize_nearest", BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, {2}, {8, 6}, {1, 8, 6, 2}, ResizeNearestNeighborOptionsT());
}

void add_reductions(Collection& c) {
  ReducerOptionsT keep;
  keep.keep_dims = true;
  c.with_parameter("mean", BuiltinOperator_MEAN, {2}, {1, 2}, {1, 2}, ReducerOptionsT());
  c.with_parameter("sum", BuiltinOperator_SUM, {1}, {-1}, {1, 4, 4, 1}, keep);
  c.with_parameter("reduce_max", BuiltinOperator_REDUCE_MAX, {1}, {1}, {1, 4, 2}, ReducerOptionsT());
  c.with_parameter("reduce_min", BuiltinOperator_REDUCE_MIN, {1}, {1}, {1, 4, 2}, ReducerOptionsT());
  const auto add_arg = [&](const char* name, BuiltinOperator code, auto options) {
    options.output_type = TensorType_INT32;
    c.add(name, [code, options](Seed& s) {
      const int in = s.in({1, 4, 4, 2});
      s.builder.add_operator(code, {in, s.indices({1}, {3})}, {s.out({1, 4, 4}, TensorType_INT32)}, options);
    });
  };
  add_arg("arg_max", BuiltinOperator_ARG_MAX, ArgMaxOptionsT());
  add_arg("arg_min", BuiltinOperator_ARG_MIN, ArgMinOptionsT());
}

void add_movements(Collection& c) {
  c.with_parameter("pad", BuiltinOperator_PAD, {4, 2}, {0, 0, 1, 1, 1, 0, 0, 0}, {1, 6, 5, 2}, PadOptionsT());
  c.with_parameter("mirror_pad", BuiltinOperator_MIRROR_PAD, {4, 2}, {0, 0, 1, 1, 1, 0, 0, 0}, {1, 6, 5, 2}, MirrorPadOptionsT());
  c.with_parameter("reshape", BuiltinOperator_RESHAPE, {2}, {4, -1}, {4, 8}, ReshapeOptionsT());
  c.with_parameter("transpose", BuiltinOperator_TRANSPOSE, {4}, {0, 3, 1, 2}, {1, 2, 4, 4}, TransposeOptionsT());
  c.with_parameter("gather", BuiltinOperator_GATHER, {3}, {0, 0, 0}, {3, 4, 4, 2}, GatherOptionsT());
  c.with_parameter("gather_nd", BuiltinOperator_GATHER_ND, {2, 3}, {0, 1, 2, 0, 3, 3}, {2, 2}, GatherNdOptionsT());
  c.with_parameter("tile", BuiltinOperator_TILE, {4}, {1, 2, 1, 3}, {1, 8, 4, 6}, TileOptionsT());
  c.with_parameter("broadcast_to", BuiltinOperator_BROADCAST_TO, {4}, {3, 4, 4, 2}, {3, 4, 4, 2});
  c.with_parameter("expand_dims", BuiltinOperator_EXPAND_DIMS, {1}, {1}, {1, 1, 4, 4, 2}, ExpandDimsOptionsT());
  SqueezeOptionsT squeeze;
  squeeze.squeeze_dims = {0};
  c.add("squeeze", [&](Seed& s) {
    const int in = s.in({1, 4, 2});
    s.builder.add_operator(BuiltinOperator_SQUEEZE, {in}, {s.out({4, 2})}, squeeze);
  });
  c.add("concatenation", [](Seed& s) {
    const int a = s.in({1, 2, 2});
    const int b = s.in({1, 3, 2});
    ConcatenationOptionsT options;
    options.axis = 1;
    s.builder.add_operator(BuiltinOperator_CONCATENATION, {a, b}, {s.out({1, 5, 2})}, options);
  });
  c.add("pad_v2", [](Seed& s) {
    const int in = s.in({2, 2});
    const int value = s.builder.constant<std::int8_t>(s.value({1}), {9});
    s.builder.add_operator(BuiltinOperator_PADV2, {in, s.indices({2, 2}, {0, 1, 2, 0}), value}, {s.out({3, 4})}, PadV2OptionsT());
  });
  c.add("slice", [](Seed& s) {
    const int in = s.in({4, 4, 2});
    s.builder.add_operator(BuiltinOperator_SLICE, {in, s.indices({3}, {1, 0, 0}), s.indices({3}, {2, -1, 1})}, {s.out({2, 4, 1})}, SliceOptionsT());
  });
  c.add("strided_slice", [](Seed& s) {
    const int in = s.in({4, 4, 2});
    StridedSliceOptionsT options;
    options.end_mask = 2;
    options.shrink_axis_mask = 4;
    s.builder.add_operator(BuiltinOperator_STRIDED_SLICE, {in, s.indices({3}, {3, 0, 1}), s.indices({3}, {0, 4, 2}), s.indices({3}, {-1, 2, 1})}, {s.out({3, 2})}, options);
  });
  SplitOptionsT split;
  split.num_splits = 2;
  c.add("split", [&](Seed& s) {
    const int axis = s.indices({1}, {1});
    const int in = s.in({2, 4});
    const int a = s.out({2, 2});
    s.builder.add_operator(BuiltinOperator_SPLIT, {axis, in}, {a, s.out({2, 2})}, split);
  });
  SplitVOptionsT split_v;
  split_v.num_splits = 2;
  c.add("split_v", [&](Seed& s) {
    const int in = s.in({2, 4});
    const int sizes = s.indices({2}, {1, -1});
    const int axis = s.indices({1}, {-1});
    const int a = s.out({2, 1});
    s.builder.add_operator(BuiltinOperator_SPLIT_V, {in, sizes, axis}, {a, s.out({2, 3})}, split_v);
  });
  PackOptionsT pack;
  pack.values_count = 2;
  pack.axis = 1;
  c.add("pack", [&](Seed& s) {
    const int a = s.in({2, 3});
    const int b = s.in({2, 3});
    s.builder.add_operator(BuiltinOperator_PACK, {a, b}, {s.out({2, 2, 3})}, pack);
  });
  UnpackOptionsT unpack;
  unpack.num = 2;
  c.add("unpack", [&](Seed& s) {
    const int in = s.in({2, 3});
    const int a = s.out({3});
    s.builder.add_operator(BuiltinOperator_UNPACK, {in}, {a, s.out({3})}, unpack);
  });
  SpaceToDepthOptionsT to_depth;
  to_depth.block_size = 2;
  DepthToSpaceOptionsT to_space;
  to_space.block_size = 2;
  c.add("space_to_depth", [&](Seed& s) {
    const int in = s.in({1, 4, 4, 1});
    s.builder.add_operator(BuiltinOperator_SPACE_TO_DEPTH, {in}, {s.out({1, 2, 2, 4})}, to_depth);
  });
  c.add("depth_to_space", [&](Seed& s) {
    const int in = s.in({1, 2, 2, 4});
    s.builder.add_operator(BuiltinOperator_DEPTH_TO_SPACE, {in}, {s.out({1, 4, 4, 1})}, to_space);
  });
  c.add("space_to_batch", [](Seed& s) {
    const int in = s.in({1, 4, 4, 1});
    s.builder.add_operator(BuiltinOperator_SPACE_TO_BATCH_ND, {in, s.indices({2}, {2, 2}), s.indices({2, 2}, {0, 0, 0, 0})}, {s.out({4, 2, 2, 1})}, SpaceToBatchNDOptionsT());
  });
  c.add("batch_to_space", [](Seed& s) {
    const int in = s.in({4, 2, 2, 1});
    s.builder.add_operator(BuiltinOperator_BATCH_TO_SPACE_ND, {in, s.indices({2}, {2, 2}), s.indices({2, 2}, {0, 0, 0, 0})}, {s.out({1, 4, 4, 1})}, BatchToSpaceNDOptionsT());
  });
  c.add("shape", [](Seed& s) {
    const int in = s.in({1, 4, 4, 2});
    ShapeOptionsT options;
    options.out_type = TensorType_INT32;
    s.builder.add_operator(BuiltinOperator_SHAPE, {in}, {s.out({4}, TensorType_INT32)}, options);
  });
  c.add("fill", [](Seed& s) {
    const int value = s.in({}, TensorType_FLOAT32);
    s.builder.add_operator(BuiltinOperator_FILL, {s.indices({2}, {2, 3}), value}, {s.out({2, 3}, TensorType_FLOAT32)});
  });
  c.add("cast", [](Seed& s) {
    const int in = s.in({4}, TensorType_INT32);
    CastOptionsT options;
    options.in_data_type = TensorType_INT32;
    options.out_data_type = TensorType_FLOAT32;
    s.builder.add_operator(BuiltinOperator_CAST, {in}, {s.out({4}, TensorType_FLOAT32)}, options);
  });
}

void add_states(Collection& c) {
  c.add("svdf", [](Seed& s) {
    const int in = s.in({1, 4});
    const int time = s.builder.constant<std::int16_t>(s.value({2, 3}, TensorType_INT16, 0.01F), {1, 2, 3, 4, 5, 6});
    const int state = s.variable({1, 6}, TensorType_INT16, 0.02F);
    SVDFOptionsT options;
    options.rank = 1;
    s.builder.add_operator(BuiltinOperator_SVDF, {in, s.weights({2, 4}), time, s.bias(2), state}, {s.out({1, 2})}, options);
  });
  c.add("lstm", [](Seed& s) {
    std::vector<std::int32_t> inputs{s.in({1, 2, 2})};
    for (int i = 0; i < 8; ++i) inputs.push_back(s.weights({2, 2}));
    inputs.insert(inputs.end(), 3, -1);
    for (int i = 0; i < 4; ++i) inputs.push_back(s.bias(2));
    inputs.insert(inputs.end(), 2, -1);
    inputs.push_back(s.variable({1, 2}, TensorType_INT8, 1.0F / 128.0F));
    inputs.push_back(s.variable({1, 2}, TensorType_INT16, 1.0F / 2048.0F));
    inputs.insert(inputs.end(), 4, -1);
    UnidirectionalSequenceLSTMOptionsT options;
    options.fused_activation_function = ActivationFunctionType_TANH;
    s.builder.add_operator(BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, {s.out({1, 2, 2}, TensorType_INT8, 1.0F / 128.0F, 0)}, options);
  });
  c.add("variable", [](Seed& s) {
    const int in = s.in({4});
    const int handle = s.builder.add_tensor("handle", {}, TensorType_RESOURCE);
    const int read = s.value({4});
    const int sum = s.out({4});
    VarHandleOptionsT options;
    options.shared_name = "v";
    s.builder.add_operator(BuiltinOperator_VAR_HANDLE, {}, {handle}, options);
    s.builder.add_operator(BuiltinOperator_READ_VARIABLE, {handle}, {read}, ReadVariableOptionsT());
    s.builder.add_operator(BuiltinOperator_ADD, {in, read}, {sum}, AddOptionsT());
    s.builder.add_operator(BuiltinOperator_ASSIGN_VARIABLE, {handle, sum}, {}, AssignVariableOptionsT());
    // The value that it begins with: a second subgraph assigns a constant once.
    CallOnceOptionsT once;
    once.init_subgraph_index = 1;
    s.builder.add_operator(BuiltinOperator_CALL_ONCE, {}, {}, once);
    const int zeros = s.builder.constant<std::int8_t>(s.value({4}), {3, 3, 3, 3});
    auto initial = std::make_unique<SubGraphT>();
    initial->name = "initial";
    for (const int id : {handle, zeros}) initial->tensors.push_back(std::make_unique<TensorT>(s.builder.tensor(id)));
    for (const auto& [from, operands, results] : {std::tuple<int, Shape, Shape>{0, {}, {0}}, {3, {0, 1}, {}}}) {
      initial->operators.push_back(std::make_unique<OperatorT>(s.builder.op(from)));
      initial->operators.back()->inputs = operands;
      initial->operators.back()->outputs = results;
    }
    s.builder.model.subgraphs.push_back(std::move(initial));
  });
  c.add("detection", [](Seed& s) {
    const auto f32 = TensorType_FLOAT32;
    const int boxes = s.in({1, 4, 4}, f32);
    const int scores = s.in({1, 4, 3}, f32);
    const int anchors = s.builder.constant<float>(s.value({4, 4}, f32), std::vector<float>(16, 0.5F));
    const std::vector<std::int32_t> outputs{s.out({1, 2, 4}, f32), s.out({1, 2}, f32), s.out({1, 2}, f32), s.out({1}, f32)};
    const int op = s.builder.add_operator(BuiltinOperator_CUSTOM, {boxes, scores, anchors}, outputs);
    s.builder.code_of(op).custom_code = "TFLite_Detection_PostProcess";
    // A FlexBuffer map: keys, a vector of their places, the values, and their types.
    flexbuffers::Builder map;
    map.Map([&] {
      map.Int("max_detections", 2);
      map.Int("max_classes_per_detection", 1);
      map.Int("detections_per_class", 2);
      map.Int("num_classes", 2);
      map.Bool("use_regular_nms", false);
      map.Float("nms_score_threshold", 0.1F);
      map.Float("nms_iou_threshold", 0.5F);
      for (const char* scale : {"y_scale", "x_scale", "h_scale", "w_scale"}) map.Float(scale, 10.0F);
    });
    map.Finish();
    s.builder.op(op).custom_options = map.GetBuffer();
  });
}

}  // namespace

std::vector<SeedModel> seed_models() {
  Collection collection;
  add_curves(collection);
  add_pairs(collection);
  add_windows(collection);
  add_reductions(collection);
  add_movements(collection);
  add_states(collection);
  collection.models.push_back({"sample", testing_models::Sample::make().bytes()});
  return std::move(collection.models);
}

}  // namespace naru::fuzzing
