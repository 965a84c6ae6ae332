#!/bin/sh
# Looks names up by `getent ahosts`: getaddrinfo of the C library, canonical name and all. See README.md.
echo "ready"
while read -r _ name; do
    if text=$(getent ahosts "$name"); then
        echo "found" $text # unquoted: all words on one line
    else
        echo "none $?"
    fi
done
