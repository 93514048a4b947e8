// FULLY_CONNECTED (numerics 6) and BATCH_MATMUL (numerics 20); the right side may be computed.
#include <cstdint>
#include <vector>

#include "reference/ops/accumulate.h"
#include "reference/ops/shapes.h"

namespace naru::sdk::reference {
namespace {

/// [rows][columns] as [columns][rows].
template <typename Value>
std::vector<Value> transposed(const Value* matrix, std::size_t rows, std::size_t columns) {
  std::vector<Value> result(rows * columns);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) result[c * rows + r] = matrix[r * columns + c];
  return result;
}

/// left [rows][depth] times right [depth][columns]: chains of float additions over the depth, columns beside each other.
template <typename Finishing>
void multiply_reals(const float* left, const float* right, std::size_t rows, std::size_t depth, std::size_t columns, float* output, const Finishing& finish) {
  std::vector<float> sums(columns);
  for (std::size_t r = 0; r < rows; ++r) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::size_t d = 0; d < depth; ++d) {
      const float value = left[r * depth + d];
      const float* row = right + d * columns;
      for (std::size_t c = 0; c < columns; ++c) sums[c] += value * row[c];
    }
    for (std::size_t c = 0; c < columns; ++c) output[r * columns + c] = finish(sums[c], c);
  }
}

/// An operand of BATCH_MATMUL: its matrices, and which of them each output matrix takes.
struct Matrices {
  std::size_t rows;
  std::size_t columns;
  Broadcast matrix;
};

Matrices matrices_of(const Call& call, std::size_t operand) {
  const graph::Shape& shape = call.input(operand).shape;
  const graph::Shape& out = call.output().shape;
  const std::size_t rank = shape.size();
  return {static_cast<std::size_t>(shape[rank - 2]), static_cast<std::size_t>(shape[rank - 1]),
          Broadcast({shape.begin(), shape.end() - 2}, {out.begin(), out.end() - 2})};
}

}  // namespace

void fully_connected(const Call& call) {
  const graph::Shape& filter = call.input(1).shape;
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[1]);
  const std::size_t rows = graph::element_count(call.input(0)) / depth;
  const auto activation = call.options<graph::FullyConnectedOptions>().activation;
  if (call.input(0).type == abi::ElementType::kF32) {
    const auto weights = transposed(call.data<float>(1), channels, depth);
    return multiply_reals(call.data<float>(0), weights.data(), rows, depth, channels, call.out<float>(), RealFinish(call, activation));
  }
  dispatch_codes(call, {}, [&](auto in, auto weight) {
    using In = decltype(in);
    using Weight = decltype(weight);
    const auto input = differences(call.data<In>(0), rows * depth, call.input(0).zero_point());
    const auto weights = differences(call.data<Weight>(1), channels * depth, call.input(1).zero_point());
    const Finish<In> finish(call, channels, activation);
    auto* output = call.out<In>();
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t c = 0; c < channels; ++c)
        *output++ = finish(dot<kProductsPerPiece<In, Weight>>(input.data() + row * depth, weights.data() + c * depth, depth), c);
  });
}

void batch_matmul(const Call& call) {
  const auto& options = call.options<graph::BatchMatmulOptions>();
  const graph::Shape& out = call.output().shape;
  const Matrices left = matrices_of(call, 0);
  const Matrices right = matrices_of(call, 1);
  const auto rows = static_cast<std::size_t>(out[out.size() - 2]);
  const auto columns = static_cast<std::size_t>(out[out.size() - 1]);
  const std::size_t depth = options.adj_x ? left.rows : left.columns;
  const std::size_t count = product_of(out, 0, out.size() - 2);
  const std::size_t left_size = left.rows * left.columns;
  const std::size_t right_size = right.rows * right.columns;
  const auto pick = [](const auto* matrices, std::size_t index, const Matrices& shape, bool swap) {
    const auto* matrix = matrices + index * shape.rows * shape.columns;
    return swap ? transposed(matrix, shape.rows, shape.columns) : std::vector(matrix, matrix + shape.rows * shape.columns);
  };
  if (call.input(0).type == abi::ElementType::kF32) {
    const auto as_is = [](float sum, std::size_t) { return sum; };
    for (std::size_t i = 0; i < count; ++i) {
      const auto a = pick(call.data<float>(0), left.matrix[i], left, options.adj_x);
      const auto b = pick(call.data<float>(1), right.matrix[i], right, options.adj_y);
      multiply_reals(a.data(), b.data(), rows, depth, columns, call.out<float>() + i * rows * columns, as_is);
    }
    return;
  }
  dispatch_codes(call, {}, [&](auto in, auto weight) {
    using In = decltype(in);
    using Weight = decltype(weight);
    const auto lefts = differences(call.data<In>(0), graph::element_count(call.input(0)) / left_size * left_size, call.input(0).zero_point());
    const auto rights = differences(call.data<Weight>(1), graph::element_count(call.input(1)) / right_size * right_size, call.input(1).zero_point());
    const Finish<In> finish(call, 1, graph::Activation::kNone);
    auto* output = call.out<In>();
    for (std::size_t i = 0; i < count; ++i) {
      // Rows of both are along the depth.
      const auto a = pick(lefts.data(), left.matrix[i], left, options.adj_x);
      const auto b = pick(rights.data(), right.matrix[i], right, !options.adj_y);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) *output++ = finish(dot<kProductsPerPiece<In, Weight>>(a.data() + r * depth, b.data() + c * depth, depth), 0);
    }
  });
}

}  // namespace naru::sdk::reference
