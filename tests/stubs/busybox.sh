#!/bin/sh
# Looks names up by busybox's nslookup, which asks by a resolver of its own. See README.md.
echo "ready"
while read -r kind name; do
    type=
    [ "$kind" = host ] || type=-type=srv
    # the first paragraph names the server
    text=$(busybox nslookup $type "$name" 2>&1 | sed '1,/^$/d')
    found=$(echo "$text" | sed -n -e 's/^Address: //p' -e 's/.*service = //p' | tr ' ' ':')
    if [ -n "$found" ]; then
        echo "found" $found # unquoted: all words on one line
    else
        echo "none" $(echo "$text" | sed -n -e "s/.*can't find [^:]*: //p" -e 's/.*\(No answer\).*/\1/p' | sort -u | tr ' ' '_')
    fi
done
