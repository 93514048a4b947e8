// Activations on float32.
#pragma once

#include <algorithm>
#include <limits>

#include "graph/graph.h"

namespace naru::sdk::reference {

struct RealBounds {
  float low = std::numeric_limits<float>::lowest();
  float high = std::numeric_limits<float>::max();
  [[nodiscard]] float clamp(float value) const { return std::min(std::max(value, low), high); }
};

[[nodiscard]] inline RealBounds real_bounds_of(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kRelu: return {0.0F, std::numeric_limits<float>::max()};
    case graph::Activation::kReluN1To1: return {-1.0F, 1.0F};
    case graph::Activation::kRelu6: return {0.0F, 6.0F};
    case graph::Activation::kNone: break;
  }
  return {};
}

}  // namespace naru::sdk::reference
