// Stage 2: what a neighbour can do in passing is not an operator of its own: paddings go into the window that reads them, clamps into what
// computes the value. Pinned tensors are left alone.
#pragma once

#include "compiler/ir.h"

namespace naru::sdk::compiler {

void fuse(Program& program);

}  // namespace naru::sdk::compiler
