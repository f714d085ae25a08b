// SPDX-License-Identifier: Apache-2.0
/* Columns -> lines of text. Python's operator % takes four times as long for a line of JSON. */
#include "lines.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define LONGEST_NUMBER 32 /* bytes: more than any that is written below has */

struct text {
	char *bytes;
	Py_ssize_t size, room;
};

/* Times are often of the same second. */
struct second {
	int64_t at;
	char text[LONGEST_NUMBER];
};

static bool make_room(struct text *text, Py_ssize_t more)
{
	Py_ssize_t room = 2 * (text->size + more);
	char *bytes;

	if (text->bytes && text->room - text->size >= more)
		return true;
	bytes = PyMem_Realloc(text->bytes, room);
	if (!bytes) {
		PyErr_NoMemory();
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

static bool add_bytes(struct text *text, const char *bytes, Py_ssize_t size)
{
	if (!make_room(text, size))
		return false;
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return true;
}

static bool add_string(struct text *text, PyObject *string)
{
	Py_ssize_t size;
	const char *bytes = PyUnicode_AsUTF8AndSize(string, &size);

	return bytes && add_bytes(text, bytes, size);
}

/* Write the number with so many digits at least, which end at `end`; return where it begins. */
static char *put_number(char *end, uint64_t number, int digits)
{
	for (; number || digits > 0; number /= 10, digits--)
		*--end = "0123456789"[number % 10];
	return end;
}

/* As PyLong_AsLongLong(), and also for what has 64 bits without a sign. */
static bool to_number(PyObject *value, uint64_t *size, bool *is_negative)
{
	int overflow;
	long long number = PyLong_AsLongLongAndOverflow(value, &overflow);

	*is_negative = number < 0 && !overflow;
	*size = *is_negative ? -(uint64_t)number : (uint64_t)number;
	if (overflow > 0)
		*size = PyLong_AsUnsignedLongLong(value);
	else if (overflow < 0)
		PyErr_SetString(PyExc_OverflowError, "a number is too small");
	return !PyErr_Occurred();
}

/* Add nanoseconds as seconds with so many decimals, rounded down; an integer if there are none. */
static bool add_number(struct text *text, PyObject *value, int decimals)
{
	char number[LONGEST_NUMBER], *end = number + sizeof(number), *start = end;
	bool is_negative;
	uint64_t size, whole = 1;

	if (!to_number(value, &size, &is_negative))
		return false;
	for (int i = decimals; decimals && i < 9; i++)
		size = (size + (is_negative ? 9 : 0)) / 10;
	for (int i = 0; i < decimals; i++)
		whole *= 10;
	if (decimals) {
		start = put_number(start, size % whole, decimals);
		*--start = '.';
	}
	start = put_number(start, size / whole, 1);
	if (is_negative)
		*--start = '-';
	return add_bytes(text, start, end - start);
}

/* Add nanoseconds since the epoch as "2026-11-23T06:13:40.123456Z". */
static bool add_time(struct text *text, PyObject *value, struct second *last)
{
	long long ns = PyLong_AsLongLong(value);
	int64_t second = ns / SECOND_NS - (ns % SECOND_NS < 0);

	if (ns == -1 && PyErr_Occurred())
		return false;
	if (second != last->at || !last->text[0]) {
		time_t since_epoch = second;
		struct tm utc;

		gmtime_r(&since_epoch, &utc);
		last->at = second;
		strftime(last->text, sizeof(last->text), "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
	}
	put_number(last->text + strlen(last->text) - 1, (ns - second * SECOND_NS) / 1000, 6);
	return add_bytes(text, last->text, (Py_ssize_t)strlen(last->text));
}

static bool add_value(struct text *text, PyObject *value, char form, struct second *last)
{
	if (Py_IS_TYPE(value, &PyUnicode_Type))
		return add_string(text, value);
	if (value == Py_None && (form == '6' || form == '9'))
		return add_bytes(text, "null", 4);
	if (!Py_IS_TYPE(value, &PyLong_Type)) {
		PyErr_SetString(PyExc_TypeError, "neither a text, an integer nor None");
		return false;
	}
	if (form == 't')
		return add_time(text, value, last);
	return add_number(text, value, form == 's' ? 0 : form - '0');
}

struct part {
	const char *bytes;
	Py_ssize_t size;
	PyObject *column; /* whose value follows; NULL: a line ends here */
};

static bool add_line(struct text *text, const struct part *part, const char *forms, Py_ssize_t row,
		     struct second *last)
{
	for (; part->column; part++) {
		PyObject *value = PyList_GetItem(part->column, row);

		if (!value || !add_bytes(text, part->bytes, part->size) ||
		    !add_value(text, value, *forms++, last))
			return false;
	}
	return add_bytes(text, part->bytes, part->size);
}

/* Add all lines: each has `width` values, and parts before, between and behind them. */
static bool add_lines(struct text *text, PyObject *parts, const char *forms, PyObject *columns,
		      Py_ssize_t width)
{
	struct part *known = PyMem_Calloc(width + 1, sizeof(*known));
	Py_ssize_t count = PyList_Size(PyList_GetItem(columns, 0));
	struct second last = { 0 };
	bool is_done = true;

	if (!known) {
		PyErr_NoMemory();
		return false;
	}
	for (Py_ssize_t i = 0; is_done && i <= width; i++) {
		known[i].bytes = PyUnicode_AsUTF8AndSize(PyList_GetItem(parts, i), &known[i].size);
		known[i].column = i < width ? PyList_GetItem(columns, i) : NULL;
		is_done = known[i].bytes;
	}
	for (Py_ssize_t row = 0; is_done && row < count; row++)
		is_done = add_line(text, known, forms, row, &last);
	PyMem_Free(known);
	return is_done;
}

PyObject *lines(PyObject *Py_UNUSED(module), PyObject *args)
{
	struct text text = { 0 };
	PyObject *parts, *columns, *made = NULL;
	const char *forms;
	Py_ssize_t width;

	if (!PyArg_ParseTuple(args, "O!s#O!:lines", &PyList_Type, &parts, &forms, &width,
			      &PyList_Type, &columns))
		return NULL;
	if (!width || PyList_Size(columns) != width || PyList_Size(parts) != width + 1)
		return PyErr_Format(PyExc_ValueError, "%zd forms, but %zd columns and %zd parts",
				    width, PyList_Size(columns), PyList_Size(parts));
	if (strspn(forms, "s69t") != (size_t)width)
		return PyErr_Format(PyExc_ValueError, "no such form in %s", forms);
	for (Py_ssize_t i = 0; i < width; i++) {
		PyObject *column = PyList_GetItem(columns, i);

		if (!PyList_Check(column))
			return PyErr_Format(PyExc_TypeError, "a column is no list");
		if (PyList_Size(column) != PyList_Size(PyList_GetItem(columns, 0)))
			return PyErr_Format(PyExc_ValueError, "columns of different lengths");
	}
	if (add_lines(&text, parts, forms, columns, width))
		made = PyUnicode_FromStringAndSize(text.bytes, text.size);
	PyMem_Free(text.bytes);
	return made;
}
