"""Looks names up by dnspython, which searches if it is told to; `tcp` as argument: over TCP alone. See README.md."""

import sys

import dns.exception
import dns.resolver


def look(name, rtype):
    try:
        answer = dns.resolver.resolve(name, rtype, tcp="tcp" in sys.argv[1:], search=True)
        return " ".join(["found", *[one.to_text().replace(" ", ":") for one in answer]])
    except dns.exception.DNSException as failure:
        return f"none {type(failure).__name__}"


print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    kind, name = line.split()
    types = ["A", "AAAA"] if kind == "host" else ["SRV"]
    print(" | ".join(look(name, rtype) for rtype in types), flush=True)
