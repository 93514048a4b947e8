// Small models of our own, one per operator and form, for the fuzzers to start from.
#pragma once

#include <string>
#include <vector>

#include "frontend/model_builder.h"

namespace naru::fuzzing {

struct SeedModel {
  std::string name;
  testing_models::SharedBytes bytes;
};

[[nodiscard]] std::vector<SeedModel> seed_models();

}  // namespace naru::fuzzing
