// Operators of two quantised operands, for elementwise.cpp.
#pragma once

#include "host/broadcast.h"
#include "host/call.h"

namespace naru::sdk::host {

/// ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE of codes of one type.
Result<Run> prepare_binary_codes(const Call& call, Broadcast plan, graph::Activation activation);

}  // namespace naru::sdk::host
