// SPDX-License-Identifier: Apache-2.0
/* Checks that event.h, as this compiler lays it out, is what layout.py says. There is no code here. */
#include "bpf/event.h"
#include "layout_checks.h"
