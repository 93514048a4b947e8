// What a package asks of a chip: read off its parts, so that it cannot claim less than it needs.
#pragma once

#include "package/package.h"

namespace naru::sdk::package {

/// Computed from arenas, tensors and streams; what `package.requirements` says is not looked at. Streams must be framed correctly.
[[nodiscard]] Requirements requirements_of(const Package& package);

}  // namespace naru::sdk::package
