// What the generator found and leaves out, so that the suite is green until the product is mended: true then, and at last without the constant.
#pragma once

namespace naru::generated {

/// RELU and its kin that keep the quantisation of what REDUCE_MAX or REDUCE_MIN gives: fuse.cpp folds them into the reduction, whose clamp lower.cpp
/// does not take over.
inline constexpr bool kMakesClampsOfExtremes = false;

/// The right side of a product that a padded window reads too: the compiler packs the matrix without seeing the frame that the window's padding has
/// put around it (tile/frame.cpp). Without this the random graphs still come upon it, once in a hundred thousand.
inline constexpr bool kMakesMatricesInFrames = false;

/// FILL and BROADCAST_TO that give a scalar: the importer refuses their list of no dimensions (NARU-0205).
inline constexpr bool kMakesScalarsByList = false;

}  // namespace naru::generated
