"""HAProxy and nginx as references: one process, which forwards to a receiver over TLS 1.3 that it verifies and keeps open."""

import os
import shutil
import socket
import subprocess
import sys
import time

import measuring
from measuring import harness


def program_of(name):
    """A server that tools/check has unpacked into the build directory, or the system's."""
    unpacked = harness.BUILD / "servers" / "root" / "usr" / "sbin" / name
    if unpacked.exists():
        return str(unpacked)
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        measuring.leave_out(f"there is no {name}: run `. tools/packages.sh && ensure_servers {harness.BUILD}`, which unpacks it there, "
                            f"or apt-get install {name}")
    return found


def environment():
    """With the libraries that were unpacked beside the servers."""
    library = harness.BUILD / "servers" / "root" / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    return dict(os.environ, LD_LIBRARY_PATH=str(library)) if library.exists() else dict(os.environ)


def haproxy(front, port, ca, config):
    config.write_text(f"""global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{front}
  default_backend out
backend out
  server sink 127.0.0.1:{port} ssl verify required ca-file {ca} verifyhost localhost force-tlsv13
""")
    return [program_of("haproxy"), "-db", "-f", str(config)]


def nginx(front, port, ca, config):
    place = config.parent
    config.write_text(f"""daemon off;
master_process off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {place}/nginx-body;
  proxy_temp_path {place}/nginx-proxy;
  fastcgi_temp_path {place}/nginx-fastcgi;
  uwsgi_temp_path {place}/nginx-uwsgi;
  scgi_temp_path {place}/nginx-scgi;
  upstream sink {{
    server 127.0.0.1:{port};
    keepalive 64;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{front};
    keepalive_requests 1000000000;
    client_body_buffer_size 64k;
    location / {{
      proxy_pass https://sink;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {ca};
      proxy_ssl_name localhost;
    }}
  }}
}}
""")
    return [program_of("nginx"), "-e", "stderr", "-p", str(place), "-c", str(config)]


KNOWN = {"haproxy": haproxy, "nginx": nginx}


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Proxy(harness.Process):
    """In front of a sink's first endpoint, on the relay's CPU."""

    def __init__(self, name, place, sink):
        front = harness.free_port()
        command = KNOWN[name](front, int(sink.urls[0].rsplit(":", 1)[1]), sink.ca_file, place.path / f"{name}.conf")
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
        place.processes.append(self)
        deadline = time.monotonic() + harness.START_SECONDS
        while not is_listening(front):
            if self.child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.05)
        measuring.pin(self.child.pid, measuring.RELAY_CPU)
        self.url = f"http://127.0.0.1:{front}/in"
