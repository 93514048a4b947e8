// Enumeration: Naru devices on the bus, what may be known about them without claiming them, and who holds them.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <tuple>

#include <fmt/format.h>

#include "naru/abi/wire.h"
#include "naru/base/log.h"
#include "naru/base/unique_fd.h"
#include "naru/driver/transport_libusb.h"
#include "transport/libusb/context.h"

namespace naru::driver::libusb {
namespace {

/// First line of a short file; empty when it cannot be read.
std::string first_line(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  const ssize_t count = file.valid() ? ::read(file.get(), text.data(), text.size()) : 0;
  std::string line(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  return line.substr(0, line.find('\n'));
}

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

bool has_open(const std::string& descriptors, const std::string& node) {
  const Folder folder(::opendir(descriptors.c_str()));
  if (!folder) return false;
  while (const dirent* entry = ::readdir(folder.get())) {
    std::array<char, PATH_MAX> target{};
    const ssize_t count = ::readlink(fmt::format("{}/{}", descriptors, entry->d_name).c_str(), target.data(), target.size());
    if (count > 0 && std::string_view(target.data(), static_cast<std::size_t>(count)) == node) return true;
  }
  return false;
}

/// The serial number, from sysfs, which needs no rights, or from the device.
std::string serial_of(libusb_device_handle* handle, const libusb_device_descriptor& descriptor, const std::string& bus_port) {
  std::string serial = first_line(fmt::format("/sys/bus/usb/devices/{}/serial", bus_port));
  if (serial.empty() && handle != nullptr && descriptor.iSerialNumber != 0) {
    std::array<unsigned char, 256> text{};
    const int count = libusb_get_string_descriptor_ascii(handle, descriptor.iSerialNumber, text.data(), static_cast<int>(text.size()));
    if (count > 0) serial.assign(text.begin(), text.begin() + count);
  }
  return serial;
}

}  // namespace

std::string bus_port_of(libusb_device* device) {
  std::array<std::uint8_t, 7> ports{};
  const int count = libusb_get_port_numbers(device, ports.data(), static_cast<int>(ports.size()));
  if (count <= 0) return {};
  std::string text = fmt::format("{}-{}", libusb_get_bus_number(device), ports[0]);
  for (int i = 1; i < count; ++i) text += fmt::format(".{}", ports[static_cast<std::size_t>(i)]);
  return text;
}

std::string node_of(libusb_device* device) { return fmt::format("/dev/bus/usb/{:03}/{:03}", libusb_get_bus_number(device), libusb_get_device_address(device)); }

std::string holder_of(const std::string& node) {
  const Folder processes(::opendir("/proc"));
  if (!processes) return {};
  while (const dirent* entry = ::readdir(processes.get())) {
    const std::string_view name = entry->d_name;
    int pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size() || pid == ::getpid()) continue;
    if (has_open(fmt::format("/proc/{}/fd", pid), node)) return fmt::format("{} (pid {})", first_line(fmt::format("/proc/{}/comm", pid)), pid);
  }
  return {};
}

std::vector<ListedDevice> list(libusb_context* context) {
  std::vector<ListedDevice> devices;
  libusb_device** references = nullptr;
  const ssize_t count = libusb_get_device_list(context, &references);
  for (ssize_t i = 0; i < count; ++i) {
    libusb_device* device = references[i];
    libusb_device_descriptor descriptor{};
    if (libusb_get_device_descriptor(device, &descriptor) != LIBUSB_SUCCESS || descriptor.idVendor != abi::kVendorId) continue;
    if (descriptor.idProduct != abi::kProductRom && descriptor.idProduct != abi::kProductRun) continue;
    ListedDevice listed{.device = DeviceReference(libusb_ref_device(device)), .found = {}};
    DeviceFound& found = listed.found;
    found.bus_port = bus_port_of(device);
    found.product_id = descriptor.idProduct;
    found.rom_mode = descriptor.idProduct == abi::kProductRom;
    found.speed = libusb_get_device_speed(device) >= LIBUSB_SPEED_SUPER ? usb::Speed::kSuper : usb::Speed::kHigh;
    libusb_device_handle* opened = nullptr;
    if (libusb_open(device, &opened) == LIBUSB_ERROR_ACCESS) found.access = DeviceAccess::kNoAccess;
    const Handle handle(opened);
    found.serial = serial_of(opened, descriptor, found.bus_port);
    found.held_by = holder_of(node_of(device));
    if (found.access == DeviceAccess::kReady && !found.held_by.empty()) found.access = DeviceAccess::kBusy;
    devices.push_back(std::move(listed));
  }
  if (count >= 0) libusb_free_device_list(references, 1);

  std::sort(devices.begin(), devices.end(), [](const ListedDevice& a, const ListedDevice& b) {
    const int bus_a = libusb_get_bus_number(a.device.get()), bus_b = libusb_get_bus_number(b.device.get());
    return std::tie(bus_a, a.found.bus_port) < std::tie(bus_b, b.found.bus_port);
  });
  for (ListedDevice& listed : devices) {
    const auto same = std::count_if(devices.begin(), devices.end(), [&](const ListedDevice& other) { return other.found.serial == listed.found.serial; });
    listed.found.selector = "usb:" + (same == 1 && !listed.found.serial.empty() ? listed.found.serial : listed.found.bus_port);
  }
  return devices;
}

}  // namespace naru::driver::libusb

namespace naru::driver {

Result<std::vector<DeviceFound>> list_usb_devices() try {
  const auto context = libusb::make_context();
  if (!context) {
    log(LogLevel::kInfo, "usb", "no USB here: {}", context.error().message());
    return std::vector<DeviceFound>{};
  }
  std::vector<DeviceFound> found;
  for (libusb::ListedDevice& listed : libusb::list(context->get())) found.push_back(std::move(listed.found));
  return found;
} catch (const std::bad_alloc&) {
  return fail(ErrorId::kHostOutOfMemory, "No memory for the list of USB devices");
}

}  // namespace naru::driver
