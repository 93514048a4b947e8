// libusb_wrap_sys_device, a claimed interface, asynchronous transfers, one event loop: nothing else.
#include "bare_libusb.h"

#include <fcntl.h>
#include <unistd.h>

#include <libusb.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "naru/base/hash.h"

namespace naru::bench {
namespace {

constexpr unsigned kTimeoutMilliseconds = 10'000;
constexpr std::uint8_t kPipeModeRequest = 0x13;
constexpr std::uint16_t kPipeChecksums = 0x8000;
constexpr std::size_t kPingBytes = 64;
constexpr std::size_t kPacketBytes = 1024;

void check(int code, const char* doing) {
  if (code < 0) throw std::runtime_error(std::string("bare libusb: ") + doing + ": " + libusb_error_name(code));
}

}  // namespace

struct BareLibusb::State {
  int descriptor = -1;
  libusb_context* context = nullptr;
  libusb_device_handle* handle = nullptr;
  std::uint8_t out = 0, in = 0;
  std::size_t flying = 0, left = 0;  // transfers in flight; bytes that are not asked for yet
  bool failed = false, checksums = false;
  std::uint32_t crc = 0;
  std::span<std::byte> ring;                        // stream's memory
  std::size_t next = 0;                             // where the next transfer's part of it begins
  std::vector<std::vector<unsigned char>> buffers;  // ping's
  std::vector<libusb_transfer*> transfers;

  void find_endpoints() {
    libusb_config_descriptor* configuration = nullptr;
    check(libusb_get_active_config_descriptor(libusb_get_device(handle), &configuration), "reading the configuration");
    const libusb_interface_descriptor& interface = configuration->interface[0].altsetting[0];
    for (int i = 0; i < interface.bNumEndpoints; ++i) {
      const libusb_endpoint_descriptor& endpoint = interface.endpoint[i];
      if ((endpoint.bmAttributes & 3) != LIBUSB_TRANSFER_TYPE_BULK) continue;
      ((endpoint.bEndpointAddress & LIBUSB_ENDPOINT_IN) != 0 ? in : out) = endpoint.bEndpointAddress;
    }
    libusb_free_config_descriptor(configuration);
    if (in == 0 || out == 0) throw std::runtime_error("bare libusb: no bulk endpoint each way");
  }
  void prepare_transfers(std::size_t count) {
    while (transfers.size() < count) transfers.push_back(libusb_alloc_transfer(0));
  }
  void prepare(std::size_t count, std::size_t bytes) {
    prepare_transfers(count);
    buffers.resize(std::max(buffers.size(), count));
    for (std::size_t i = 0; i < count; ++i)
      if (buffers[i].size() < bytes) buffers[i].assign(bytes, static_cast<unsigned char>(i + 1));
  }
  void checksum(const libusb_transfer* transfer) noexcept {
    if (checksums) crc ^= crc32c(std::as_bytes(std::span(transfer->buffer, static_cast<std::size_t>(transfer->length))));
  }
  void take_next_part(libusb_transfer* transfer) noexcept {
    transfer->buffer = reinterpret_cast<unsigned char*>(ring.data() + next);
    next += static_cast<std::size_t>(transfer->length);
    if (next == ring.size()) next = 0;
  }
  void submit(libusb_transfer* transfer) {
    if ((transfer->endpoint & LIBUSB_ENDPOINT_IN) == 0) checksum(transfer);
    check(libusb_submit_transfer(transfer), "submitting");
    ++flying;
  }
  void run() {
    while (flying != 0) {
      timeval patience{.tv_sec = 1, .tv_usec = 0};
      check(libusb_handle_events_timeout_completed(context, &patience, nullptr), "handling events");
    }
    if (failed) throw std::runtime_error("bare libusb: a transfer failed");
  }
  static void LIBUSB_CALL on_completed(libusb_transfer* transfer) {
    State& state = *static_cast<State*>(transfer->user_data);
    --state.flying;
    if (transfer->status != LIBUSB_TRANSFER_COMPLETED || transfer->actual_length != transfer->length) {
      // A loopback IN ends with what the OUT brought.
      if (transfer->status != LIBUSB_TRANSFER_COMPLETED || transfer->actual_length != static_cast<int>(kPingBytes)) state.failed = true;
    }
    if ((transfer->endpoint & LIBUSB_ENDPOINT_IN) != 0) state.checksum(transfer);
    if (state.failed || state.left == 0) return;
    state.take_next_part(transfer);
    if ((transfer->endpoint & LIBUSB_ENDPOINT_IN) == 0) state.checksum(transfer);
    state.left -= static_cast<std::size_t>(transfer->length);
    if (libusb_submit_transfer(transfer) == LIBUSB_SUCCESS)
      ++state.flying;
    else
      state.failed = true;
  }
};

BareLibusb::BareLibusb(const std::string& path) : state_(std::make_unique<State>()) {
  int code = libusb_init(&state_->context);
  if (code != LIBUSB_SUCCESS) {  // no udev here: nothing can be enumerated, but a node can be used
    libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
    code = libusb_init(&state_->context);
  }
  check(code, "starting");
  state_->descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (state_->descriptor < 0) throw std::runtime_error("bare libusb: cannot open " + path);
  check(libusb_wrap_sys_device(state_->context, state_->descriptor, &state_->handle), "wrapping the node");
  check(libusb_claim_interface(state_->handle, 0), "claiming the interface");
  state_->find_endpoints();
}

BareLibusb::~BareLibusb() {
  for (libusb_transfer* transfer : state_->transfers) libusb_free_transfer(transfer);
  if (state_->handle != nullptr) {
    libusb_release_interface(state_->handle, 0);
    libusb_close(state_->handle);
  }
  if (state_->descriptor >= 0) ::close(state_->descriptor);
  if (state_->context != nullptr) libusb_exit(state_->context);
}

void BareLibusb::set_mode(BareMode mode, std::uint16_t device_mebibytes, bool checksums) {
  const auto index = static_cast<std::uint16_t>(device_mebibytes | (checksums ? kPipeChecksums : 0));
  check(libusb_control_transfer(state_->handle, 0x40, kPipeModeRequest, static_cast<std::uint16_t>(mode), index, nullptr, 0, kTimeoutMilliseconds), "setting the pipe mode");
}

void BareLibusb::stream(bool in, std::size_t total, std::size_t transfer_bytes, std::span<std::byte> memory, std::size_t in_flight, bool checksums) {
  State& state = *state_;
  const std::size_t first = std::min(in_flight, total / transfer_bytes);
  state.prepare_transfers(first);
  state.checksums = checksums;
  state.left = total - first * transfer_bytes;
  state.ring = memory;
  state.next = 0;
  for (std::size_t i = 0; i < first; ++i) {
    libusb_fill_bulk_transfer(state.transfers[i], state.handle, in ? state.in : state.out, nullptr, static_cast<int>(transfer_bytes), &State::on_completed, &state, kTimeoutMilliseconds);
    state.take_next_part(state.transfers[i]);
    state.submit(state.transfers[i]);
  }
  state.run();
}

void BareLibusb::ping() {
  State& state = *state_;
  state.prepare(2, kPacketBytes);
  state.checksums = false;
  state.left = 0;
  libusb_fill_bulk_transfer(state.transfers[0], state.handle, state.in, state.buffers[0].data(), kPacketBytes, &State::on_completed, &state, kTimeoutMilliseconds);
  libusb_fill_bulk_transfer(state.transfers[1], state.handle, state.out, state.buffers[1].data(), kPingBytes, &State::on_completed, &state, kTimeoutMilliseconds);
  state.submit(state.transfers[0]);
  state.submit(state.transfers[1]);
  state.run();
}

}  // namespace naru::bench
