// Naru's public C++ API in one include: open a device, load a model, run it. The contracts are in the headers below.
#pragma once

#include "naru/base/log.h"
#include "naru/base/result.h"
#include "naru/compile.h"
#include "naru/device.h"
#include "naru/diagnostics.h"
#include "naru/model.h"
#include "naru/session.h"
#include "naru/tensor.h"
#include "naru/version.h"
