// libusb contexts, and what its error codes mean to a user.
#include "transport/libusb/context.h"

#include <fmt/format.h>

#include "naru/base/log.h"

namespace naru::driver::libusb {

Result<Context> make_context() {
  libusb_context* context = nullptr;
  int code = libusb_init(&context);
  if (code != LIBUSB_SUCCESS) {
    // No udev and no usbfs (a container): nothing can be enumerated, but an open node can still be used. The option is libusb's for the whole
    // process and cannot be taken back, so it is set only where enumeration does not work anyway.
    libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
    code = libusb_init(&context);
  }
  if (code != LIBUSB_SUCCESS) return fail(to_error(code, "starting libusb", "the USB system"));
  libusb_set_option(context, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_NONE);
  return Context(context);
}

Error to_error(int code, const std::string& doing, const std::string& device) {
  const std::string message = fmt::format("{} while {} ({})", device, doing, libusb_error_name(code));
  switch (code) {
    case LIBUSB_ERROR_ACCESS: return Error(ErrorId::kDevicePermission, fmt::format("This user may not open {}", message));
    case LIBUSB_ERROR_BUSY: return Error(ErrorId::kDeviceBusy, fmt::format("{} is held by somebody else ({})", device, libusb_error_name(code)));
    case LIBUSB_ERROR_NO_DEVICE:
    case LIBUSB_ERROR_NOT_FOUND: return Error(ErrorId::kDeviceLost, fmt::format("The cable lost {}", message));
    case LIBUSB_ERROR_NO_MEM: return Error(ErrorId::kHostMemory, fmt::format("No memory for {}", message));
    case LIBUSB_ERROR_PIPE: return Error(ErrorId::kTransferStalled, fmt::format("A request was refused by {}", message));
    case LIBUSB_ERROR_TIMEOUT: return Error(ErrorId::kTransferTimeout, fmt::format("No answer from {}", message));
    default: return Error(ErrorId::kTransferFailed, fmt::format("Failure of {}", message));
  }
}

}  // namespace naru::driver::libusb
