#!/usr/bin/env python3
"""Writes a C++ file that holds the guides of the dialects: embed_guides.py OUTPUT FOLDER/guide.txt..."""

import pathlib
import sys

output, *files = map(pathlib.Path, sys.argv[1:])
cases = []
for file in files:
    text = file.read_text(encoding="utf-8")
    assert ')guide"' not in text
    cases.append(f'  if (dialect == "{file.parent.name.replace("_", "-")}") return R"guide({text})guide";\n')
output.write_text('#include "dialect/guide.h"\n\nnamespace ringpost::dialect {\n\n'
                  "std::string_view guide(std::string_view dialect) {\n" + "".join(cases) +
                  "  return {};\n}\n\n}  // namespace ringpost::dialect\n", encoding="utf-8")
