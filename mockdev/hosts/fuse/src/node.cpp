// usbfs' ioctls over FUSE. FUSE hands a regular file's ioctl on with its raw argument and the caller's thread; usbfs numbers its requests
// against FUSE's idea of direction, so everything but GET_CAPABILITIES goes through process_vm_readv and process_vm_writev.
#include "node.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>


namespace naru::mockdev::fuse {
namespace {

constexpr double kAttributeSeconds = 3600;
constexpr fuse_ino_t kRoot = FUSE_ROOT_ID;

/// The process of a thread; a thread may end before its urbs do. System calls, not libc's open(): where client and server are one process
/// with umockdev's preload, that one waits for a lock which the client's open() of this very node holds.
pid_t process_of(pid_t thread) noexcept {
  std::array<char, 64> path{};
  std::array<char, 1024> text{};
  std::snprintf(path.data(), path.size(), "/proc/%d/status", thread);
  const long file = ::syscall(SYS_openat, AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return thread;
  const long count = ::syscall(SYS_read, file, text.data(), text.size() - 1);
  ::syscall(SYS_close, file);
  const char* field = count > 0 ? std::strstr(text.data(), "Tgid:") : nullptr;
  pid_t process = thread;
  return field != nullptr && std::sscanf(field, "Tgid: %d", &process) == 1 ? process : thread;
}

void* remote(std::uint64_t address) noexcept { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

bool read_from(pid_t process, std::uint64_t address, void* target, std::size_t bytes) noexcept {
  const iovec here{target, bytes}, there{remote(address), bytes};
  return ::process_vm_readv(process, &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes);
}

bool write_to(pid_t process, std::uint64_t address, const void* source, std::size_t bytes) noexcept {
  const iovec here{const_cast<void*>(source), bytes}, there{remote(address), bytes};
  return ::process_vm_writev(process, &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes);
}

void fill_attributes(std::size_t bytes, struct stat& status) noexcept {
  status = {};
  status.st_ino = kRoot;
  status.st_mode = S_IFREG | (::geteuid() == 0 ? 0666 : 0600);
  status.st_nlink = 1;
  status.st_uid = ::geteuid();
  status.st_gid = ::getegid();
  status.st_size = static_cast<off_t>(bytes);
}

}  // namespace

struct Node::ClientUrb final : usb::Urb, usb::UrbMemory {
  enum class State : std::uint8_t { kFree, kActive, kDone };

  [[nodiscard]] bool read(std::size_t offset, std::span<std::byte> target) noexcept override { return read_from(process, buffer + offset, target.data(), target.size()); }
  [[nodiscard]] bool write(std::size_t offset, std::span<const std::byte> source) noexcept override { return write_to(process, buffer + offset, source.data(), source.size()); }

  Client* client = nullptr;  // null: of a synchronous request
  State state = State::kFree;
  pid_t process = 0;
  std::uint64_t record = 0;  // the client's usbdevfs_urb
  std::uint64_t buffer = 0;  // its data, after the setup packet
  std::uint64_t charged = 0;
  ClientUrb* next_done = nullptr;
};

/// One open of the node.
struct Node::Client {
  std::vector<std::unique_ptr<ClientUrb>> urbs;
  ClientUrb* first_done = nullptr;
  ClientUrb* last_done = nullptr;
  fuse_pollhandle* poller = nullptr;
  bool gone = false;       // its device was unplugged
  bool to_notify = false;
  pid_t process = 0;       // who calls now
  struct Caller {
    pid_t thread = 0, process = 0;
  };
  std::array<Caller, 4> callers{};  // that are known: a client submits on one thread and reaps on another
  std::size_t next_caller = 0;

  void set_caller(pid_t thread) noexcept {
    const auto known = std::find_if(callers.begin(), callers.end(), [&](const Caller& caller) { return caller.thread == thread; });
    Caller& caller = known != callers.end() ? *known : callers[next_caller++ % callers.size()];
    if (known == callers.end()) caller = {.thread = thread, .process = process_of(thread)};
    process = caller.process;
  }
};

Node::Node(std::uint64_t memory_bytes_max) : memory_(memory_bytes_max) {}

Node::~Node() {
  for (const auto& client : clients_)
    if (client->poller != nullptr) fuse_pollhandle_destroy(client->poller);
}

void Node::plug(usb::HostController& controller, Pacer& pacer) {
  controller_ = &controller;
  pacer_ = &pacer;
  bytes_ = usbfs::node_bytes(controller.description());
}

void Node::unplug() {
  if (controller_ == nullptr) return;
  controller_->unplug();
  for (const auto& client : clients_) client->gone = client->to_notify = true;
  deliver();
  controller_ = nullptr;
  pacer_ = nullptr;
  owner_ = nullptr;
}

void Node::deliver() noexcept {
  if (controller_ == nullptr) return;
  while (usb::Urb* urb = controller_->reap()) {
    auto& done = static_cast<ClientUrb&>(*urb);
    if (done.client == nullptr) continue;
    Client& client = *done.client;
    done.state = ClientUrb::State::kDone;
    done.next_done = nullptr;
    (client.last_done != nullptr ? client.last_done->next_done : client.first_done) = &done;
    client.last_done = &done;
    client.to_notify = true;
  }
  for (const auto& client : clients_)
    if (client->to_notify) notify(*client);
}

void Node::notify(Client& client) noexcept {
  client.to_notify = false;
  if (client.poller == nullptr) return;
  fuse_lowlevel_notify_poll(client.poller);
  fuse_pollhandle_destroy(client.poller);
  client.poller = nullptr;
}

/// Claims it, too, as usbfs does for programs that forgot to.
bool Node::take_interface(Client& client) noexcept {
  if (owner_ == nullptr) owner_ = &client;
  return owner_ == &client;
}

/// The last close of an open node, by its client or by the kernel when the client died.
void Node::release(Client& client) noexcept {
  has_work_ = true;
  if (!client.gone && controller_ != nullptr) {
    for (const auto& urb : client.urbs)
      if (urb->state == ClientUrb::State::kActive) controller_->cancel(*urb);
    deliver();
    // Half a message may be in the device, or half an answer: the next client starts clean.
    if (owner_ == &client) controller_->bus_reset();
    deliver();
  }
  if (owner_ == &client) owner_ = nullptr;
  if (client.poller != nullptr) fuse_pollhandle_destroy(client.poller);
  for (const auto& urb : client.urbs) memory_.give_back(urb->charged);
  std::erase_if(clients_, [&](const std::unique_ptr<Client>& other) { return other.get() == &client; });
}

Node::ClientUrb* Node::take_urb(Client& client) noexcept try {
  for (const auto& urb : client.urbs)
    if (urb->state == ClientUrb::State::kFree) return urb.get();
  client.urbs.push_back(std::make_unique<ClientUrb>());
  return client.urbs.back().get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

int Node::submit(Client& client, std::uint64_t address) noexcept {
  if (client.gone) return -ENODEV;
  usbdevfs_urb record{};
  std::uint8_t setup[usbfs::kSetupBytes] = {};
  if (!read_from(client.process, address, &record, sizeof record)) return -EFAULT;
  const auto buffer = reinterpret_cast<std::uintptr_t>(record.buffer);
  if (record.type == USBDEVFS_URB_TYPE_CONTROL && !read_from(client.process, buffer, setup, sizeof setup)) return -EFAULT;
  ClientUrb* urb = take_urb(client);
  if (urb == nullptr) return -ENOMEM;
  static_cast<usb::Urb&>(*urb) = usb::Urb{};
  const int header = usbfs::translate(record, setup, *urb);
  if (header < 0) return -EINVAL;
  if (urb->endpoint != 0 && !take_interface(client)) return -EBUSY;
  const std::optional<std::uint64_t> charged = memory_.take(record);
  if (!charged) return -ENOMEM;
  urb->memory = urb;
  urb->client = &client;
  urb->charged = *charged;
  urb->state = ClientUrb::State::kActive;
  urb->process = client.process;
  urb->record = address;
  urb->buffer = buffer + static_cast<unsigned>(header);
  controller_->submit(*urb);
  pacer_->move();
  return 0;
}

int Node::discard(Client& client, std::uint64_t address) noexcept {
  if (client.gone) return -ENODEV;
  for (const auto& urb : client.urbs)
    if (urb->state == ClientUrb::State::kActive && urb->record == address) return controller_->cancel(*urb) ? 0 : -EINVAL;
  return -EINVAL;
}

int Node::reap(Client& client, std::uint64_t result_address) noexcept {
  ClientUrb* urb = client.first_done;
  if (urb == nullptr) return client.gone ? -ENODEV : -EAGAIN;
  client.first_done = urb->next_done;
  if (client.first_done == nullptr) client.last_done = nullptr;
  urb->state = ClientUrb::State::kFree;
  memory_.give_back(std::exchange(urb->charged, 0));
  int status = usbfs::status_of(urb->status);
  int actual = static_cast<int>(urb->actual);
  std::uint64_t record = urb->record;
  const std::array<iovec, 3> here = {{{&status, sizeof status}, {&actual, sizeof actual}, {&record, sizeof(void*)}}};
  const std::array<iovec, 3> there = {{{remote(record + offsetof(usbdevfs_urb, status)), sizeof status},
                                       {remote(record + offsetof(usbdevfs_urb, actual_length)), sizeof actual},
                                       {remote(result_address), sizeof(void*)}}};
  const auto bytes = static_cast<ssize_t>(sizeof status + sizeof actual + sizeof(void*));
  return ::process_vm_writev(client.process, here.data(), here.size(), there.data(), there.size(), 0) == bytes ? 0 : -EFAULT;
}

int Node::control(Client& client, std::uint64_t address) noexcept {
  usbdevfs_ctrltransfer transfer{};
  if (!read_from(client.process, address, &transfer, sizeof transfer)) return -EFAULT;
  ClientUrb urb;
  urb.process = client.process;
  urb.buffer = reinterpret_cast<std::uintptr_t>(transfer.data);
  urb.memory = &urb;
  urb.setup = {.request_type = transfer.bRequestType, .request = transfer.bRequest, .value = transfer.wValue, .index = transfer.wIndex, .length = transfer.wLength};
  urb.length = transfer.wLength;
  controller_->submit(urb);
  controller_->pump();
  // The record is this call's own: an answer that does not come at once does not come.
  if (urb.status == usb::UrbStatus::kPending) controller_->cancel(urb);
  deliver();
  return urb.status == usb::UrbStatus::kOk ? static_cast<int>(urb.actual) : usbfs::status_of(urb.status);
}

int Node::claim(Client& client, unsigned interface) noexcept {
  if (interface != 0) return -ENOENT;
  return take_interface(client) ? 0 : -EBUSY;
}

int Node::release_interface(Client& client, unsigned interface) noexcept {
  if (interface != 0 || owner_ != &client) return -EINVAL;
  // Now, and not at the close, which comes whenever the kernel says so: the next client starts clean.
  controller_->bus_reset();
  deliver();
  owner_ = nullptr;
  return 0;
}

int Node::driver_of(Client& client, std::uint64_t address) noexcept {
  if (owner_ == nullptr) return -ENODATA;
  usbdevfs_getdriver driver{};
  std::strncpy(driver.driver, "usbfs", sizeof driver.driver - 1);
  return write_to(client.process, address, &driver, sizeof driver) ? 0 : -EFAULT;
}

int Node::ioctl(Client& client, unsigned command, std::uint64_t argument) noexcept {
  if (command == static_cast<unsigned>(USBDEVFS_REAPURB) || command == static_cast<unsigned>(USBDEVFS_REAPURBNDELAY)) return reap(client, argument);
  has_work_ = true;
  if (client.gone || controller_ == nullptr) return -ENODEV;
  unsigned number = 0;
  switch (command) {
    case static_cast<unsigned>(USBDEVFS_SUBMITURB): return submit(client, argument);
    case static_cast<unsigned>(USBDEVFS_DISCARDURB): return discard(client, argument);
    case static_cast<unsigned>(USBDEVFS_CONTROL): return control(client, argument);
    case static_cast<unsigned>(USBDEVFS_GET_SPEED): return usbfs::speed_of(controller_->description());
    case static_cast<unsigned>(USBDEVFS_RESET): controller_->bus_reset(); return 0;
    case static_cast<unsigned>(USBDEVFS_GETDRIVER): return driver_of(client, argument);
    case static_cast<unsigned>(USBDEVFS_CONNECTINFO): {
      const usbdevfs_connectinfo information{.devnum = 1, .slow = 0};
      return write_to(client.process, argument, &information, sizeof information) ? 0 : -EFAULT;
    }
    case static_cast<unsigned>(USBDEVFS_SETINTERFACE): {
      usbdevfs_setinterface setting{};
      if (!read_from(client.process, argument, &setting, sizeof setting)) return -EFAULT;
      if (setting.interface != 0 || setting.altsetting != 0) return -EINVAL;
      return take_interface(client) ? 0 : -EBUSY;
    }
    case static_cast<unsigned>(USBDEVFS_CLAIMINTERFACE):
    case static_cast<unsigned>(USBDEVFS_RELEASEINTERFACE):
    case static_cast<unsigned>(USBDEVFS_DISCONNECT_CLAIM):  // begins with the interface; there is never a kernel driver to disconnect
    case static_cast<unsigned>(USBDEVFS_SETCONFIGURATION):
    case static_cast<unsigned>(USBDEVFS_CLEAR_HALT):
    case static_cast<unsigned>(USBDEVFS_RESETEP): break;
    case static_cast<unsigned>(USBDEVFS_IOCTL): return -ENODATA;  // DISCONNECT and CONNECT: no kernel driver
    default: return -ENOTTY;
  }
  if (!read_from(client.process, argument, &number, sizeof number)) return -EFAULT;
  switch (command) {
    case static_cast<unsigned>(USBDEVFS_CLAIMINTERFACE):
    case static_cast<unsigned>(USBDEVFS_DISCONNECT_CLAIM): return claim(client, number);
    case static_cast<unsigned>(USBDEVFS_RELEASEINTERFACE): return release_interface(client, number);
    case static_cast<unsigned>(USBDEVFS_SETCONFIGURATION):
      if (owner_ != nullptr) return -EBUSY;
      return controller_->set_configuration(static_cast<std::uint8_t>(number)) ? 0 : -EINVAL;
    default:  // CLEAR_HALT, RESETEP
      if (!take_interface(client)) return -EBUSY;
      return controller_->clear_halt(static_cast<std::uint8_t>(number)) ? 0 : -ENOENT;
  }
}

struct Node::Requests {
  static Node& node(fuse_req_t request) noexcept { return *static_cast<Node*>(fuse_req_userdata(request)); }
  static Client& client(fuse_file_info* file) noexcept { return *reinterpret_cast<Client*>(static_cast<std::uintptr_t>(file->fh)); }

  static void get_attributes(fuse_req_t request, fuse_ino_t, fuse_file_info*) noexcept {
    struct stat status{};
    fill_attributes(node(request).bytes_.size(), status);
    fuse_reply_attr(request, &status, kAttributeSeconds);
  }

  /// A shell's `> node` truncates; nothing here changes.
  static void set_attributes(fuse_req_t request, fuse_ino_t inode, struct stat*, int, fuse_file_info* file) noexcept { get_attributes(request, inode, file); }

  static void open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) noexcept try {
    Node& self = node(request);
    if (self.controller_ == nullptr) {
      fuse_reply_err(request, ENODEV);
      return;
    }
    auto opened = std::make_unique<Client>();
    Client* client = opened.get();
    self.clients_.push_back(std::move(opened));
    file->fh = reinterpret_cast<std::uintptr_t>(client);
    file->direct_io = 1;
    if (fuse_reply_open(request, file) == -ENOENT) self.release(*client);  // interrupted: there will be no release
  } catch (const std::bad_alloc&) {
    fuse_reply_err(request, ENOMEM);
  }

  static void close(fuse_req_t request, fuse_ino_t, fuse_file_info* file) noexcept {
    node(request).release(client(file));
    fuse_reply_err(request, 0);
  }

  static void read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info*) noexcept {
    const std::vector<std::uint8_t>& bytes = node(request).bytes_;
    const std::size_t start = std::min<std::size_t>(static_cast<std::size_t>(std::max<off_t>(offset, 0)), bytes.size());
    fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()) + start, std::min(size, bytes.size() - start));
  }

  static void ioctl(fuse_req_t request, fuse_ino_t, unsigned command, void* argument, fuse_file_info* file, unsigned flags, const void*, std::size_t, std::size_t) noexcept {
    if ((flags & FUSE_IOCTL_COMPAT) != 0) {
      fuse_reply_err(request, ENOTTY);
      return;
    }
    if (command == static_cast<unsigned>(USBDEVFS_GET_CAPABILITIES)) {
      fuse_reply_ioctl(request, 0, &usbfs::kCapabilities, sizeof usbfs::kCapabilities);
      return;
    }
    Client& caller = client(file);
    caller.set_caller(fuse_req_ctx(request)->pid);
    const int result = node(request).ioctl(caller, command, reinterpret_cast<std::uintptr_t>(argument));
    if (result < 0)
      fuse_reply_err(request, -result);
    else
      fuse_reply_ioctl(request, result, nullptr, 0);
  }

  static void poll(fuse_req_t request, fuse_ino_t, fuse_file_info* file, fuse_pollhandle* poller) noexcept {
    Client& caller = client(file);
    if (poller != nullptr) {
      if (caller.poller != nullptr) fuse_pollhandle_destroy(caller.poller);
      caller.poller = poller;
    }
    fuse_reply_poll(request, caller.gone ? POLLERR | POLLHUP | POLLOUT : caller.first_done != nullptr ? POLLOUT : 0);
  }
};

fuse_lowlevel_ops Node::operations() noexcept {
  fuse_lowlevel_ops operations{};
  operations.getattr = &Requests::get_attributes;
  operations.setattr = &Requests::set_attributes;
  operations.open = &Requests::open;
  operations.release = &Requests::close;
  operations.read = &Requests::read;
  operations.ioctl = &Requests::ioctl;
  operations.poll = &Requests::poll;
  return operations;
}

}  // namespace naru::mockdev::fuse
