#!/usr/bin/env python3
"""Looks for calls of BoringSSL that its headers deprecate: they are removed sooner or later, and an update must not wait for us.

The compiler warns of those that have the attribute. Most have none: they are declared in sections that begin with
"Deprecated", in ssl_deprecated.h, or in headers of modules that say so. Needs the sources that packaged_source.py
fetches. Exit code 1 if anything is found.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import packaged_source  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Calls what an older library of a system has instead.
EXCEPTION = ROOT / "src/net/tls_library.h"
SECTION = re.compile(r"\n\n\n(?=// )")
DECLARED = re.compile(r"OPENSSL_EXPORT[^;(#]*?\b(\w+)\(|#define\s+(\w+)")
# One of each kind. If they are not found, the headers are written in another way and this must learn it.
KNOWN = {"X509_get_notBefore", "SSL_CTX_set1_curves_list", "X509V3_EXT_nconf_nid", "DES_set_key", "sk_new_null", "BN_is_prime_ex"}
KNOWN_GOOD = {"SSL_CTX_set1_groups_list", "X509_getm_notBefore", "SSL_read", "EVP_sha256"}


def is_deprecated_as_a_whole(header, text):
    return header.name == "ssl_deprecated.h" or re.search(r"module is deprecated|retained for legacy reasons only", text[:3000])


def deprecated_names(folder):
    """Every function and macro under a folder of headers that should not be used any more."""
    names = set()
    for header in sorted(folder.glob("*.h")):
        text = header.read_text(encoding="utf-8")
        whole = is_deprecated_as_a_whole(header, text)
        for section in SECTION.split(text):
            if whole or section.startswith("// Deprecated"):
                names.update(name for pair in DECLARED.findall(section) for name in pair if name)
            names.update(re.findall(r"OPENSSL_DEPRECATED[^;(#]*?\b(\w+)\(", section))
            names.update(re.findall(r"// WARNING: deprecated.*\n(?://.*\n)*OPENSSL_EXPORT[^;(#]*?\b(\w+)\(", section))
    return names


def own_files():
    for folder in ("src", "tools", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cc", ".h") and path != EXCEPTION:
                yield path


def main():
    names = deprecated_names(packaged_source.crate_folder("boring-sys") / "deps/boringssl/include/openssl")
    if not KNOWN <= names or KNOWN_GOOD & names:
        sys.exit(f"error: the headers of BoringSSL were not understood: {sorted(KNOWN - names | KNOWN_GOOD & names)}")
    faults = 0
    for path in own_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for name in sorted(names.intersection(re.findall(r"\w+", line.split("//")[0]))):
                print(f"{path.relative_to(ROOT)}:{number}: {name} is deprecated; its header says what to call instead")
                faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
