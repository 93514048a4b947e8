// Goal: what only an enumerated bus shows: discovery, selectors, claims, hotplug, memory limits, old controllers. Method: libusb on umockdev.
#include <filesystem>
#include <fstream>

#include "loopback_function.h"
#include "naru/driver/discovery.h"
#include "naru/driver/transport_null.h"
#include "naru/mockdev/host_umockdev.h"
#include "wire.h"

namespace naru::test {
namespace {

using namespace std::chrono_literals;
using driver::DeviceAccess;
using driver::DeviceFound;
using driver::discover;
using driver::open_transport;
using mockdev::UmockdevHost;

class Bus : public ::testing::Test {
 protected:
  void SetUp() override {
    auto host = UmockdevHost::create();
    ASSERT_TRUE(host) << host.error().to_string();
    host_ = std::move(*host);
  }
  void plug(unsigned port, std::string serial, mockdev::UmockdevPlug options = {}, usb::Speed speed = usb::Speed::kHigh) {
    options.port = port;
    const auto plugged = host_->plug(std::make_shared<LoopbackFunction>(speed, std::move(serial)), options);
    ASSERT_TRUE(plugged) << plugged.error().to_string();
  }
  static Wire open(std::string_view selector) {
    auto transport = open_transport(selector);
    if (!transport) throw std::runtime_error(transport.error().to_string(true));
    return Wire(std::move(*transport));
  }
  static ErrorId refusal(std::string_view selector, const driver::TransportOptions& options = {}) {
    const auto transport = open_transport(selector, options);
    return transport ? ErrorId::kInternal : transport.error().id();
  }
  static void echo(Wire& wire, std::size_t bytes, Duration timeout = 40s) {
    std::vector<std::byte> sent = pattern(bytes), received((bytes / wire.packet() + 1) * wire.packet());
    const Ticket in = wire.in(received, timeout), out = wire.out(sent, true, timeout);
    EXPECT_EQ(wire.status(out), TransferStatus::kOk);
    const TransferCompletion completion = wire.completion(in);
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    EXPECT_EQ(completion.bytes, bytes);
    received.resize(bytes);
    EXPECT_TRUE(sent == received);
  }

  std::unique_ptr<UmockdevHost> host_;
};

TEST_F(Bus, WithoutDevicesIsEmptyAndNotAnError) {
  const auto found = discover();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  EXPECT_EQ(refusal("usb"), ErrorId::kDeviceNotFound);
  EXPECT_EQ(refusal("usb:NR0001"), ErrorId::kDeviceNotFound);
}

TEST_F(Bus, ListsItsDevicesWithTheirPlaceSpeedAndSerial) {
  plug(6, "NR0002", {}, usb::Speed::kSuper);
  plug(5, "NR0001");
  const auto found = discover();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  const DeviceFound &first = (*found)[0], &second = (*found)[1];
  EXPECT_EQ(first.selector, "usb:NR0001");
  EXPECT_EQ(first.serial, "NR0001");
  EXPECT_EQ(first.bus_port, "1-5");
  EXPECT_EQ(first.speed, usb::Speed::kHigh);
  EXPECT_EQ(first.product_id, abi::kProductRun);
  EXPECT_FALSE(first.rom_mode);
  EXPECT_EQ(first.access, DeviceAccess::kReady);
  EXPECT_EQ(second.bus_port, "1-6");
  EXPECT_EQ(second.speed, usb::Speed::kSuper);
}

TEST_F(Bus, OpensBySerialOrPortAndAsksWhenThereAreTwo) {
  plug(5, "NR0001");
  plug(6, "NR0002");
  EXPECT_EQ(open("usb:NR0002")->info().bus_port, "1-6");
  EXPECT_EQ(open("usb:1-5")->info().serial, "NR0001");
  EXPECT_EQ(refusal("usb:NR0003"), ErrorId::kDeviceNotFound);
  const auto ambiguous = open_transport("usb");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().id(), ErrorId::kDeviceAmbiguous);
  EXPECT_NE(ambiguous.error().message().find("usb:NR0001"), std::string::npos);
  EXPECT_NE(ambiguous.error().message().find("usb:NR0002"), std::string::npos);
}

TEST_F(Bus, TellsDevicesWithTheSameSerialApartByPort) {
  plug(5, "SAME");
  plug(7, "SAME");
  const auto found = discover();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].selector, "usb:1-5");
  EXPECT_EQ(refusal("usb:SAME"), ErrorId::kDeviceAmbiguous);
  EXPECT_EQ(open("usb:1-7")->info().bus_port, "1-7");
}

TEST_F(Bus, GivesTheInterfaceToOneAndDiagnosticsToAll) {
  plug(5, "NR0001");
  Wire holder = open("usb");
  EXPECT_EQ(refusal("usb"), ErrorId::kDeviceBusy);
  auto second = open_transport("usb", {.claim_interface = false});
  ASSERT_TRUE(second) << second.error().to_string();
  Wire diagnostics(std::move(*second));
  std::array<std::byte, 4> value{};
  EXPECT_EQ(diagnostics.status(diagnostics.vendor(abi::ControlRequest::kReadRegister, 0, 16, value, true)), TransferStatus::kOk);
  std::vector<std::byte> bytes(512);
  EXPECT_EQ(diagnostics.in(bytes), Ticket::kNone);
  EXPECT_EQ(diagnostics.last_error().id(), ErrorId::kInvalidArgument);
  echo(holder, 900);
}

TEST_F(Bus, NoticesByHotplugThatItsDeviceLeftAndOpensTheOneThatComes) {
  for (int i = 0; i < 20; ++i) {
    plug(5, "NR0001");
    Wire wire = open("usb:NR0001");
    echo(wire, 1000);
    ASSERT_TRUE(host_->unplug());
    const SteadyClock wall;
    const TimePoint end = wall.after(5s);
    std::vector<std::byte> bytes(512);
    // Nothing is in flight: only the leaving itself can tell.
    bool lost = false;
    while (!lost && wall.now() < end) {
      const Ticket ticket = wire.in(bytes, 1s);
      lost = ticket == Ticket::kNone ? wire.last_error().id() == ErrorId::kDeviceLost : wire.status(ticket) == TransferStatus::kDeviceLost;
    }
    EXPECT_TRUE(lost);
  }
}

TEST_F(Bus, CutsTransfersDownWhenTheHostsUsbMemoryIsSmall) {
  plug(5, "NR0001", {.memory_bytes_max = 150'000});
  Wire wire = open("usb");
  echo(wire, 1 << 20);
  echo(wire, (1 << 20) + 77);
  // Several at once, in order: later ones wait behind the pieces of earlier ones.
  std::vector<std::vector<std::byte>> sent, received;
  std::vector<Ticket> ins, outs;
  for (unsigned i = 0; i < 6; ++i) {
    sent.push_back(pattern(200'000 + i, i));
    received.emplace_back(200'704);
  }
  for (unsigned i = 0; i < 6; ++i) ins.push_back(wire.in(received[i]));
  for (unsigned i = 0; i < 6; ++i) outs.push_back(wire.out(sent[i]));
  for (unsigned i = 0; i < 6; ++i) {
    EXPECT_EQ(wire.status(outs[i]), TransferStatus::kOk);
    const TransferCompletion completion = wire.completion(ins[i]);
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    EXPECT_EQ(completion.bytes, sent[i].size());
    EXPECT_TRUE(std::equal(sent[i].begin(), sent[i].end(), received[i].begin())) << i;
  }
  // Neighbours that may move together find no memory for that.
  std::vector<std::byte> source = pattern(6 * 51'200, 9), target(source.size());
  ins.clear(), outs.clear();
  for (unsigned i = 0; i < 6; ++i) ins.push_back(wire.submit({.kind = TransferKind::kBulkIn, .buffer = std::span(target).subspan(i * 51'200, 51'200), .may_join = true}));
  for (unsigned i = 0; i < 6; ++i) outs.push_back(wire.submit({.kind = TransferKind::kBulkOut, .buffer = std::span(source).subspan(i * 51'200, 51'200), .may_join = true}));
  for (const auto& tickets : {outs, ins})
    for (const Ticket ticket : tickets) {
      const TransferCompletion completion = wire.completion(ticket);
      EXPECT_EQ(completion.status, TransferStatus::kOk);
      EXPECT_EQ(completion.bytes, 51'200u);
    }
  EXPECT_TRUE(source == target);
}

TEST_F(Bus, SaysSoWhenTheHostHasNoUsbMemoryAtAll) {
  plug(5, "NR0001", {.memory_bytes_max = 3000});
  Wire wire = open("usb");
  std::vector<std::byte> bytes = pattern(5000);
  EXPECT_EQ(wire.status(wire.out(bytes, true, 100ms)), TransferStatus::kHostMemory);
  const Ticket cancelled = wire.out(bytes, true, 5s);
  wire->cancel(cancelled);
  EXPECT_EQ(wire.status(cancelled), TransferStatus::kCancelled);
  echo(wire, 100);
}

// A real bus goes on after one refused urb: what follows it must not land in the place of what it should have brought.
TEST_F(Bus, EndsWhatItHeldAndAllBehindItWhenItCannotBeLaunched) {
  for (const bool neighbours : {true, false}) {
    plug(5, "NR0001", {.refused_bulk_in = 2});
    Wire wire = open("usb");
    const std::size_t packet = wire.packet(), step = neighbours ? packet : 2 * packet;
    std::vector<std::byte> first(packet), area(6 * packet), sent = pattern(packet);
    const auto held = [&](std::size_t i) { return wire.submit({.kind = TransferKind::kBulkIn, .buffer = std::span(area).subspan(i * step, packet), .may_join = true}); };
    const Ticket flying = wire.in(first);
    const std::vector<Ticket> refused = {held(0), held(1)};
    wire->flush();
    const Ticket behind = held(2);
    EXPECT_EQ(wire.status(wire.out(sent)), TransferStatus::kOk);
    for (const Ticket ticket : {refused[0], refused[1], behind}) {
      const TransferCompletion completion = wire.completion(ticket);
      EXPECT_EQ(completion.status, TransferStatus::kFailed);
      EXPECT_EQ(completion.bytes, 0u);
    }
    wire->cancel(flying);
    EXPECT_NE(wire.status(flying), TransferStatus::kFailed);  // it was launched before
    wire.close();
    Wire again = open("usb");
    echo(again, 700);
    again.close();
    ASSERT_TRUE(host_->unplug());
  }
}

TEST_F(Bus, CarriesTransfersOverAControllerWithoutScatterGather) {
  plug(5, "NR0001", {.scatter_gather = false});
  Wire wire = open("usb");
  for (const std::size_t bytes : {1u, 512u, 16383u, 16384u, 16385u, 100'000u, 131'072u}) echo(wire, bytes);
  // A short packet in the first of the urbs that a transfer was split into ends all of them.
  std::vector<std::byte> sent = pattern(700), received(65536);
  const Ticket in = wire.in(received);
  EXPECT_EQ(wire.status(wire.out(sent)), TransferStatus::kOk);
  const TransferCompletion completion = wire.completion(in);
  EXPECT_EQ(completion.status, TransferStatus::kOk);
  EXPECT_EQ(completion.bytes, 700u);
}

TEST_F(Bus, LeavesADeviceInRomModeUnclaimed) {
  class Rom final : public usb::Function {
   public:
    const usb::DeviceDescription& description() const noexcept override { return description_; }
    std::optional<std::size_t> setup(const usb::SetupPacket&, std::span<const std::byte>, std::span<std::byte>) override { return std::nullopt; }
    std::span<std::byte> out_begin(std::uint8_t) override { return {}; }
    void out_end(std::uint8_t, std::size_t, bool) override {}
    std::optional<usb::InOffer> in_peek(std::uint8_t) override { return std::nullopt; }
    void in_done(std::uint8_t, std::size_t, bool) override {}
    bool halted(std::uint8_t) const noexcept override { return false; }
    void set_halt(std::uint8_t, bool) override {}
    void set_configuration(std::uint8_t) override {}
    void bus_reset() override {}
    const Clock& clock() const noexcept override { return clock_; }
    usb::StepResult step(TimePoint, std::uint64_t) override { return {}; }

   private:
    usb::DeviceDescription description_{.vendor_id = abi::kVendorId, .product_id = abi::kProductRom, .manufacturer = "Naru", .product = "ROM", .serial = "ROM1", .endpoints = {}};
    VirtualClock clock_;
  };
  ASSERT_TRUE(host_->plug(std::make_shared<Rom>()));
  const auto found = discover();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_TRUE(found->front().rom_mode);
  EXPECT_EQ(open("usb:ROM1")->info().product_id, abi::kProductRom);
}

TEST(Selectors, ThatNameNothingAreRefusedWithAReason) {
  const auto refusal = [](std::string_view selector) {
    const auto transport = open_transport(selector);
    return transport ? ErrorId::kInternal : transport.error().id();
  };
  EXPECT_EQ(refusal(""), ErrorId::kSelector);
  EXPECT_EQ(refusal("pci:0"), ErrorId::kSelector);
  EXPECT_EQ(refusal("node:"), ErrorId::kSelector);
  EXPECT_EQ(refusal("node:/"), ErrorId::kSelector);
  EXPECT_EQ(refusal("node:/nowhere/at/all"), ErrorId::kNodeDead);
  EXPECT_EQ(refusal("node:/dev/null"), ErrorId::kDeviceNotNaru);
  const std::string file = (std::filesystem::temp_directory_path() / "naru-ordinary-file").string();
  std::ofstream(file).put('x');
  const auto ordinary = open_transport("node:" + file);
  ASSERT_FALSE(ordinary);
  EXPECT_EQ(ordinary.error().id(), ErrorId::kNodeDead);
  EXPECT_NE(ordinary.error().remedy().find("naru mock serve"), std::string::npos);
  std::filesystem::remove(file);
}

TEST(Selectors, OpenSchemesThatWereRegistered) {
  EXPECT_FALSE(driver::register_scheme("usb", [](std::string_view, const driver::TransportOptions&) { return driver::make_null_transport(); }));
  EXPECT_FALSE(driver::register_scheme("Bad Name", [](std::string_view, const driver::TransportOptions&) { return driver::make_null_transport(); }));
  std::string seen;
  ASSERT_TRUE(driver::register_scheme("toy", [&](std::string_view rest, const driver::TransportOptions&) {
    seen = rest;
    return driver::make_null_transport();
  }));
  ASSERT_TRUE(open_transport("toy:big:one"));
  EXPECT_EQ(seen, "big:one");
  ASSERT_TRUE(open_transport("toy"));
  EXPECT_EQ(seen, "");
}

TEST(NullTransport, CompletesEverythingAndStallsControl) {
  Wire wire(driver::make_null_transport());
  std::vector<std::byte> bytes(512);
  EXPECT_EQ(wire.completion(wire.out(bytes)).bytes, 512u);
  EXPECT_EQ(wire.completion(wire.in(bytes)).bytes, 0u);
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kIdentity, 0)), TransferStatus::kStalled);
  EXPECT_EQ(wire.status(wire.submit({.kind = TransferKind::kReset})), TransferStatus::kOk);
}

}  // namespace
}  // namespace naru::test
