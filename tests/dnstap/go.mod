module nearpath.invalid/tests/dnstap

go 1.26.0

tool github.com/dnstap/golang-dnstap/dnstap

require (
	github.com/dnstap/golang-dnstap v0.4.0 // indirect
	github.com/farsightsec/golang-framestream v0.3.0 // indirect
	github.com/miekg/dns v1.1.73 // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	google.golang.org/protobuf v1.23.0 // indirect
)
