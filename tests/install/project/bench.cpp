// A user's own test: a device in the process, unplugged and plugged in again; and the driver's headers on their own. Argument: a model.
#include <naru/driver/device.h>
#include <naru/mock.h>
#include <naru/naru.h>

#include <cstdio>

namespace {

int complain(const char* what, const naru::Error& error) {
  std::printf("%s: %s\n", what, error.to_string(true).c_str());
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  auto bench = naru::mock::Bench::with_profile("tiny");
  if (!bench) return complain("bench", bench.error());
  auto model = naru::Model::load(arguments[1]);
  if (!model) return complain("model", model.error());
  for (int round = 0; round < 2; ++round) {
    auto device = bench->open_device();
    if (!device) return complain("open", device.error());
    auto session = naru::Session::create(*device, *model);
    if (!session) return complain("session", session.error());
    auto outputs = session->run();
    if (!outputs) return complain("run", outputs.error());
    bench->unplug();
    auto lost = session->run();
    if (lost || naru::exit_code(lost.error().kind()) != 3) return std::puts("a run without a device was not told as a loss"), 1;
    std::printf("lost: %s\n", lost.error().id_text().c_str());
    if (auto plugged = bench->plug(); !plugged) return complain("plug", plugged.error());
  }
  return 0;
}
