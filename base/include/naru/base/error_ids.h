// The one list of error ids: number, kind, short name, remedy. docs/spec/errors.md is generated from it. Numbers are never reused.
// Ranges: 01xx arguments · 02xx model import · 03xx device and cable · 04xx compiler · 05xx package · 06xx stream verifier ·
// 07xx what a device reports · 08xx findings of diagnostics · 09xx internal.
#pragma once

#include <cstdint>
#include <string_view>

namespace naru {

/// By consequence: what the caller can do about it. One fixed map leads from here to exit codes.
enum class ErrorKind : std::uint8_t {
  kInvalidArgument,  // fix the call
  kInvalidFile,      // an input file is bad or missing: fix the file
  kUnsupported,      // fall back, or do without
  kNotFound,         // no such device
  kPermission,       // not allowed
  kBusy,             // somebody else has it: retry later
  kTimeout,          // retry or reset
  kCancelled,        // on request
  kDeviceLost,       // reopen
  kProtocol,         // the device broke its contract: report with a recording
  kVersion,          // upgrade the side that the message names
  kSecurity,         // do not trust it
  kOutOfMemory,      // host or device
  kCouldNotRun,      // this machine lacks what it needs
  kCheckFailed,      // a check that was asked for found a difference
  kInternal,         // our bug
};

enum class ErrorId : std::uint16_t {
  // 01xx arguments
  kInvalidArgument = 101,
  kUsage = 102,
  kFileNotFound = 103,
  kFileUnreadable = 104,
  kFileUnwritable = 105,
  kInputSize = 106,
  kTensorType = 107,
  kImageFormat = 108,
  kSelector = 109,
  kProfileInvalid = 110,
  kProfileNotFound = 111,
  kWrongThreadOrState = 112,
  kOutputUnwritable = 113,
  kInputValue = 114,
  // 02xx model import
  kModelNotTflite = 201,
  kModelStructure = 202,
  kModelTensorIndex = 203,
  kModelBufferIndex = 204,
  kModelShape = 205,
  kModelQuantization = 206,
  kModelOptions = 207,
  kModelOperatorUnknown = 208,
  kModelOperatorUnsupported = 209,
  kModelLimit = 210,
  kModelGraph = 211,
  kModelTypeUnsupported = 212,
  kModelConstant = 213,
  // 03xx device and cable
  kDeviceNotFound = 301,
  kDeviceAmbiguous = 302,
  kDevicePermission = 303,
  kDeviceBusy = 304,
  kDeviceLost = 305,
  kDeviceNotNaru = 306,
  kTransferTimeout = 307,
  kTransferStalled = 308,
  kTransferFailed = 309,
  kTransferCancelled = 310,
  kHostMemory = 311,
  kDeviceStateInvalid = 312,
  kProtocolVersion = 313,
  kProtocolViolation = 314,
  kChecksum = 315,
  kStaleEpoch = 316,
  kNodeDead = 317,
  kFuseUnavailable = 318,
  kRomMode = 319,
  // 04xx compiler
  kCompileSramTooSmall = 401,
  kCompileDramTooSmall = 402,
  kCompileUnsupported = 403,
  kCompileTooLong = 404,
  kCompileLimit = 405,
  // 05xx package
  kPackageNotNaru = 501,
  kPackageTruncated = 502,
  kPackageHash = 503,
  kPackageVersion = 504,
  kPackageRequirement = 505,
  kPackageStructure = 506,
  // 06xx stream verifier
  kStreamTruncated = 601,
  kStreamOpcode = 602,
  kStreamReserved = 603,
  kStreamField = 604,
  kStreamRegion = 605,
  kStreamBounds = 606,
  kStreamRights = 607,
  kStreamAlignment = 608,
  kStreamWait = 609,
  kStreamHazard = 610,
  kStreamEnd = 611,
  kStreamEngine = 612,
  kStreamMemoryKind = 613,
  kStreamBudget = 614,
  kStreamHeader = 615,
  kStreamVersion = 616,
  kStreamSize = 617,
  kStreamOverlap = 618,
  kStreamDeadlock = 619,
  kStreamBinding = 620,
  // 07xx what a device reports
  kJobFault = 701,
  kJobBudget = 702,
  kJobCancelled = 703,
  kDeadline = 704,
  kDeviceOutOfMemory = 705,
  kHandleInvalid = 706,
  kDeviceRefused = 707,
  kLeaseLost = 708,
  kDeviceFault = 709,
  // 08xx findings of diagnostics
  kCheckDiffers = 801,
  kDiagnosticsFailed = 802,
  kDiagnosticsCouldNotRun = 803,
  // 09xx internal
  kInternal = 901,
  kHostOutOfMemory = 902,
};

struct ErrorRow {
  ErrorId id;
  ErrorKind kind;
  std::string_view name;    // short, stable, for JSON
  std::string_view remedy;  // the default; an Error may carry a better one
};

inline constexpr ErrorRow kErrorTable[] = {
    {ErrorId::kInvalidArgument, ErrorKind::kInvalidArgument, "argument.invalid", "Correct the argument that the message names."},
    {ErrorId::kUsage, ErrorKind::kInvalidArgument, "argument.usage", "See `naru help` and the verb's --help."},
    {ErrorId::kFileNotFound, ErrorKind::kInvalidFile, "file.not-found", "Check the path."},
    {ErrorId::kFileUnreadable, ErrorKind::kInvalidFile, "file.unreadable", "Check that the path is a regular file that you may read."},
    {ErrorId::kFileUnwritable, ErrorKind::kInvalidArgument, "file.unwritable", "Choose a folder that exists, has space and that you may write to."},
    {ErrorId::kInputSize, ErrorKind::kInvalidFile, "input.size", "Give the raw little-endian tensor, or an image of the model's size; `naru inspect MODEL` prints the shapes."},
    {ErrorId::kTensorType, ErrorKind::kInvalidArgument, "tensor.type", "Use the element type that the tensor has; `naru inspect MODEL` prints it."},
    {ErrorId::kImageFormat, ErrorKind::kInvalidFile, "image.format", "Give a PNG, BMP or PPM of the model's input size, and --mean and --std when the model wants normalised values."},
    {ErrorId::kSelector, ErrorKind::kInvalidArgument, "selector.invalid", "Use mock[:PROFILE], usb[:SERIAL|BUS-PORT] or node:PATH."},
    {ErrorId::kProfileInvalid, ErrorKind::kInvalidFile, "profile.invalid", "Correct the line that the message names; profile/profiles/edge.profile explains every key."},
    {ErrorId::kProfileNotFound, ErrorKind::kInvalidArgument, "profile.not-found", "Use edge, tiny, or the path of a profile file."},
    {ErrorId::kWrongThreadOrState, ErrorKind::kInvalidArgument, "call.out-of-order", "Call in the order that the header documents."},
    {ErrorId::kOutputUnwritable, ErrorKind::kInternal, "output.unwritable", "Free space where the output goes, or keep its reader running; the results were not all written."},
    {ErrorId::kInputValue, ErrorKind::kInvalidFile, "input.value", "The named operator cannot take a value that the inputs lead to: give other inputs, or mend the model where they do not matter."},
    {ErrorId::kModelNotTflite, ErrorKind::kInvalidFile, "model.not-tflite", "Give a .tflite model (it has TFL3 at byte 4) or a .naru package."},
    {ErrorId::kModelStructure, ErrorKind::kInvalidFile, "model.structure", "The file is damaged or made by a faulty converter: convert the model again."},
    {ErrorId::kModelTensorIndex, ErrorKind::kInvalidFile, "model.tensor-index", "The file is damaged or made by a faulty converter: convert the model again."},
    {ErrorId::kModelBufferIndex, ErrorKind::kInvalidFile, "model.buffer-index", "The file is damaged or made by a faulty converter: convert the model again."},
    {ErrorId::kModelShape, ErrorKind::kInvalidFile, "model.shape", "The tensor's shape does not fit its operator: convert the model again, with static shapes."},
    {ErrorId::kModelQuantization, ErrorKind::kInvalidFile, "model.quantization", "Quantise the model fully to int8 and convert it again."},
    {ErrorId::kModelOptions, ErrorKind::kInvalidFile, "model.options", "The operator's options are missing or out of range: convert the model again."},
    {ErrorId::kModelOperatorUnknown, ErrorKind::kUnsupported, "model.operator-unknown", "This operator is not known to this version; docs/operators.md lists those that are."},
    {ErrorId::kModelOperatorUnsupported, ErrorKind::kUnsupported, "model.operator-unsupported", "This form of the operator is not supported yet; docs/operators.md lists the forms that are."},
    {ErrorId::kModelLimit, ErrorKind::kInvalidFile, "model.limit", "The model is over a limit that protects this process; the message names it."},
    {ErrorId::kModelGraph, ErrorKind::kInvalidFile, "model.graph", "The graph is not an acyclic one with each tensor written once: convert the model again."},
    {ErrorId::kModelTypeUnsupported, ErrorKind::kUnsupported, "model.type-unsupported", "Quantise the model fully to int8; docs/operators.md lists the types per operator."},
    {ErrorId::kModelConstant, ErrorKind::kInvalidFile, "model.constant", "A constant is missing, has the wrong size or holds what its operator cannot take: convert the model again."},
    {ErrorId::kDeviceNotFound, ErrorKind::kNotFound, "device.not-found", "Plug a device in, or start one with `naru mock serve --fuse PATH` and give --device node:PATH, or use --device mock."},
    {ErrorId::kDeviceAmbiguous, ErrorKind::kInvalidArgument, "device.ambiguous", "Choose one with --device or NARU_DEVICE."},
    {ErrorId::kDevicePermission, ErrorKind::kPermission, "device.permission", "Add a udev rule for vendor 1209 (see docs/usb.md), or run as a user who may open the device."},
    {ErrorId::kDeviceBusy, ErrorKind::kBusy, "device.busy", "Another process holds the device: end it, or wait."},
    {ErrorId::kDeviceLost, ErrorKind::kDeviceLost, "device.lost", "Plug it in again (or restart the mock) and repeat."},
    {ErrorId::kDeviceNotNaru, ErrorKind::kNotFound, "device.not-naru", "The device does not answer as a Naru NPU: choose another one."},
    {ErrorId::kTransferTimeout, ErrorKind::kTimeout, "transfer.timeout", "Repeat; if it stays, `naru reset`, then replug."},
    {ErrorId::kTransferStalled, ErrorKind::kProtocol, "transfer.stalled", "`naru reset`; if it stays, report it with what --verbose and NARU_LOG=debug print."},
    {ErrorId::kTransferFailed, ErrorKind::kDeviceLost, "transfer.failed", "Check cable and port, replug, and repeat; `naru diag --level 1` tests the link."},
    {ErrorId::kTransferCancelled, ErrorKind::kCancelled, "transfer.cancelled", "Repeat it when it is wanted: the caller ended it early."},
    {ErrorId::kHostMemory, ErrorKind::kOutOfMemory, "host.usb-memory", "Raise /sys/module/usbcore/parameters/usbfs_memory_mb, or close other users of USB."},
    {ErrorId::kDeviceStateInvalid, ErrorKind::kInvalidArgument, "device.state", "Open the device again."},
    {ErrorId::kProtocolVersion, ErrorKind::kVersion, "protocol.version", "Upgrade the side that the message names."},
    {ErrorId::kProtocolViolation, ErrorKind::kProtocol, "protocol.violation", "`naru reset`; if it stays, report it with what --verbose and NARU_LOG=debug print."},
    {ErrorId::kChecksum, ErrorKind::kProtocol, "protocol.checksum", "Check the cable; if it stays, report it with what --verbose and NARU_LOG=debug print."},
    {ErrorId::kStaleEpoch, ErrorKind::kDeviceLost, "device.reset-by-other", "Another program reset the device: run again; `naru reset` refuses a device in use unless --force is given."},
    {ErrorId::kNodeDead, ErrorKind::kNotFound, "node.dead", "Nothing serves this node: start `naru mock serve --fuse PATH` (a stale mount is removed with `fusermount3 -u PATH`)."},
    {ErrorId::kFuseUnavailable, ErrorKind::kCouldNotRun, "fuse.unavailable", "Load the fuse module, give the container /dev/fuse and SYS_ADMIN, or use --device mock."},
    {ErrorId::kRomMode, ErrorKind::kUnsupported, "device.rom-mode", "The device waits for firmware, which this version cannot load: replug it, or update it with the maker's tool."},
    {ErrorId::kCompileSramTooSmall, ErrorKind::kUnsupported, "compile.sram", "Use a profile with more SRAM, or split the operator."},
    {ErrorId::kCompileDramTooSmall, ErrorKind::kUnsupported, "compile.dram", "Use a profile with more DRAM, or a smaller model."},
    {ErrorId::kCompileUnsupported, ErrorKind::kUnsupported, "compile.unsupported", "docs/operators.md lists what compiles."},
    {ErrorId::kCompileTooLong, ErrorKind::kUnsupported, "compile.job-too-long", "Use a chip with a longer cycle limit, or a smaller operator."},
    {ErrorId::kCompileLimit, ErrorKind::kInvalidFile, "compile.limit", "The model is over a limit that protects this process; the message names it."},
    {ErrorId::kPackageNotNaru, ErrorKind::kInvalidFile, "package.not-naru", "Give a package made by `naru compile`."},
    {ErrorId::kPackageTruncated, ErrorKind::kInvalidFile, "package.truncated", "The file is cut short: copy or compile it again."},
    {ErrorId::kPackageHash, ErrorKind::kInvalidFile, "package.hash", "The file is damaged: copy or compile it again."},
    {ErrorId::kPackageVersion, ErrorKind::kVersion, "package.version", "Compile the model again with this version."},
    {ErrorId::kPackageRequirement, ErrorKind::kVersion, "package.requirement", "Compile the model for this chip: `naru compile --profile`."},
    {ErrorId::kPackageStructure, ErrorKind::kInvalidFile, "package.structure", "The package contradicts itself: compile the model again."},
    {ErrorId::kStreamTruncated, ErrorKind::kInvalidFile, "stream.truncated", "Compile the model again."},
    {ErrorId::kStreamOpcode, ErrorKind::kInvalidFile, "stream.opcode", "Compile the model again for this chip."},
    {ErrorId::kStreamReserved, ErrorKind::kInvalidFile, "stream.reserved", "Compile the model again."},
    {ErrorId::kStreamField, ErrorKind::kInvalidFile, "stream.field", "Compile the model again."},
    {ErrorId::kStreamRegion, ErrorKind::kInvalidFile, "stream.region", "Compile the model again."},
    {ErrorId::kStreamBounds, ErrorKind::kInvalidFile, "stream.bounds", "Compile the model again."},
    {ErrorId::kStreamRights, ErrorKind::kInvalidFile, "stream.rights", "Compile the model again."},
    {ErrorId::kStreamAlignment, ErrorKind::kInvalidFile, "stream.alignment", "Compile the model again."},
    {ErrorId::kStreamWait, ErrorKind::kInvalidFile, "stream.wait", "Compile the model again."},
    {ErrorId::kStreamHazard, ErrorKind::kInvalidFile, "stream.hazard", "Compile the model again; if this version made it, report it."},
    {ErrorId::kStreamEnd, ErrorKind::kInvalidFile, "stream.end", "Compile the model again."},
    {ErrorId::kStreamEngine, ErrorKind::kInvalidFile, "stream.engine", "Compile the model again for this chip."},
    {ErrorId::kStreamMemoryKind, ErrorKind::kInvalidFile, "stream.memory-kind", "Compile the model again."},
    {ErrorId::kStreamBudget, ErrorKind::kInvalidFile, "stream.budget", "Compile the model again for this chip."},
    {ErrorId::kStreamHeader, ErrorKind::kInvalidFile, "stream.header", "Give a command stream made by `naru compile`."},
    {ErrorId::kStreamVersion, ErrorKind::kVersion, "stream.version", "Compile the model again with this version, for this chip."},
    {ErrorId::kStreamSize, ErrorKind::kInvalidFile, "stream.size", "Compile the model again."},
    {ErrorId::kStreamOverlap, ErrorKind::kInvalidFile, "stream.overlap", "Compile the model again; if this version made it, report it."},
    {ErrorId::kStreamDeadlock, ErrorKind::kInvalidFile, "stream.deadlock", "Compile the model again; if this version made it, report it."},
    {ErrorId::kStreamBinding, ErrorKind::kInvalidArgument, "stream.binding", "Bind regions of the declared kind, rights and length, and give each writable one bytes of its own."},
    {ErrorId::kJobFault, ErrorKind::kProtocol, "job.fault", "The device refused a command of the job: run `naru verify` on the package."},
    {ErrorId::kJobBudget, ErrorKind::kTimeout, "job.budget", "Give the job a larger cycle budget."},
    {ErrorId::kJobCancelled, ErrorKind::kCancelled, "job.cancelled", "Repeat it when it is wanted: the caller ended it early."},
    {ErrorId::kDeadline, ErrorKind::kTimeout, "job.deadline", "Give a longer deadline, or look with `naru counters` at what the device does."},
    {ErrorId::kDeviceOutOfMemory, ErrorKind::kOutOfMemory, "device.memory", "Free buffers or models, or use a chip with more DRAM."},
    {ErrorId::kHandleInvalid, ErrorKind::kInvalidArgument, "device.handle", "The buffer or stream was freed or belongs to another context: open the session again."},
    {ErrorId::kDeviceRefused, ErrorKind::kProtocol, "device.refused", "The device refused a well-formed request: report it with what --verbose and NARU_LOG=debug print."},
    {ErrorId::kLeaseLost, ErrorKind::kBusy, "device.lease-lost", "A session loads its weights again by itself; with the driver alone, submit the job that takes the lease again."},
    {ErrorId::kDeviceFault, ErrorKind::kProtocol, "device.fault", "`naru reset`, then `naru diag --level 2`."},
    {ErrorId::kCheckDiffers, ErrorKind::kCheckFailed, "check.differs", "Do not trust this device's results: run `naru diag --level 2`."},
    {ErrorId::kDiagnosticsFailed, ErrorKind::kCheckFailed, "diag.failed", "Follow the action that stands beside each failed test."},
    {ErrorId::kDiagnosticsCouldNotRun, ErrorKind::kInternal, "diag.could-not-run", "Mend what the test names, and repeat."},
    {ErrorId::kInternal, ErrorKind::kInternal, "internal", "This is a bug of Naru: report it with the command that shows it."},
    {ErrorId::kHostOutOfMemory, ErrorKind::kOutOfMemory, "host.memory", "Free memory on this machine, or use a smaller model."},
};

[[nodiscard]] constexpr const ErrorRow& error_row(ErrorId id) noexcept {
  for (const ErrorRow& row : kErrorTable)
    if (row.id == id) return row;
  return error_row(ErrorId::kInternal);
}

}  // namespace naru
