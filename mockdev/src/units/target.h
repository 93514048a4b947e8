// A target for all functions between two lines. Headers are included before: what they define is for every CPU.
#pragma once

#define NARU_PRAGMA(text) _Pragma(#text)
#if !defined(__x86_64__)
#define NARU_BEGIN_TARGET(name)
#define NARU_END_TARGET
#elif defined(__clang__)
#define NARU_BEGIN_TARGET(name) NARU_PRAGMA(clang attribute push(__attribute__((target(name))), apply_to = function))
#define NARU_END_TARGET NARU_PRAGMA(clang attribute pop)
#else
#define NARU_BEGIN_TARGET(name) NARU_PRAGMA(GCC push_options) NARU_PRAGMA(GCC target(name))
#define NARU_END_TARGET NARU_PRAGMA(GCC pop_options)
#endif
