// usbfs' ioctls over umockdev. The client's memory is reached through umockdev_ioctl_data_resolve only (never directly, although it may be
// this process'), so that sanitizers see no foreign thread in it and other processes work the same way.
#include "device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include <fmt/format.h>

namespace naru::mockdev::umockdev {
namespace {

struct Unref {
  void operator()(UMockdevIoctlData* data) const noexcept { g_object_unref(data); }
};
using Data = std::unique_ptr<UMockdevIoctlData, Unref>;


Data resolve(UMockdevIoctlData* data, std::size_t offset, std::size_t bytes) { return Data(umockdev_ioctl_data_resolve(data, offset, bytes, nullptr)); }

/// The client's pointer that the ioctl was called with.
std::uint64_t address_in(UMockdevIoctlData* argument) {
  void* address = nullptr;
  std::memcpy(&address, argument->data, sizeof address);
  return reinterpret_cast<std::uintptr_t>(address);
}

template <typename T>
bool read_argument(UMockdevIoctlData* argument, T& value) {
  const Data data = resolve(argument, 0, sizeof value);
  if (!data) return false;
  std::memcpy(&value, data->data, sizeof value);
  return true;
}

template <typename T>
bool write_argument(UMockdevIoctlData* argument, const T& value) {
  const Data data = resolve(argument, 0, sizeof value);
  if (!data) return false;
  umockdev_ioctl_data_update(data.get(), 0, reinterpret_cast<guint8*>(const_cast<T*>(&value)), sizeof value);
  return true;
}

}  // namespace

struct Device::DeviceUrb final : usb::Urb {
  usb::SpanMemory bytes;
  UMockdevIoctlClient* client = nullptr;  // whose; compared, never followed
  std::uint64_t address = 0;
  std::uint64_t charged = 0;
  Data record, buffer;
};

Device::Device(Gate& gate, std::shared_ptr<usb::Function> function, const UmockdevPlug& options, unsigned number, const Clock& wall)
    : gate_(gate),
      function_(std::move(function)),
      options_(options),
      number_(number),
      controller_(*function_),
      pacer_(controller_, options.pacing, wall),
      node_(fmt::format("/dev/bus/usb/001/{:03}", number)),
      system_path_(fmt::format("/sys/devices/usb1/1-{}", options.port)),
      memory_(options.memory_bytes_max) {
  controller_.plug();
}

Device::~Device() {
  if (base_ != nullptr) g_object_unref(base_);
}

std::string Device::description_text() const {
  std::string hex;
  for (const std::uint8_t byte : usbfs::node_bytes(function_->description())) hex += fmt::format("{:02X}", byte);
  // No N: line: the node is a FIFO that attach() makes, so that poll() on it tells the truth (a regular file is always ready).
  const usb::DeviceDescription& description = function_->description();
  return fmt::format("P: /devices/usb1/1-{0}\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: BUSNUM=001\nE: DEVNUM={1:03}\nE: DEVNAME={2}\nE: DEVTYPE=usb_device\n"
                     "A: bConfigurationValue=1\\n\nA: busnum=1\\n\nA: devnum={1}\\n\nA: speed={3}\\n\nA: serial={4}\\n\nH: descriptors={5}\n",
                     options_.port, number_, node_, description.speed == usb::Speed::kSuper ? 5000 : 480, description.serial, hex);
}

Result<void> Device::attach(UMockdevTestbed* testbed, const std::string& root) {
  testbed_ = testbed;
  real_node_ = root + node_;
  g_mkdir_with_parents(real_node_.substr(0, real_node_.rfind('/')).c_str(), 0755);
  ::unlink(real_node_.c_str());
  if (::mkfifo(real_node_.c_str(), 0666) != 0) return fail(ErrorId::kFileUnwritable, fmt::format("The node {} cannot be made: {}", real_node_, std::strerror(errno)));
  fifo_.reset(::open(real_node_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fifo_.valid() || ::fcntl(fifo_.get(), F_SETPIPE_SZ, 4096) < 0)
    return fail(ErrorId::kFileUnwritable, fmt::format("The node {} cannot be opened: {}", real_node_, std::strerror(errno)));
  set_ready(false);
  base_ = umockdev_ioctl_base_new();
  g_signal_connect(base_, "handle-ioctl", G_CALLBACK(&Device::on_ioctl), this);
  g_signal_connect(base_, "client-vanished", G_CALLBACK(&Device::on_vanished), this);
  GError* error = nullptr;
  if (umockdev_testbed_attach_ioctl(testbed_, node_.c_str(), base_, &error) == FALSE || umockdev_testbed_add_from_string(testbed_, description_text().c_str(), &error) == FALSE) {
    const std::string why = error != nullptr ? error->message : "unknown";
    g_clear_error(&error);
    return fail(ErrorId::kInternal, fmt::format("umockdev refuses the device: {}", why));
  }
  return {};
}

void Device::end_urbs() {
  controller_.unplug();
  deliver();
  set_ready(true);
}

void Device::detach() {
  umockdev_testbed_detach_ioctl(testbed_, node_.c_str(), nullptr);
  umockdev_testbed_uevent(testbed_, system_path_.c_str(), "remove");
  umockdev_testbed_remove_device(testbed_, system_path_.c_str());
  ::unlink(real_node_.c_str());
}

Duration Device::run() {
  const Duration sleep = pacer_.run();
  deliver();
  return sleep;
}

/// A byte in the one-slot FIFO means that a write would block: not ready.
void Device::set_ready(bool ready) {
  if (ready == ready_ || !fifo_.valid()) return;
  char byte = 0;
  if ((ready ? ::read(fifo_.get(), &byte, 1) : ::write(fifo_.get(), &byte, 1)) == 1) ready_ = ready;
}

void Device::deliver() {
  while (usb::Urb* urb = controller_.reap()) done_.push_back(static_cast<DeviceUrb*>(urb));
  if (!done_.empty()) set_ready(true);
}

gboolean Device::on_ioctl(UMockdevIoctlBase*, UMockdevIoctlClient* client, gpointer self) noexcept {
  static_cast<Device*>(self)->handle(client, static_cast<unsigned>(umockdev_ioctl_client_get_request(client)));
  return TRUE;
}

void Device::on_vanished(UMockdevIoctlBase*, UMockdevIoctlClient* client, gpointer self) noexcept {
  Device& device = *static_cast<Device*>(self);
  const std::lock_guard lock(device.gate_);
  if (device.owner_ != client) return;
  device.start_clean(client);
  device.owner_ = nullptr;
}

/// Drops what a client left behind, in the device too, as the FUSE host does.
void Device::start_clean(UMockdevIoctlClient* leaver) {
  if (controller_.plugged()) controller_.bus_reset();
  deliver();
  std::erase_if(done_, [&](const DeviceUrb* urb) { return urb->client == leaver; });
  std::erase_if(urbs_, [&](const auto& urb) {
    if (urb->client == leaver) memory_.give_back(urb->charged);
    return urb->client == leaver;
  });
}

/// False: another client has the interface.
bool Device::take_interface(UMockdevIoctlClient* client) {
  if (owner_ == nullptr) owner_ = client;
  return owner_ == client;
}

void Device::handle(UMockdevIoctlClient* client, unsigned request) {
  UMockdevIoctlData* argument = umockdev_ioctl_client_get_arg(client);  // the client's own
  if (request == static_cast<unsigned>(USBDEVFS_REAPURB) || request == static_cast<unsigned>(USBDEVFS_REAPURBNDELAY)) {
    reap(client, argument);
    return;
  }
  const int result = simple(client, request, argument);
  umockdev_ioctl_client_complete(client, result < 0 ? -1 : result, result < 0 ? -result : 0);
}

/// Negative errno, or the ioctl's value.
int Device::simple(UMockdevIoctlClient* client, unsigned request, UMockdevIoctlData* argument) {
  if (request == static_cast<unsigned>(USBDEVFS_SUBMITURB)) return submit(client, argument);
  if (request == static_cast<unsigned>(USBDEVFS_GET_CAPABILITIES))
    return write_argument(argument, options_.scatter_gather ? usbfs::kCapabilities : usbfs::kCapabilitiesNoScatterGather) ? 0 : -EFAULT;
  if (request == static_cast<unsigned>(USBDEVFS_DISCARDURB)) return discard(address_in(argument));
  if (request == static_cast<unsigned>(USBDEVFS_GETDRIVER) || request == static_cast<unsigned>(USBDEVFS_IOCTL)) return -ENODATA;  // no kernel driver

  unsigned number = 0;
  // What begins with an interface's, an endpoint's or a configuration's number.
  const bool takes_number = request == static_cast<unsigned>(USBDEVFS_DISCONNECT_CLAIM) || request == static_cast<unsigned>(USBDEVFS_CLAIMINTERFACE) || request == static_cast<unsigned>(USBDEVFS_RELEASEINTERFACE) ||
                            request == static_cast<unsigned>(USBDEVFS_CLEAR_HALT) || request == static_cast<unsigned>(USBDEVFS_SETCONFIGURATION) ||
                            request == static_cast<unsigned>(USBDEVFS_SETINTERFACE);
  if (takes_number && !read_argument(argument, number)) return -EFAULT;
  const std::lock_guard lock(gate_);
  if (!controller_.plugged()) return -ENODEV;
  switch (request) {
    case static_cast<unsigned>(USBDEVFS_DISCONNECT_CLAIM):
    case static_cast<unsigned>(USBDEVFS_CLAIMINTERFACE):
      if (number != 0) return -ENOENT;
      return take_interface(client) ? 0 : -EBUSY;
    case static_cast<unsigned>(USBDEVFS_RELEASEINTERFACE):
      if (number != 0 || owner_ != client) return -EINVAL;
      start_clean(client);  // now: when umockdev says that a client is gone, the next one may be at work
      owner_ = nullptr;
      return 0;
    case static_cast<unsigned>(USBDEVFS_SETINTERFACE): return number == 0 ? 0 : -EINVAL;
    case static_cast<unsigned>(USBDEVFS_SETCONFIGURATION): return controller_.set_configuration(static_cast<std::uint8_t>(number)) ? 0 : -EINVAL;
    case static_cast<unsigned>(USBDEVFS_CLEAR_HALT): return controller_.clear_halt(static_cast<std::uint8_t>(number)) ? 0 : -ENOENT;
    case static_cast<unsigned>(USBDEVFS_RESET):
      controller_.bus_reset();
      deliver();
      return 0;
    default: return -ENOTTY;
  }
}

int Device::submit(UMockdevIoctlClient* client, UMockdevIoctlData* argument) {
  auto urb = std::make_unique<DeviceUrb>();
  urb->address = address_in(argument);  // before resolve(), which puts its own there
  urb->record = resolve(argument, 0, sizeof(usbdevfs_urb));
  if (!urb->record) return -EFAULT;
  usbdevfs_urb record{};
  std::memcpy(&record, urb->record->data, sizeof record);
  if (record.buffer_length > 0) urb->buffer = resolve(urb->record.get(), offsetof(usbdevfs_urb, buffer), static_cast<std::size_t>(record.buffer_length));
  if (record.buffer_length > 0 && !urb->buffer) return -EFAULT;
  std::uint8_t setup[usbfs::kSetupBytes] = {};
  if (record.type == USBDEVFS_URB_TYPE_CONTROL && record.buffer_length >= static_cast<int>(sizeof setup)) std::memcpy(setup, urb->buffer->data, sizeof setup);
  const int header = usbfs::translate(record, setup, *urb);
  if (header < 0) return -EINVAL;
  urb->bytes = usb::SpanMemory(urb->buffer ? std::span(reinterpret_cast<std::byte*>(urb->buffer->data) + header, urb->length) : std::span<std::byte>{});
  urb->memory = &urb->bytes;
  urb->client = client;

  const std::lock_guard lock(gate_);
  if (!controller_.plugged()) return -ENODEV;
  if (urb->endpoint != 0 && !take_interface(client)) return -EBUSY;  // usbfs, too, claims for programs that forgot to
  if (record.type == USBDEVFS_URB_TYPE_BULK && (record.endpoint & 0x80) != 0 && ++bulk_in_count_ == options_.refused_bulk_in) return -EIO;
  const std::optional<std::uint64_t> charged = memory_.take(record);
  if (!charged) return -ENOMEM;
  urb->charged = *charged;
  controller_.submit(*urb);
  urbs_.push_back(std::move(urb));
  // What can be answered now is, on this thread; the worker does the rest.
  if (run() != kForever) gate_.ring();
  return 0;
}

int Device::discard(std::uint64_t address) {
  const std::lock_guard lock(gate_);
  for (const auto& urb : urbs_)
    if (urb->address == address && controller_.cancel(*urb)) {
      deliver();
      return 0;
    }
  return controller_.plugged() ? -EINVAL : -ENODEV;
}

void Device::reap(UMockdevIoctlClient* client, UMockdevIoctlData* argument) {
  std::unique_ptr<DeviceUrb> urb;
  bool plugged = true;
  {
    const std::lock_guard lock(gate_);
    plugged = controller_.plugged();
    const auto first = std::find_if(done_.begin(), done_.end(), [&](const DeviceUrb* other) { return other->client == client; });
    if (first != done_.end()) {
      const auto own = std::find_if(urbs_.begin(), urbs_.end(), [&](const auto& other) { return other.get() == *first; });
      urb = std::move(*own);
      urbs_.erase(own);
      done_.erase(first);
      memory_.give_back(urb->charged);
    }
    if (done_.empty() && plugged) set_ready(false);
  }
  if (!urb) {
    umockdev_ioctl_client_complete(client, -1, plugged ? EAGAIN : ENODEV);
    return;
  }
  int status = usbfs::status_of(urb->status);
  int actual = static_cast<int>(urb->actual);
  umockdev_ioctl_data_update(urb->record.get(), offsetof(usbdevfs_urb, status), reinterpret_cast<guint8*>(&status), sizeof status);
  umockdev_ioctl_data_update(urb->record.get(), offsetof(usbdevfs_urb, actual_length), reinterpret_cast<guint8*>(&actual), sizeof actual);
  const Data pointer = resolve(argument, 0, sizeof(void*));
  if (pointer) umockdev_ioctl_data_set_ptr(pointer.get(), 0, urb->record.get());
  umockdev_ioctl_client_complete(client, pointer ? 0 : -1, pointer ? 0 : EFAULT);
}

}  // namespace naru::mockdev::umockdev
