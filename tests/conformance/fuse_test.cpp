// Goal: the FUSE host serves, is told to pull the plug, dies and is cleaned up after, as its header says. Method: a server in another process
// where its death matters, else one on a thread of this process.
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "loopback_function.h"
#include "naru/base/unique_fd.h"
#include "naru/driver/discovery.h"
#include "naru/mockdev/host_fuse.h"
#include "process.h"
#include "wire.h"

namespace naru::test {
namespace {

using namespace std::chrono_literals;
using driver::open_transport;
using mockdev::control_mock;
using mockdev::MockServer;

class FuseHost : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC)).valid()) GTEST_SKIP() << "/dev/fuse cannot be used here";
    static int serial = 0;
    path_ = (std::filesystem::temp_directory_path() / ("naru-fuse-" + std::to_string(::getpid()) + "-" + std::to_string(serial++))).string();
  }
  mockdev::MockServerOptions options() {
    return {.path = path_,
            .make_function = []() -> Result<std::unique_ptr<usb::Function>> { return std::make_unique<LoopbackFunction>(); },
            .plant = [this](usb::Function&, std::string_view arguments) -> Result<void> {
              planted_ = arguments;
              if (arguments == "nonsense") return fail(ErrorId::kInvalidArgument, "no such fault");
              return {};
            }};
  }
  /// A server on a thread of this process.
  struct Running {
    explicit Running(std::unique_ptr<MockServer> made) : server(std::move(made)), thread([this] { EXPECT_TRUE(server->run()); }) {}
    ~Running() {
      server->stop();
      thread.join();
    }
    std::unique_ptr<MockServer> server;
    std::thread thread;
  };
  std::unique_ptr<Running> serve(std::uint64_t memory_bytes_max = mockdev::usbfs::UrbMemory::kDefaultBytes) {
    mockdev::MockServerOptions how = options();
    how.memory_bytes_max = memory_bytes_max;
    auto server = MockServer::start(std::move(how));
    if (!server) throw std::runtime_error(server.error().to_string(true));
    return std::make_unique<Running>(std::move(*server));
  }
  Wire open() {
    auto transport = open_transport("node:" + path_);
    if (!transport) throw std::runtime_error(transport.error().to_string(true));
    return Wire(std::move(*transport));
  }
  Error refusal(const driver::TransportOptions& how = {}) {
    auto transport = open_transport("node:" + path_, how);
    if (transport) throw std::runtime_error("it opened");
    return transport.error();
  }
  /// A bulk IN where nothing comes: it stays in flight.
  static usbdevfs_urb in_urb(std::span<std::byte> memory) {
    usbdevfs_urb urb{};
    urb.type = USBDEVFS_URB_TYPE_BULK;
    urb.endpoint = 0x85;
    urb.buffer = memory.data();
    urb.buffer_length = static_cast<int>(memory.size());
    return urb;
  }
  static void echo(Wire& wire, std::size_t bytes) {
    std::vector<std::byte> sent = pattern(bytes), received((bytes / wire.packet() + 1) * wire.packet());
    const Ticket in = wire.in(received), out = wire.out(sent);
    EXPECT_EQ(wire.status(out), TransferStatus::kOk);
    EXPECT_EQ(wire.completion(in).bytes, bytes);
    received.resize(bytes);
    EXPECT_TRUE(sent == received);
  }

  std::string path_, planted_;
};

TEST_F(FuseHost, ServesAnOpenNodeAndRemovesItAfterwards) {
  {
    const auto running = serve();
    Wire wire = open();
    EXPECT_EQ(wire->info().scheme, "node");
    EXPECT_EQ(wire->info().selector, "node:" + path_);
    EXPECT_EQ(wire->info().serial, "LOOP0001");
    echo(wire, 100'000);
    wire.close();
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".ctl"));
}

TEST_F(FuseHost, HidesAFileThatWasThereAndGivesItBack) {
  std::ofstream(path_) << "mine";
  {
    const auto running = serve();
    Wire wire = open();
    echo(wire, 10);
  }
  std::string text;
  std::ifstream(path_) >> text;
  EXPECT_EQ(text, "mine");
  std::filesystem::remove(path_);
}

TEST_F(FuseHost, PullsAndPlugsTheCableOnCommand) {
  const auto running = serve();
  Wire wire = open();
  std::vector<std::byte> bytes(512);
  const Ticket in = wire.in(bytes, 0s);
  const auto status = control_mock(path_, "status");
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_NE(status->find("plugged clients 1 claimed 1"), std::string::npos) << *status;
  ASSERT_TRUE(control_mock(path_, "unplug"));
  EXPECT_FALSE(control_mock(path_, "unplug"));
  EXPECT_EQ(wire.status(in), TransferStatus::kDeviceLost);
  const Error unplugged = refusal();
  EXPECT_EQ(unplugged.id(), ErrorId::kNodeDead);
  EXPECT_NE(unplugged.remedy().find("naru mock plug"), std::string::npos);
  ASSERT_TRUE(control_mock(path_, "plug"));
  EXPECT_FALSE(control_mock(path_, "plug"));
  EXPECT_EQ(wire.in(bytes), Ticket::kNone);  // who had it open keeps a device that is gone
  Wire again = open();
  echo(again, 3000);
}

TEST_F(FuseHost, PlantsFaultsThroughItsCallbackAndRefusesWhatItDoesNotKnow) {
  const auto running = serve();
  EXPECT_TRUE(control_mock(path_, "plant sram_bit 17"));
  EXPECT_EQ(planted_, "sram_bit 17");
  EXPECT_TRUE(control_mock(path_, "plant clear"));
  const auto refused = control_mock(path_, "plant nonsense");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("no such fault"), std::string::npos);
  EXPECT_FALSE(control_mock(path_, "dance"));
  EXPECT_FALSE(control_mock(path_, std::string(400, 'x')));
  EXPECT_FALSE(control_mock(path_ + "-not-served", "status"));
}

TEST_F(FuseHost, RefusesPathsThatItCannotServe) {
  const auto running = serve();
  auto twice = MockServer::start(options());
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().id(), ErrorId::kDeviceBusy);
  const auto refusal_of = [&](const std::string& path) {
    mockdev::MockServerOptions other = options();
    other.path = path;
    auto server = MockServer::start(std::move(other));
    return server ? ErrorId::kInternal : server.error().id();
  };
  EXPECT_EQ(refusal_of(std::filesystem::temp_directory_path().string()), ErrorId::kFileUnwritable);
  EXPECT_EQ(refusal_of("/nowhere/at/all"), ErrorId::kFileUnwritable);
  EXPECT_EQ(refusal_of((std::filesystem::temp_directory_path() / std::string(120, 'p')).string()), ErrorId::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::temp_directory_path() / std::string(120, 'p')));
}

TEST_F(FuseHost, GivesTheInterfaceToOneAndDiagnosticsToAll) {
  const auto running = serve();
  Wire holder = open();
  EXPECT_EQ(refusal().id(), ErrorId::kDeviceBusy);
  auto second = open_transport("node:" + path_, {.claim_interface = false});
  ASSERT_TRUE(second) << second.error().to_string();
  Wire diagnostics(std::move(*second));
  std::array<std::byte, 4> value{};
  EXPECT_EQ(diagnostics.status(diagnostics.vendor(abi::ControlRequest::kReadRegister, 0, 16, value, true)), TransferStatus::kOk);
  diagnostics.close();
  echo(holder, 900);
}

// usbfs' own limit: what a program may not do on a real kernel it may not do here.
TEST_F(FuseHost, HasNoMoreMemoryForUrbsThanUsbfsUntilSomeAreReaped) {
  constexpr std::size_t kBytes = 4 << 20;
  const auto running = serve();
  std::vector<std::byte> memory(kBytes);
  for (int opened = 0; opened < 2; ++opened) {  // the second time, what the first had in flight is given back
    const UniqueFd node(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(node.valid());
    std::array<usbdevfs_urb, 4> urbs{};
    urbs.fill(in_urb(memory));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(::ioctl(node.get(), USBDEVFS_SUBMITURB, &urbs[i]), 0) << i << ": " << std::strerror(errno);
    const auto refused = [&] { return ::ioctl(node.get(), USBDEVFS_SUBMITURB, &urbs[3]) == -1 && errno == ENOMEM; };
    EXPECT_TRUE(refused());
    ASSERT_EQ(::ioctl(node.get(), USBDEVFS_DISCARDURB, &urbs[0]), 0);
    EXPECT_TRUE(refused()) << "it is not reaped";
    void* reaped = nullptr;
    ASSERT_EQ(::ioctl(node.get(), USBDEVFS_REAPURBNDELAY, &reaped), 0);
    EXPECT_EQ(reaped, &urbs[0]);
    EXPECT_EQ(::ioctl(node.get(), USBDEVFS_SUBMITURB, &urbs[3]), 0);
    const UniqueFd other(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::ioctl(other.get(), USBDEVFS_SUBMITURB, &urbs[0]), -1);
    EXPECT_EQ(errno, EBUSY) << "whose interface it is comes first";
  }
}

TEST_F(FuseHost, GivesMemoryBackWhenItsDeviceWasUnplugged) {
  const auto running = serve();
  std::vector<std::byte> memory(15 << 20);
  usbdevfs_urb urb = in_urb(memory);
  for (const bool reaps : {true, false, true}) {
    const UniqueFd node(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::ioctl(node.get(), USBDEVFS_SUBMITURB, &urb), 0) << std::strerror(errno);
    ASSERT_TRUE(control_mock(path_, "unplug"));
    void* reaped = nullptr;
    if (reaps) {
      EXPECT_EQ(::ioctl(node.get(), USBDEVFS_REAPURBNDELAY, &reaped), 0);
    }
    ASSERT_TRUE(control_mock(path_, "plug"));
  }
}

TEST_F(FuseHost, MovesLargeNeighboursWhole) {
  constexpr std::size_t kBytes = 6 << 20;
  const auto running = serve(0);
  Wire wire = open();
  for (const std::size_t bytes : {kBytes, kBytes / 3 * 2, kBytes / 6}) {  // two are longer than one libusb transfer may be, just as long, shorter
    std::vector<std::byte> sent = pattern(3 * bytes), received(sent.size());
    std::vector<Ticket> tickets;
    for (std::size_t i = 0; i < 3; ++i) tickets.push_back(wire.submit({.kind = TransferKind::kBulkIn, .buffer = std::span(received).subspan(i * bytes, bytes), .may_join = true}));
    wire->flush();
    for (std::size_t i = 0; i < 3; ++i) tickets.push_back(wire.submit({.kind = TransferKind::kBulkOut, .buffer = std::span(sent).subspan(i * bytes, bytes), .may_join = true}));
    wire->flush();
    for (const Ticket ticket : tickets) {
      const TransferCompletion completion = wire.completion(ticket);
      EXPECT_EQ(completion.status, TransferStatus::kOk);
      EXPECT_EQ(completion.bytes, bytes);
    }
    EXPECT_TRUE(sent == received) << bytes;
  }
}

TEST_F(FuseHost, LetsGoAtOnceOfARunInFlightAndOfWhatIsHeldBehindIt) {
  const auto running = serve();
  Wire wire = open();
  std::vector<std::byte> bytes(4 * wire.packet());
  const auto held = [&](std::size_t i) { return wire.submit({.kind = TransferKind::kBulkIn, .buffer = std::span(bytes).subspan(i * wire.packet(), wire.packet()), .may_join = true}); };
  held(0), held(1);
  wire->flush();
  held(2);
  const SteadyClock wall;
  const TimePoint before = wall.now();
  wire.close();
  EXPECT_LT(wall.now() - before, 1s);
}

TEST_F(FuseHost, CutsTransfersDownWhereThereIsLittleMemory) {
  const auto running = serve(150'000);
  Wire wire = open();
  echo(wire, 1 << 20);
  echo(wire, (1 << 20) + 77);
}

TEST_F(FuseHost, LeavesADeadNodeWhenKilledAndTheNextServerCleansIt) {
  for (int i = 0; i < 2; ++i) {
    ServerProcess server({"fuse", path_, "loop"});
    ASSERT_FALSE(server.dead());
    Wire wire = open();
    echo(wire, 5000);
    EXPECT_TRUE(WIFSIGNALED(server.end(SIGKILL)));
    const Error stale = refusal();
    EXPECT_EQ(stale.id(), ErrorId::kNodeDead);
    EXPECT_NE(stale.remedy().find("fusermount3 -u"), std::string::npos);
  }
  {
    ServerProcess server({"fuse", path_, "loop"});
    ASSERT_FALSE(server.dead());
    Wire wire = open();
    echo(wire, 5000);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(FuseHost, SeesADeadNodeThatTheKernelStillKnowsTheAttributesOf) {
  {
    ServerProcess server({"fuse", path_, "loop"});
    ASSERT_FALSE(server.dead());
    EXPECT_TRUE(std::filesystem::is_regular_file(path_));
    EXPECT_TRUE(WIFSIGNALED(server.end(SIGKILL)));
  }
  {
    ServerProcess server({"fuse", path_, "loop"});
    ASSERT_FALSE(server.dead());
    Wire wire = open();
    echo(wire, 5000);
  }
  // Nothing of the dead one is left under the other.
  std::error_code error;
  EXPECT_FALSE(std::filesystem::exists(path_, error));
  EXPECT_FALSE(error) << error.message();
}

TEST_F(FuseHost, EndsCleanlyOnSignalsThatWereIgnoredWhenItStarted) {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal, &ignore, &before);  // inherited by the server, as a script's `&` does it
    ServerProcess server({"fuse", path_, "loop"});
    ::sigaction(signal, &before, nullptr);
    ASSERT_FALSE(server.dead());
    Wire wire = open();
    const int status = server.end(signal);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_FALSE(std::filesystem::exists(path_ + ".ctl"));
  }
}

TEST_F(FuseHost, StartsCleanAfterAClientWasKilledInTheMiddleOfItsTransfers) {
  const auto running = serve();
  for (int i = 0; i < 3; ++i) {
    ServerProcess client({"client", path_});
    ASSERT_FALSE(client.dead());
    EXPECT_EQ(refusal().id(), ErrorId::kDeviceBusy);
    EXPECT_TRUE(WIFSIGNALED(client.end(SIGKILL)));
    Wire wire = open();
    echo(wire, 2000);
  }
  const auto status = control_mock(path_, "status");
  ASSERT_TRUE(status);
  EXPECT_NE(status->find("clients 0 claimed 0"), std::string::npos) << *status;
}

}  // namespace
}  // namespace naru::test
