// Symbol visibility: everything is hidden unless a public header marks it with NARU_API.
#pragma once

#define NARU_API __attribute__((visibility("default")))
