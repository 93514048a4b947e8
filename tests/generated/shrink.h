// Cuts a failing model down to what still fails.
#pragma once

#include <functional>
#include <string>

#include "frontend/model_builder.h"

namespace naru::generated {

/// `fails` says whether a smaller model still fails in the same way. Nothing more can be cut from the result: no output, no operator at the
/// ends, no operator whose results could as well be given.
[[nodiscard]] testing_models::ModelBuilder shrink(const testing_models::ModelBuilder& failing,
                                                  const std::function<bool(const testing_models::ModelBuilder&)>& fails);

/// "CONV_2D [1, 4, 4, 2] -> [1, 2, 2, 8]", a line per operator.
[[nodiscard]] std::string describe(const testing_models::ModelBuilder& builder);

/// "PAD CONV_2D".
[[nodiscard]] std::string operator_names(const testing_models::ModelBuilder& builder);

/// The operators that run, those of first values aside.
[[nodiscard]] std::size_t operator_count(const testing_models::ModelBuilder& builder);

}  // namespace naru::generated
