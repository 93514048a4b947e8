// Holds an error's data and renders it the way that CLI and logs show it.
#include "naru/base/error.h"

#include <fmt/format.h>

namespace naru {

struct Error::Data {
  ErrorId id;
  ErrorKind kind;
  std::string message;
  std::string remedy;
  std::vector<std::string> context;
  std::vector<Value> values;
};

Error::Error(ErrorId id, std::string message)
    : data_(std::make_shared<Data>(Data{id, error_row(id).kind, std::move(message), std::string(error_row(id).remedy), {}, {}})) {}

// Copies share; the first change of a shared one makes it its own.
Error::Data& Error::own() {
  if (data_.use_count() != 1) data_ = std::make_shared<Data>(*data_);
  return *data_;
}

ErrorId Error::id() const noexcept { return data_->id; }
ErrorKind Error::kind() const noexcept { return data_->kind; }
std::string Error::id_text() const { return fmt::format("NARU-{:04}", static_cast<unsigned>(data_->id)); }
const std::string& Error::message() const noexcept { return data_->message; }
const std::string& Error::remedy() const noexcept { return data_->remedy; }
std::span<const std::string> Error::context() const noexcept { return data_->context; }
std::span<const Error::Value> Error::values() const noexcept { return data_->values; }

Error& Error::while_doing(std::string what) & {
  own().context.push_back(std::move(what));
  return *this;
}
Error&& Error::while_doing(std::string what) && {
  own().context.push_back(std::move(what));
  return std::move(*this);
}
Error&& Error::with_remedy(std::string remedy) && {
  own().remedy = std::move(remedy);
  return std::move(*this);
}
Error&& Error::with_value(std::string name, std::string value) && {
  own().values.push_back({std::move(name), std::move(value)});
  return std::move(*this);
}
Error&& Error::found_in(std::string_view where) && {
  own().message = fmt::format("{}: {}", where, data_->message);
  return std::move(*this);
}
Error&& Error::with_kind(ErrorKind kind) && {
  own().kind = kind;
  return std::move(*this);
}

std::string Error::to_string(bool verbose) const {
  std::string text = fmt::format("{}.   [{}]", data_->message, id_text());
  if (verbose) {
    for (const std::string& line : data_->context) text += fmt::format("\n  while {}", line);
    for (const Value& value : data_->values) text += fmt::format("\n  {} = {}", value.name, value.value);
  }
  text += fmt::format("\n  {}", data_->remedy);
  return text;
}

int exit_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalidArgument: return 2;
    case ErrorKind::kInvalidFile:
    case ErrorKind::kUnsupported: return 11;
    case ErrorKind::kNotFound:
    case ErrorKind::kDeviceLost: return 3;
    case ErrorKind::kPermission: return 4;
    case ErrorKind::kBusy: return 5;
    case ErrorKind::kTimeout:
    case ErrorKind::kCancelled: return 12;
    case ErrorKind::kProtocol: return 13;
    case ErrorKind::kVersion: return 9;
    case ErrorKind::kSecurity: return 10;
    case ErrorKind::kCheckFailed: return 1;
    case ErrorKind::kOutOfMemory:
    case ErrorKind::kCouldNotRun:
    case ErrorKind::kInternal: return 7;
  }
  return 7;
}

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalidArgument: return "invalid argument";
    case ErrorKind::kInvalidFile: return "invalid file";
    case ErrorKind::kUnsupported: return "unsupported";
    case ErrorKind::kNotFound: return "not found";
    case ErrorKind::kPermission: return "permission";
    case ErrorKind::kBusy: return "busy";
    case ErrorKind::kTimeout: return "timeout";
    case ErrorKind::kCancelled: return "cancelled";
    case ErrorKind::kDeviceLost: return "device lost";
    case ErrorKind::kProtocol: return "protocol";
    case ErrorKind::kVersion: return "version";
    case ErrorKind::kSecurity: return "security";
    case ErrorKind::kOutOfMemory: return "out of memory";
    case ErrorKind::kCouldNotRun: return "could not run";
    case ErrorKind::kCheckFailed: return "check failed";
    case ErrorKind::kInternal: return "internal";
  }
  return "internal";
}

}  // namespace naru
