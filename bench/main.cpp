// naru_bench [--tiny] [--only ID-PREFIX] [--kernels vnni] [--json FILE]: measures, prints the table, and appends one line of JSON to FILE.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "rows.h"

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
    } else if (argument == "--kernels" && i + 1 < argc && std::string_view(argv[i + 1]) == "vnni") {
      settings.kernels = argv[++i];
    } else if (argument == "--json" && i + 1 < argc) {
      json_file = argv[++i];
    } else {
      fmt::print(stderr, "usage: naru_bench [--tiny] [--only ID-PREFIX] [--kernels vnni] [--json FILE]\n");
      return 2;
    }
  }
  if (settings.kernels == "vnni") {
    ::setenv("NARU_KERNELS", "vnni", 1);
    if (dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_vnni) != dnnl::status::success) {  // only before its first primitive
      fmt::print(stderr, "naru_bench: oneDNN does not keep to AVX512-VNNI\n");
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
