"""Looks names up by socket.getaddrinfo, which is the C library's. See README.md."""

import socket
import sys

print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    kind, name = line.split()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM, flags=socket.AI_CANONNAME)
        print("found", *[one[4][0] for one in found], *[one[3] for one in found if one[3]], flush=True)
    except socket.gaierror as failure:
        print("none", failure.errno, flush=True)
