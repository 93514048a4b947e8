// Changes to a model's structure: what is in lists, and which belongs to which.
#pragma once

#include "import/tflite/schema.h"
#include "naru/base/random.h"

namespace naru::fuzzing {

/// One change of many: tensors, operators, subgraphs and buffers dropped, doubled, swapped; operands added and taken away; quantisation per
/// channel; types; shapes of the whole graph at once.
void operate_on(sdk::tflite::ModelT& model, Random& random);

}  // namespace naru::fuzzing
