// The generated reader of TFLite files. The one place that includes FlatBuffers, whose asserts must not end the process:
// every file has passed its verifier before an accessor is called.
#pragma once

#ifdef FLATBUFFERS_ASSERT
#error "Include import/tflite/schema.h before any FlatBuffers header"
#endif
#define FLATBUFFERS_ASSERT(condition) static_cast<void>(0)
// Numbers in text are never read; without this FlexBuffers wants the static library, which is not position independent.
#define FLATBUFFERS_LOCALE_INDEPENDENT 0

#include "tflite_generated.h"
