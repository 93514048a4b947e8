// The door at which exceptions stop: every public entry point runs its body through guarded().
#pragma once

#include <exception>
#include <new>
#include <string>

#include "naru/base/result.h"

namespace naru {

/// Runs `body`, which returns a Result, and turns what it throws into an error.
template <typename Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, "This host has no memory left for it");
  } catch (const std::exception& error) {
    return fail(ErrorId::kInternal, std::string("Unexpected exception: ") + error.what());
  } catch (...) {
    return fail(ErrorId::kInternal, "Unexpected exception of an unknown kind");
  }
}

}  // namespace naru
