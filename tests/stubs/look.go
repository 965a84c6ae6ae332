// Looks names up by Go's own resolver (netgo, no C). See README.md.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	resolver := &net.Resolver{PreferGo: true}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		kind, name, _ := strings.Cut(lines.Text(), " ")
		if kind == "host" {
			addresses, err := resolver.LookupIPAddr(context.Background(), name)
			say(err, addresses, func(one net.IPAddr) string { return one.String() })
		} else {
			_, services, err := resolver.LookupSRV(context.Background(), "", "", name)
			say(err, services, func(one *net.SRV) string {
				return fmt.Sprintf("%d:%d:%d:%s", one.Priority, one.Weight, one.Port, one.Target)
			})
		}
	}
}

func say[T any](err error, found []T, text func(T) string) {
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure):
		fmt.Printf("none notfound=%t,timeout=%t,temporary=%t\n", failure.IsNotFound, failure.IsTimeout, failure.IsTemporary)
	case err != nil:
		fmt.Println("none", strings.ReplaceAll(err.Error(), " ", "_"))
	default:
		fmt.Print("found")
		for _, one := range found {
			fmt.Print(" ", text(one))
		}
		fmt.Println()
	}
}
