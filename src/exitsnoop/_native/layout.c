// SPDX-License-Identifier: Apache-2.0
/* Checks that layout.py says how this compiler lays the headers out. There is no code here. */
#include "bpf/event.h"
#include "bpf/filter_sets.h"
#include "layout_checks.h"
