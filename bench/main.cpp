// naru_bench [--tiny] [--only ID-PREFIX] [--kernels vnni|avx2|portable] [--json FILE]: measures, prints the table, and appends one line of JSON to FILE.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "rows.h"

namespace {

/// What oneDNN may use beside the device's kernels of that name; none: there are no such kernels, or they are the best there are.
std::optional<dnnl::cpu_isa> isa_of(std::string_view kernels) {
  if (kernels == "vnni") return dnnl::cpu_isa::avx512_core_vnni;
  if (kernels == "avx2") return dnnl::cpu_isa::avx2;
  if (kernels == "portable") return dnnl::cpu_isa::sse41;
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace naru::bench;
  if (argc == 4 && std::string(argv[1]) == "--start-once") return start_once_and_tell(argv[2], argv[3]);
  Settings settings;
  std::string json_file;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--tiny") {
      settings.tiny = true;
    } else if (argument == "--only" && i + 1 < argc) {
      settings.only = argv[++i];
    } else if (argument == "--kernels" && i + 1 < argc && isa_of(argv[i + 1])) {
      settings.kernels = argv[++i];
    } else if (argument == "--json" && i + 1 < argc) {
      json_file = argv[++i];
    } else {
      fmt::print(stderr, "usage: naru_bench [--tiny] [--only ID-PREFIX] [--kernels vnni|avx2|portable] [--json FILE]\n");
      return 2;
    }
  }
  if (!settings.kernels.empty()) {
    ::setenv("NARU_KERNELS", settings.kernels.c_str(), 1);
    if (dnnl::set_max_cpu_isa(*isa_of(settings.kernels)) != dnnl::status::success) {  // only before its first primitive
      fmt::print(stderr, "naru_bench: oneDNN does not keep to what the kernels \"{}\" use\n", settings.kernels);
      return 1;
    }
  }
  fmt::print("{}\nThe device is simulated in every row; wall times are this host's.{}\n\n", machine(), settings.tiny ? " Tiny run: its figures mean nothing." : "");

  std::vector<Row> rows;
  int exit = 0;
  for (const auto& group : {&add_job_rows, &add_compute_rows, &add_network_rows, &add_mobilenet_rows, &add_start_rows, &add_scale_rows, &add_usb_rows}) {
    if (const naru::Result<void> added = group(settings, rows); !added) {
      fmt::print(stderr, "naru_bench: {}\n", added.error().to_string(true));
      exit = 1;
    }
  }
  if (rows.empty() && exit == 0) {
    fmt::print(stderr, "naru_bench: no row's id begins with \"{}\"\n", settings.only);
    return 2;
  }
  fmt::print("{}", to_table(rows));
  if (!json_file.empty()) {
    std::ofstream file(json_file, std::ios::app);
    file << to_json(rows, settings) << std::flush;
    if (!file) {
      fmt::print(stderr, "naru_bench: {} cannot be written\n", json_file);
      exit = 1;
    }
  }
  return exit;
}
