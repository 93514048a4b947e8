// The row loops for every CPU.
#include "units/row_loops.h"

#include "units/kernels.h"

namespace naru::mockdev::portable {
namespace {
#include "units/row_loops_inl.h"
}  // namespace

constinit const RowLoops kRowLoops = kLoops;

}  // namespace naru::mockdev::portable
