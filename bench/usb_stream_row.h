// The row of inferences that stream over a real libusb.
#pragma once

#include <string>
#include <vector>

#include "rows.h"

namespace naru::bench {

/// `selector` names a served mock.
[[nodiscard]] Result<void> add_usb_stream(const std::string& selector, const Settings& settings, std::vector<Row>& rows);

}  // namespace naru::bench
