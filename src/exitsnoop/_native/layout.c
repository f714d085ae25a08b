// SPDX-License-Identifier: Apache-2.0
/* Holds layout.py, by which Python decodes, to event.h as this compiler lays it out. There is no code. */
#include "bpf/event.h"
#include "layout_checks.h"
