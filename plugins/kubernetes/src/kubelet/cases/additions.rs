//! What a pod adds by its dnsConfig, and what may be in it since Kubernetes 1.34.

use super::*;

pub(super) fn additions() -> Vec<Case> {
    let more = "ClusterFirst";
    vec![
        case(
            "an own search comes last",
            host(CORP),
            searches(more, &["a.example"]),
            "+ corp.example lab.example a.example | 5",
        ),
        case(
            "a repeat is dropped, the first kept",
            host(CORP),
            searches(more, &["lab.example", "a.example", "svc.cluster.local", "a.example"]),
            "+ corp.example lab.example a.example | 5",
        ),
        case(
            "own searches after the host's",
            host(CORP),
            searches("Default", &["a.example", "corp.example"]),
            "corp.example lab.example a.example | 2",
        ),
        case(
            "a repeat with a dot is one for stubs",
            host(""),
            searches(more, &["cluster.local.", "a.example."]),
            "+ a.example | 5",
        ),
        case(
            "a repeat in capitals is one for stubs",
            host(""),
            searches(more, &["Cluster.Local", "A.Example"]),
            "+ a.example | 5",
        ),
        case("an empty dnsConfig", host(""), json!({"dnsPolicy": more, "dnsConfig": {}}), "+ | 5"),
        case("a null dnsConfig", host(""), json!({"dnsPolicy": more, "dnsConfig": null}), "+ | 5"),
        case("ndots lowered", host(""), options(more, &["ndots=2"]), "+ | 2"),
        case("ndots raised", host(""), options(more, &["ndots=9"]), "+ | 9"),
        case("ndots at the stubs' bound", host(""), options(more, &["ndots=15"]), "+ | 15"),
        case("ndots above it", host(""), options(more, &["ndots=16"]), "+ | 15"),
        case("ndots 0: nothing is searched", host(""), options(more, &["ndots=0"]), "+ | 0"),
        case("ndots without a value takes it away", host(""), options(more, &["ndots"]), "+ | 1"),
        case("and so does an empty value", host(""), options(more, &["ndots="]), "+ | 1"),
        case("ndots twice, the last one", host(""), options(more, &["ndots=2", "ndots=3"]), "+ | 3"),
        case("ndots as part of the name", host(""), options(more, &["ndots:2"]), "+ | 2"),
        case("and one that is larger", host(""), options(more, &["ndots:7"]), "+ | 5"),
        case("a negative ndots", host(""), options(more, &["ndots=-1"]), "+ | 0"),
        case("ndots in words", host(""), options(more, &["ndots=five"]), "+ | 0"),
        case("ndots larger than an int", host(""), options(more, &["ndots=4294967297"]), "+ | 0"),
        case("other options", host(""), options(more, &["edns0", "timeout=1", "single-request-reopen"]), "+ | 5"),
        case("an option with musl's letters inside", host(""), options(more, &["xndots=2"]), "+ | 2"),
        case("an option that breaks the line", host(""), options(more, &["rotate=\nsearch evil.example"]), "none"),
        case("an option with a blank", host(""), options(more, &["ndots=5 ndots:2"]), "none"),
        case(
            "Default, the pod's ndots over the host's",
            host(CORP),
            options("Default", &["ndots=4"]),
            "corp.example lab.example | 4",
        ),
        case(
            "Default, the host's ndots stays",
            host(CORP),
            options("Default", &["edns0"]),
            "corp.example lab.example | 2",
        ),
        case("None, ndots alone", host(CORP), options("None", &["ndots=2"]), "none"),
    ]
}

pub(super) fn relaxed() -> Vec<Case> {
    let more = "ClusterFirst";
    vec![
        case(
            "an underscore",
            host(""),
            searches(more, &["_tcp.a_b.example", "_svc.example"]),
            "+ _tcp.a_b.example _svc.example | 5",
        ),
        case(
            "the root first",
            host(CORP),
            searches("None", &[".", "shop.svc.cluster.local", "svc.cluster.local"]),
            ". shop.svc.cluster.local svc.cluster.local | 1",
        ),
        case("the root last", host(CORP), searches(more, &["."]), "+ corp.example lab.example . | 5"),
        case("the root alone", host(CORP), searches("None", &["."]), ". | 1"),
        case("the root between others: stubs differ", host(""), searches(more, &[".", "a.example"]), "none"),
        case("the root first and last", host(""), searches("None", &[".", "a.example", "."]), ". a.example | 1"),
        case(
            "the root, and after it a repeat in capitals",
            host(""),
            searches(more, &[".", "CLUSTER.local"]),
            "+ . | 5",
        ),
        case(
            "a label of 63",
            host(""),
            searches("None", &[&format!("{}.example", "a".repeat(63))]),
            format!("{}.example | 1", "a".repeat(63)),
        ),
        case(
            "a label of 64, which the API lets in",
            host(""),
            searches(more, &[&format!("{}.example", "a".repeat(64))]),
            "none",
        ),
        case("an empty label", host("search a..example\n"), policy(more), "none"),
        case("a backslash", host("search a\\.b.example\n"), policy(more), "none"),
        case("what looks like a comment", host("search a.example #b.example\n"), policy(more), "none"),
        case("a dash at either end", host("search a-.-b.example\n"), policy(more), "+ a-.-b.example | 5"),
        case("letters beyond ASCII", host("search zürich.example\n"), policy(more), "none"),
        case(
            "such a domain does not touch None",
            host("search a..example\n"),
            searches("None", &["b.example"]),
            "b.example | 1",
        ),
        case("two dots at the end", host(""), searches(more, &["a.example.."]), "none"),
        case("an empty domain is a blank", host(""), searches("None", &["", "a.example", ""]), "a.example | 1"),
        case("a domain of two words", host(""), searches(more, &["a.example b.example"]), "none"),
        case("only digits", host(""), searches("None", &["10.example", "7"]), "10.example 7 | 1"),
    ]
}
