// naru mock serve | unplug | plug | status | plant: a mock device for other processes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <sstream>

#include "app.h"
#include "naru/mock_server.h"

namespace naru::cli {
namespace {

constexpr unsigned kUsbMemoryMax = 2047;  // MiB, as usbfs'

struct ServeFlags : Common {
  mock::ServeOptions serve;
  std::string time = "free";
};

int serve(const ServeFlags& flags) {
  mock::ServeOptions options = flags.serve;
  options.real_time = flags.time == "real";
  options.on_ready = [&] {
    if (flags.json) {
      Json json = document("mock serve", true);
      json["ready"] = options.path;
      fmt::print("{}\n", json.dump());
    } else {
      fmt::print("ready {}\n", options.path);
    }
    std::fflush(stdout);
  };
  const Result<void> served = mock::serve(options);
  return served ? 0 : report(served.error(), flags, "mock serve", true);
}

struct ControlFlags : Common {
  std::string path;
  std::vector<std::string> fault;  // in words: sram_bit 77
};

/// "plugged clients 0 claimed 0 pid 7 time free" as an object.
Json status_json(const std::string& answer) {
  Json json;
  std::istringstream words(answer);
  std::string name, value;
  words >> value;
  json["plugged"] = value == "plugged";
  while (words >> name >> value) {
    const bool number = value.find_first_not_of("0123456789") == std::string::npos;
    if (name == "claimed")
      json[name] = value == "1";
    else if (number)
      json[name] = std::stoll(value.substr(0, 18));
    else
      json[name] = value;
  }
  return json;
}

std::string done_text(const std::string& command) {
  if (command == "plug") return "plugged in";
  if (command == "unplug") return "unplugged";
  return command == "plant clear" ? "planted faults taken back" : "fault planted";
}

int control(const ControlFlags& flags, const std::string& command) {
  const std::string verb = "mock " + command.substr(0, command.find(' '));
  const Result<std::string> answer = mock::control(flags.path, command);
  if (!answer) return report(answer.error(), flags, verb, true);
  if (flags.json) {
    Json json = document(verb, true);
    if (command == "status")
      json["status"] = status_json(*answer);
    else
      json["done"] = true;
    print(json);
  } else {
    fmt::print("  {}\n", answer->empty() ? fmt::format("{}: {}", flags.path, done_text(command)) : *answer);
  }
  return 0;
}

}  // namespace

void add_mock(App& app) {
  CLI::App* parent = app.root().add_subcommand("mock", "Serve a mock device to other processes, and break it");
  parent->require_subcommand(1);
  const auto json = std::make_shared<bool>(false);  // also in front of the verb
  parent->add_flag("--json", *json, "Print JSON (with schema_version and simulated) on stdout");
  parent->footer("Example: naru mock serve --fuse /tmp/npu & naru run models/digits/digits.tflite --device node:/tmp/npu");

  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* verb = app.add_verb(parent, "serve", "Serve a mock device as the node PATH, until SIGINT or SIGTERM", "naru mock serve --profile edge --fuse /tmp/npu", *flags,
                                [flags, json] {
                                  flags->json |= *json;
                                  return serve(*flags);
                                });
  verb->add_option("--fuse", flags->serve.path, "The node to serve; made if it is not there")->required();
  verb->add_option("--profile", flags->serve.profile, "edge, tiny, or a profile file (default: edge)");
  verb->add_option("--serial", flags->serve.serial, "The serial number it shows");
  verb->add_option("--threads", flags->serve.threads, "Threads that compute large commands together; the bytes are the same (default: $NARU_THREADS, else 1)")->check(CLI::Range(1U, kThreadsMax));
  verb->add_option("--usb-memory", flags->serve.usb_memory_mib, "MiB that clients may have in flight, as usbfs allows; 0: no limit (default: 16)")->check(CLI::Range(0U, kUsbMemoryMax));
  verb->add_option("--time", flags->time, "free: as fast as this host can; real: nothing before its modelled time (default: free)")->check(CLI::IsMember({"free", "real"}));

  const auto add_control = [&](const std::string& name, const std::string& description) {
    const auto control_flags = std::make_shared<ControlFlags>();
    CLI::App* control_verb = app.add_verb(parent, name, description, fmt::format("naru mock {} /tmp/npu", name), *control_flags,
                                          [control_flags, json, name] {
                                            control_flags->json |= *json;
                                            return control(*control_flags, name);
                                          });
    control_verb->add_option("PATH", control_flags->path, "The node that `naru mock serve` serves")->required();
  };
  add_control("unplug", "Pull the cable of a served mock");
  add_control("plug", "Put it in again");
  add_control("status", "What a served mock is doing");

  const auto plant_flags = std::make_shared<ControlFlags>();
  CLI::App* plant = app.add_verb(parent, "plant", "Plant a fault into a served mock", "naru mock plant /tmp/npu kernel_error", *plant_flags,
                                 [plant_flags, json] {
                                   plant_flags->json |= *json;
                                   return control(*plant_flags, fmt::format("plant {}", fmt::join(plant_flags->fault, " ")));
                                 });
  plant->add_option("PATH", plant_flags->path, "The node that `naru mock serve` serves")->required();
  plant->add_option("FAULT", plant_flags->fault, "kernel_error, sram_bit N, link, or clear")->required();
}

}  // namespace naru::cli
