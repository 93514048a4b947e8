// Whether the parts of a package agree with each other. Everything that a session relies on later is checked here, once.
#pragma once

#include "naru/base/result.h"
#include "package/package.h"

namespace naru::sdk::package {

/// kPackageStructure with the place; a stream that is refused keeps the verifier's id.
[[nodiscard]] Result<void> validate(const Package& package);

}  // namespace naru::sdk::package
