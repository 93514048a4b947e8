// From a device on the bus, a node or a descriptor to a claimed interface whose endpoints are known.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "naru/abi/wire.h"
#include "naru/driver/transport_libusb.h"
#include "transport/libusb/transport.h"

namespace naru::driver {
namespace libusb {
namespace {

/// Finds the vendor-specific interface and its endpoints in the active configuration.
Result<void> read_interface(Opened& opened) {
  libusb_config_descriptor* raw = nullptr;
  if (const int code = libusb_get_active_config_descriptor(libusb_get_device(opened.handle.get()), &raw); code != LIBUSB_SUCCESS)
    return fail(to_error(code, "reading its configuration", opened.info.selector));
  const Configuration configuration(raw);
  for (int i = 0; i < configuration->bNumInterfaces; ++i) {
    if (configuration->interface[i].num_altsetting < 1) continue;
    const libusb_interface_descriptor& interface = configuration->interface[i].altsetting[0];
    if (interface.bInterfaceClass != LIBUSB_CLASS_VENDOR_SPEC) continue;
    std::vector<usb::EndpointDescription> endpoints;
    for (int j = 0; j < interface.bNumEndpoints; ++j) {
      const libusb_endpoint_descriptor& endpoint = interface.endpoint[j];
      endpoints.push_back({.address = endpoint.bEndpointAddress,
                           .type = static_cast<usb::EndpointType>(endpoint.bmAttributes & 3),
                           .packet_bytes = static_cast<std::uint16_t>(endpoint.wMaxPacketSize & 0x7FF)});
    }
    const transport::Endpoints found = transport::find_endpoints(endpoints);
    if (found.bulk_in.address == 0 || found.bulk_out.address == 0 || found.bulk_in.packet_bytes == 0 || found.bulk_out.packet_bytes == 0) continue;
    opened.endpoints = found;
    opened.interface_number = interface.bInterfaceNumber;
    opened.info.bulk_packet_bytes = found.bulk_in.packet_bytes;
    return {};
  }
  return fail(ErrorId::kDeviceNotNaru, fmt::format("{} has no interface with a bulk endpoint each way", opened.info.selector));
}

Result<std::unique_ptr<Transport>> finish(Opened opened, const TransportOptions& options) {
  libusb_device* device = libusb_get_device(opened.handle.get());
  libusb_device_descriptor descriptor{};
  libusb_get_device_descriptor(device, &descriptor);
  opened.info.vendor_id = descriptor.idVendor;
  opened.info.product_id = descriptor.idProduct;
  if (descriptor.idVendor != abi::kVendorId || (descriptor.idProduct != abi::kProductRom && descriptor.idProduct != abi::kProductRun))
    return fail(ErrorId::kDeviceNotNaru, fmt::format("{} has the ids {:04x}:{:04x}, which are not Naru's", opened.info.selector, descriptor.idVendor, descriptor.idProduct));
  opened.info.speed = libusb_get_device_speed(device) >= LIBUSB_SPEED_SUPER ? usb::Speed::kSuper : usb::Speed::kHigh;
  if (opened.info.serial.empty() && descriptor.iSerialNumber != 0) {
    std::array<unsigned char, 256> text{};
    const int count = libusb_get_string_descriptor_ascii(opened.handle.get(), descriptor.iSerialNumber, text.data(), static_cast<int>(text.size()));
    if (count > 0) opened.info.serial.assign(text.begin(), text.begin() + count);
  }
  // In ROM mode there is no interface to claim yet.
  if (descriptor.idProduct == abi::kProductRun) NARU_CHECK_OK(read_interface(opened));
  if (!options.claim_interface) opened.interface_number = -1;
  if (opened.interface_number >= 0) {
    libusb_set_auto_detach_kernel_driver(opened.handle.get(), 1);
    if (const int code = libusb_claim_interface(opened.handle.get(), opened.interface_number); code != LIBUSB_SUCCESS) {
      Error error = to_error(code, "claiming its interface", opened.info.selector);
      if (code == LIBUSB_ERROR_BUSY) {
        const std::string holder = holder_of(opened.info.scheme == "node" ? opened.info.selector.substr(5) : node_of(device));
        if (!holder.empty()) error = std::move(error).with_value("holder", holder).with_remedy(fmt::format("End {}, or wait until it is done.", holder));
      }
      return fail(std::move(error));
    }
  }
  return LibusbTransport::start(std::move(opened));
}

std::string lines_of(const std::vector<ListedDevice>& devices) {
  std::string text;
  for (const ListedDevice& listed : devices) text += fmt::format("{}{}{}", text.empty() ? "" : ", ", listed.found.selector, listed.found.selector == "usb:" + listed.found.bus_port ? "" : " (" + listed.found.bus_port + ")");
  return text;
}

/// Index of the one device that `text` names.
Result<std::size_t> choose(const std::vector<ListedDevice>& devices, std::string_view text) {
  if (devices.empty()) return fail(ErrorId::kDeviceNotFound, text.empty() ? "No Naru device is on the USB" : fmt::format("No Naru device is on the USB, so none is \"usb:{}\"", text));
  std::vector<std::size_t> matches;
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (text.empty() || devices[i].found.serial == text || devices[i].found.bus_port == text) matches.push_back(i);
  if (matches.size() == 1) return matches[0];
  if (matches.empty()) return fail(ErrorId::kDeviceNotFound, fmt::format("No device has the serial number or port \"{}\"; there are {}", text, lines_of(devices)));
  return fail(Error(ErrorId::kDeviceAmbiguous, fmt::format("{} devices fit \"usb{}{}\": {}", matches.size(), text.empty() ? "" : ":", text, lines_of(devices)))
                  .with_remedy(fmt::format("Choose one with --device or NARU_DEVICE, e.g. {}.", devices[matches[0]].found.selector)));
}

Error dead_node(const std::string& path, std::string_view why) { return Error(ErrorId::kNodeDead, fmt::format("Node {} {}", path, why)); }

/// What open() of a node says when nobody serves it.
Error node_error(const std::string& path, int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR: return dead_node(path, "does not exist").with_remedy(fmt::format("Start one with `naru mock serve --fuse {}`, or correct the path.", path));
    case ENOTCONN:
    case ECONNABORTED:
      return dead_node(path, "is a stale mount: the process that served it died").with_remedy(fmt::format("Start it again with `naru mock serve --fuse {0}`, or remove it with `fusermount3 -u {0}`.", path));
    case ENODEV:
    case ENXIO: return dead_node(path, "has no device: it is unplugged").with_remedy(fmt::format("Plug it in: `naru mock plug {}`.", path));
    case EACCES:
    case EPERM: return Error(ErrorId::kDevicePermission, fmt::format("This user may not open {}", path)).with_remedy("Run as the user who serves the node, or change its rights.");
    case EISDIR: return Error(ErrorId::kSelector, fmt::format("{} is a folder, not a device node", path));
    default: return dead_node(path, fmt::format("cannot be opened: {}", std::strerror(code)));
  }
}

}  // namespace
}  // namespace libusb

Result<std::unique_ptr<Transport>> open_usb_device(std::string_view device, const TransportOptions& options) try {
  libusb::Opened opened;
  NARU_TRY(opened.context, libusb::make_context());
  const std::vector<libusb::ListedDevice> devices = libusb::list(opened.context.get());
  NARU_TRY(const std::size_t index, libusb::choose(devices, device));
  const libusb::ListedDevice& chosen = devices[index];
  opened.info.scheme = "usb";
  opened.info.selector = chosen.found.selector;
  opened.info.serial = chosen.found.serial;
  opened.info.bus_port = chosen.found.bus_port;
  libusb_device_handle* handle = nullptr;
  if (const int code = libusb_open(chosen.device.get(), &handle); code != LIBUSB_SUCCESS) {
    Error error = libusb::to_error(code, "opening it", chosen.found.selector);
    if (code == LIBUSB_ERROR_ACCESS)  // T23, T24: the rule must cover both ids
      error = std::move(error).with_remedy(fmt::format("Add the udev rule SUBSYSTEM==\"usb\", ATTR{{idVendor}}==\"{:04x}\", MODE=\"0666\" and replug, or run as a user who may open {}.", abi::kVendorId, libusb::node_of(chosen.device.get())));
    return fail(std::move(error));
  }
  opened.handle.reset(handle);
  return libusb::finish(std::move(opened), options);
} catch (const std::bad_alloc&) {
  return fail(ErrorId::kHostOutOfMemory, "No memory to open a USB device");
}

Result<std::unique_ptr<Transport>> open_usb_node(const std::string& path, const TransportOptions& options) try {
  UniqueFd descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!descriptor.valid()) return fail(libusb::node_error(path, errno));
  struct stat status{};
  struct statfs system{};
  if (::fstat(descriptor.get(), &status) != 0 || ::fstatfs(descriptor.get(), &system) != 0) return fail(libusb::node_error(path, errno));
  if (!S_ISCHR(status.st_mode) && system.f_type != FUSE_SUPER_MAGIC)
    return fail(libusb::dead_node(path, "is an ordinary file that nobody serves").with_remedy(fmt::format("Start `naru mock serve --fuse {}`.", path)));
  auto transport = open_usb_descriptor(std::move(descriptor), "node:" + path, options);
  if (!transport && transport.error().id() == ErrorId::kDeviceLost) return fail(libusb::dead_node(path, "went away while it was opened"));
  return transport;
} catch (const std::bad_alloc&) {
  return fail(ErrorId::kHostOutOfMemory, "No memory to open a USB node");
}

Result<std::unique_ptr<Transport>> open_usb_descriptor(UniqueFd descriptor, std::string selector, const TransportOptions& options) try {
  libusb::Opened opened;
  NARU_TRY(opened.context, libusb::make_context());
  opened.descriptor = std::move(descriptor);
  opened.info.scheme = "node";
  opened.info.selector = std::move(selector);
  libusb_device_handle* handle = nullptr;
  const int code = libusb_wrap_sys_device(opened.context.get(), opened.descriptor.get(), &handle);
  if (code == LIBUSB_ERROR_NO_DEVICE) return fail(libusb::to_error(code, "opening it", opened.info.selector));
  if (code != LIBUSB_SUCCESS) return fail(ErrorId::kDeviceNotNaru, fmt::format("{} does not answer as a USB device ({})", opened.info.selector, libusb_error_name(code)));
  opened.handle.reset(handle);
  return libusb::finish(std::move(opened), options);
} catch (const std::bad_alloc&) {
  return fail(ErrorId::kHostOutOfMemory, "No memory to open a USB descriptor");
}

}  // namespace naru::driver
