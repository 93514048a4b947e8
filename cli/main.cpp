// The `naru` program: registers the verbs and runs the chosen one.
#include <fmt/format.h>

#include <exception>

#include "app.h"
#include "naru/mock.h"

int main(int argc, char** argv) {
  try {
    naru::mock::enable();
    naru::cli::App app;
    naru::cli::add_list(app);
    naru::cli::add_info(app);
    naru::cli::add_run(app);
    naru::cli::add_bench(app);
    naru::cli::add_compile(app);
    naru::cli::add_inspect(app);
    naru::cli::add_disasm(app);
    naru::cli::add_verify(app);
    naru::cli::add_diag(app);
    naru::cli::add_counters(app);
    naru::cli::add_reset(app);
    naru::cli::add_mock(app);
    naru::cli::add_version(app);
    return app.run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "naru: {}.   [NARU-0901]\n  This is a bug of Naru: report it with the command that shows it.\n", error.what());
    return naru::exit_code(naru::ErrorKind::kInternal);
  }
}
