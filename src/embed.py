#!/usr/bin/env python3
"""Writes a C++ file that holds a text file: embed.py INPUT OUTPUT HEADER NAMESPACE FUNCTION.

HEADER declares `std::string_view FUNCTION()` in NAMESPACE, which the file defines.
"""

import pathlib
import sys

source, output, header, namespace, function = sys.argv[1:]
text = pathlib.Path(source).read_text(encoding="utf-8")
assert ')embedded"' not in text
pathlib.Path(output).write_text(
    f'#include "{header}"\n\n'
    '#pragma GCC diagnostic ignored "-Woverlength-strings"  // No compiler here has that limit.\n\n'
    f'namespace {namespace} {{\n\n'
    f'std::string_view {function}() {{ return R"embedded({text})embedded"; }}\n\n'
    f'}}  // namespace {namespace}\n', encoding="utf-8")
