"""A disk that takes as long as a test likes: calls of a library in front of the C library's wait at a gate.

The gate is a file: while it is missing, calls wait (and `gate.waiting` exists); if it says `fail`, they fail.
"""

import os
import subprocess

PASS_GATE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns -1 with errno set if the call is to fail. */
static int pass_gate(void) {
  char name[4096], text[8] = "";
  const char* gate = getenv("DISK_GATE");
  if (gate == NULL) return 0;
  snprintf(name, sizeof name, "%s.waiting", gate);
  int file;
  while ((file = open(gate, O_RDONLY)) < 0) {
    close(open(name, O_CREAT | O_WRONLY, 0600));
    usleep(1000);
  }
  ssize_t length = read(file, text, 4);
  close(file);
  if (length == 4 && strcmp(text, "fail") == 0) {
    errno = EIO;
    return -1;
  }
  return 0;
}
"""


def environment(directory, gate, calls):
    """For a process whose `calls` (C functions that use `pass_gate`) stand in front of the C library's."""
    source, library = directory / "gate.c", directory / "gate.so"
    source.write_text(PASS_GATE + calls)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return dict(os.environ, LD_PRELOAD=str(library), DISK_GATE=str(gate))
