#!/usr/bin/env python3
"""Writes a C++ file that holds a text file: embed.py INPUT OUTPUT."""

import pathlib
import sys

text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
assert ')example"' not in text
pathlib.Path(sys.argv[2]).write_text(
    '#include "server/config.h"\n\nnamespace ringpost::server {\n\n'
    f'std::string_view example_config() {{ return R"example({text})example"; }}\n\n'
    "}  // namespace ringpost::server\n", encoding="utf-8")
