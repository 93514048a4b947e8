// Selectors: which transport a text opens. Enumeration itself is the libusb transport's.
#include "naru/driver/discovery.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "naru/driver/transport_libusb.h"
#include "naru/driver/transport_null.h"

namespace naru::driver {
namespace {

constexpr std::string_view kBuiltIn[] = {"usb", "node", "null"};

struct Registry {
  std::mutex mutex;
  std::map<std::string, TransportFactory, std::less<>> factories;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

std::string_view to_string(DeviceAccess access) noexcept {
  switch (access) {
    case DeviceAccess::kReady: return "ready";
    case DeviceAccess::kBusy: return "busy";
    case DeviceAccess::kNoAccess: return "no-access";
  }
  return "unknown";
}

Result<std::vector<DeviceFound>> discover() { return list_usb_devices(); }

Result<void> register_scheme(std::string scheme, TransportFactory factory) {
  const bool letters = !scheme.empty() && std::all_of(scheme.begin(), scheme.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!letters || !factory) return fail(ErrorId::kInvalidArgument, fmt::format("Scheme \"{}\" cannot be registered: lower-case letters and a factory are needed", scheme));
  if (std::find(std::begin(kBuiltIn), std::end(kBuiltIn), scheme) != std::end(kBuiltIn)) return fail(ErrorId::kInvalidArgument, fmt::format("Scheme \"{}\" is built in", scheme));
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  known.factories.insert_or_assign(std::move(scheme), std::move(factory));
  return {};
}

Result<std::unique_ptr<Transport>> open_transport(std::string_view selector, const TransportOptions& options) {
  const std::size_t colon = selector.find(':');
  const std::string_view scheme = selector.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view{} : selector.substr(colon + 1);
  if (scheme == "usb") return open_usb_device(rest, options);
  if (scheme == "node") {
    if (rest.empty()) return fail(ErrorId::kSelector, "Selector \"node:\" has no path");
    return open_usb_node(std::string(rest), options);
  }
  if (selector == "null") return make_null_transport();

  TransportFactory factory;
  std::string schemes;
  {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    for (const auto& [name, value] : known.factories) {
      schemes += name + ", ";
      if (name == scheme) factory = value;
    }
  }
  if (factory) return factory(rest, options);
  return fail(ErrorId::kSelector, fmt::format("\"{}\" selects no device: known schemes are {}usb and node", selector, schemes));
}

}  // namespace naru::driver
