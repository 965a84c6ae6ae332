//! Expressions and the questions that they are true of, and what is wrong with others and where.

use std::net::SocketAddr;
use std::sync::Arc;

use contract::testing::{checked as judged, client};
use contract::wire::{Class, EdnsView, Name, RecordType};
use contract::{Client, LabelBook, Looked, Transport};

use crate::{ViewSpec, check};

/// A view with these lines, and what was reported.
fn checked(lines: &str) -> (Option<ViewSpec>, String) {
    judged(&format!("view test {{\n{lines}\n}}"), check)
}

fn view(expression: &str) -> ViewSpec {
    let (spec, report) = checked(&format!("expr {expression}"));
    spec.filter(|_| report.is_empty()).unwrap_or_else(|| panic!("{expression}\n{report}"))
}

/// Whether it selects `www.example.com.` AAAA from 10.1.2.3 port 40212 over UDP to 127.0.0.1 port 53.
fn selects(expression: &str) -> bool {
    selects_from(expression, client("10.1.2.3"), "www.example.com")
}

fn selects_from(expression: &str, client: Client, name: &str) -> bool {
    let name = Name::parse(name).unwrap();
    let looked = Looked {
        client: &client,
        name: name.as_wire(),
        rtype: RecordType::AAAA,
        class: Class::IN,
        edns: None,
        header: (7, 0x0100),
        size: 33,
    };
    view(expression)
        .selector(Arc::new(LabelBook::new(Some("test".to_owned()), Some(vec![Name::root()]))))
        .selects(&looked)
}

#[test]
fn expressions_are_true_or_not() {
    for (expression, expected) in [
        ("true", true),
        ("incidr(client_ip(), '10.0.0.0/8')", true),
        ("incidr(client_ip(), '10.1.2.99/24')", true),
        ("incidr(client_ip(), '127.0.0.0/24')", false),
        ("incidr(client_ip(), '0.0.0.0/0') && !incidr(client_ip(), '::/0')", true),
        ("incidr(client_ip(), '::ffff:10.0.0.0/104')", true),
        ("incidr(server_ip(), '127.0.0.1/32')", true),
        ("incidr('2001:db8::1', '2001:0DB8::/32')", true),
        ("incidr(client_ip(), '10.' + '0.0.0/8')", true),
        ("client_ip() | incidr('10.0.0.0/8')", true),
        ("type() in ['A', 'AAAA']", true),
        ("type() not in ['A', 'AAAA']", false),
        ("type() == 'AAAA' and class() == 'IN'", true),
        ("type() == 'aaaa' or type() == 'TYPE28'", false),
        ("'AAAA' == type() && type() != 'A'", true),
        ("lower(type()) == 'aaaa' && upper('a') == 'A'", true),
        (r"name() matches '^www\\..*\\.com\\.$'", true),
        (r"name() not matches `^abc\..*$`", true),
        ("name() == 'www.example.com.'", true),
        ("name() contains 'example' and name() startsWith 'www.' and name() endsWith '.com.'", true),
        ("name() not contains 'example' or name() not startsWith 'x'", true),
        ("hasPrefix(name(), 'www') && hasSuffix(name(), 'net.')", false),
        ("len(name()) == 16 and size() == 33 and id() == 7 and opcode() == 0", true),
        ("bufsize() == 512 and not do() and proto() == 'udp'", true),
        ("port() == '40212' and server_port() == '53' and server_ip() == '127.0.0.1'", true),
        ("client_ip() == '10.1.2.3'", true),
        ("(type() == 'A' && name() == 'example.com.') || client_ip() == '10.1.2.3'", true),
        ("metadata('view/name') == 'test' and metadata('no/such') == ''", true),
        ("size() in 1..33 and size() not in 1..32 and 33.0 in 33..33", true),
        ("1 < size() <= 33 and 0x21 == size() and 0b11 == 3 and 1_0 == 10", true),
        ("size() + 1 == 34 and size() - 1 == 32 and size() * 2 == 66 and size() % 10 == 3", true),
        ("size() / 2 == 16.5 and -size() < 0 and +1 == 1 and 1e1 == 10 and .5 < 1", true),
        ("2 + 3 * 4 == 14 and (2 + 3) * 4 == 20", true),
        ("int(port()) > 1024 and string(size()) == '33' and string(true) == 'true'", true),
        ("do() ? type() == 'A' : type() == 'AAAA'", true),
        ("(do() ? 'x' : 'y') == 'y' and (true ?: false)", true),
        ("('a' ?? 'b') == 'a'", true),
        ("'b' > 'a' and 'a' <= 'a' and not ('a' >= 'b')", true),
        ("1 in [1, 'a', true] and true in [false, true] and not (type() in [])", true),
        (r#"`a"b` == 'a"b' and '\x41\u0042\u{43}\104\t' == 'ABCD\t'"#, true),
        ("/* who */ true // and why", true),
        // what has no value is not selected, whatever stands around it, unless it is not looked at
        ("not incidr(port(), '10.0.0.0/8')", false),
        ("int(name()) != 1", false),
        ("size() % (size() - 33) != 1", false),
        ("true or size() % 0 == 1", true),
    ] {
        assert_eq!(selects(expression), expected, "{expression}");
    }
}

#[test]
fn what_a_client_is_is_told_as_coredns_tells_it() {
    let from = |address: &str| Client { address: address.parse().unwrap(), ..client("10.1.2.3") };
    assert!(selects_from("client_ip() == '2001:db8::1'", from("[2001:db8::1]:53"), "a"), "without brackets");
    assert!(selects_from("incidr(client_ip(), '2001:db8::/32')", from("[2001:db8::1]:53"), "a"));
    assert!(selects_from("client_ip() == '10.9.9.9'", from("[::ffff:10.9.9.9]:53"), "a"), "IPv4 by an IPv6 socket");
    for (transport, proto) in [(Transport::Tcp, "tcp"), (Transport::Tls, "tcp"), (Transport::Https, "tcp")] {
        let client = Client { transport, local: SocketAddr::from(([127, 0, 0, 1], 853)), ..client("10.1.2.3") };
        assert!(selects_from(&format!("proto() == '{proto}' and bufsize() == 65535"), client, "a"));
    }
    assert!(selects_from("name() == '.'", client("10.1.2.3"), "."));
    assert!(selects_from(r"name() == 'a\\.b\\@\\000$.'", client("10.1.2.3"), r"a\.b\@\000$"));
}

#[test]
fn edns_is_told() {
    let (client, name) = (client("10.1.2.3"), Name::root());
    let edns = |udp_size| EdnsView { udp_size, version: 0, dnssec_ok: true, nsid: false };
    for (udp_size, expression) in [(1_232, "do() and bufsize() == 1232"), (100, "do() == true and bufsize() == 512")] {
        let looked = Looked {
            client: &client,
            name: name.as_wire(),
            rtype: RecordType::A,
            class: Class::IN,
            edns: Some(edns(udp_size)),
            header: (0, 0),
            size: 0,
        };
        assert!(view(expression).selector(Arc::default()).selects(&looked), "{expression}");
    }
}

#[test]
fn every_expression_must_be_true() {
    let (spec, report) = checked("expr true\nexpr type() == 'A'");
    let spec = spec.unwrap();
    assert!(report.is_empty() && spec.expressions == ["true", "type() == 'A'"]);
    assert_eq!(spec.describe(), "view test: questions for which `true` and `type() == 'A'` is true");
    let (client, name) = (client("10.1.2.3"), Name::root());
    let looked = |rtype| Looked {
        client: &client,
        name: name.as_wire(),
        rtype,
        class: Class::IN,
        edns: None,
        header: (0, 0),
        size: 0,
    };
    let selector = spec.selector(Arc::default());
    assert!(selector.selects(&looked(RecordType::A)) && !selector.selects(&looked(RecordType::MX)));
    assert_eq!(selector.view(), "test");
}

#[test]
fn usual_expressions_allocate_nothing() {
    let client = client("10.1.2.3");
    let name = Name::parse("www.example.com").unwrap();
    let looked = Looked {
        client: &client,
        name: name.as_wire(),
        rtype: RecordType::AAAA,
        class: Class::IN,
        edns: None,
        header: (7, 0x0100),
        size: 33,
    };
    for expression in [
        "incidr(client_ip(), '10.0.0.0/8')",
        "type() in ['A', 'AAAA'] and class() == 'IN'",
        r"name() matches '^www\\..*\\.com\\.$' and name() endsWith '.com.'",
        "client_ip() == '10.1.2.3' and port() != '53' and proto() == 'udp'",
    ] {
        let selector = view(expression).selector(Arc::default());
        assert!(selector.selects(&looked), "{expression}"); // a regular expression's first look makes its cache
        let counted = allocation_counter::measure(|| assert!(selector.selects(&looked)));
        assert_eq!(counted.count_total, 0, "{expression}");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (expression, column, message) in [
        ("incidr(client_ip(), '10.0.0.0/33')", 26, "`10.0.0.0/33` is no prefix"),
        ("incidr('10.0.0.0/8', client_ip())", 13, "`10.0.0.0/8` is no address"),
        ("incidr(client_ip())", 6, "`incidr` is given 1 arguments"),
        ("incidr(size(), '10.0.0.0/8')", 13, "this is a whole number"),
        ("type()", 6, "the expression is a text, and a view needs true or false"),
        ("type() = 'A'", 13, "`=` means nothing here"),
        ("typ() == 'A'", 6, "there is no function `typ` here"),
        ("type == 'A'", 6, "`type` is a function"),
        ("A == type()", 6, "`A` is not known here"),
        ("type() == A", 16, "`A` is not known here"),
        ("type() == 1", 13, "a text is compared with a whole number"),
        ("not type() in ['A']", 10, "this is a text"),
        ("type() in 'A'", 16, "`in` is for lists and ranges"),
        ("type() in [1, 2]", 17, "a text is looked for in a list that has none"),
        ("type() in 1..2", 6, "this is a text"),
        ("1..2 == 1..2", 7, "a range stands where no range can"),
        ("['A'] == type()", 6, "a list stands where no list can"),
        ("type() matches 'a('", 21, "`a(` is no regular expression: unclosed group"),
        ("type() matches name()", 21, "a regular expression that is not written out"),
        (r"type() matches 'a\.b'", 23, "a backslash that escapes nothing"),
        ("type() == 'A", 16, "a text that does not end"),
        ("type() == 'A' and", 23, "the expression ends too early"),
        ("type() == 'A' 'B'", 20, "a value is not expected here"),
        ("(type() == 'A'", 20, "the expression ends too early"),
        ("type() == 'A')", 19, "`)` is not expected here"),
        ("size() ** 2 == 4", 13, "`**` is not expected here"),
        ("size() % 1.5 == 1", 13, "`%` between numbers that are not whole"),
        ("size() + 'a' == 1", 13, "`+` between a whole number and a text"),
        ("type() and true", 6, "this is a text"),
        ("true or size()", 14, "this is a whole number"),
        ("do() ? 1 : 'a'", 17, "this is a text"),
        ("true ?? false or true", 20, "`or` beside `??`"),
        ("type() not == 'A'", 17, "`==` is not expected here"),
        ("any(['A'], {type() == 'A'})", 17, "`{` is not expected here"),
        ("1x == 1", 6, "a number that is none"),
        ("99999999999999999999 == 1", 6, "a number that is none"),
        ("let x = 1; x == 1", 12, "`=` means nothing here"),
        ("if do() { true } else { false }", 6, "`if` is not known here"),
        ("int(true) == 1", 10, "this is true or false"),
        ("/* true", 6, "a comment that does not end"),
    ] {
        let (spec, report) = checked(&format!("expr {expression}"));
        let place = format!("Corefile:3:{column}: error: ");
        assert!(spec.is_none() && report.contains(&place) && report.contains(message), "{expression}\n{report}");
        assert!(report.contains("expected: "), "{report}");
    }
    let deep = format!("expr {}true{}", "(".repeat(70), ")".repeat(70));
    assert!(checked(&deep).1.contains("more than 64 inside each other"));
    let long = vec!["type() == 'A'"; 1_000].join(" or ");
    assert!(checked(&format!("expr {long}")).0.is_some(), "a chain is not deep");
}

#[test]
fn an_expression_that_asks_twice_does_not_grow_without_bound() {
    let bound = "more than 10000 parts, those that are asked twice counted twice";
    // each step doubles all before it; more steps would be too deep
    let mut choice = "true".to_owned();
    let mut comparison = "1".to_owned();
    for step in 0..28 {
        choice = format!("({choice} ?: true)");
        comparison = format!("(1 < {comparison} < 2 ? 1 : 2)");
        for expression in [choice.clone(), format!("{comparison} == 1")] {
            let (spec, report) = checked(&format!("expr {expression}"));
            match step < 5 {
                true => assert!(spec.is_some(), "{report}"),
                false if step < 16 => {} // the bound is somewhere here
                false => assert!(spec.is_none() && report.contains(bound), "{expression}\n{report}"),
            }
        }
    }
    let (_, report) = checked(&format!("expr {choice}"));
    let place = 6 + choice.match_indices('?').nth(11).unwrap().0;
    assert!(report.contains(&format!("Corefile:3:{place}: error: {bound}")), "{report}");
    // many of a bearable size
    let one = "((((((((true ?: true) ?: true) ?: true) ?: true) ?: true) ?: true) ?: true) ?: true)";
    let many = vec![one; 1_000].join(", ");
    assert!(checked(&format!("expr true in [{many}]")).1.contains(bound));
    let chain = vec!["1"; 3_000].join(" < ");
    assert!(checked(&format!("expr {chain}")).0.is_some(), "a long chain is bearable");
    assert!(checked(&format!("expr {}", vec!["do()"; 6_000].join(" and "))).1.contains(bound));
}

#[test]
fn statements_have_a_name_and_expressions() {
    for (statement, place, word) in [
        ("view", "Corefile:2:5: error", "the name of the view"),
        ("view a b", "Corefile:2:8: error", "unexpected argument"),
        ("view a {\n exp true\n}", "Corefile:3:2: error", "`expr`?"),
        ("view a {\n expr\n}", "Corefile:3:6: error", "an expression such as"),
        ("view a {\n expr type() == \"A\"\n}", "Corefile:3:18: error", "single quotes"),
        ("view a {\n expr typee() == 'A'\n}", "Corefile:3:7: error", "did you mean `type`?"),
        ("view a {\n expr \"type() == B\"\n}", "Corefile:3:18: error", "`B` is not known"),
    ] {
        let (spec, report) = judged(statement, check);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{statement}\n{report}");
    }
    let (spec, report) = judged("view a", check);
    assert!(spec.is_some() && report.contains("Corefile:2:1: warning"), "{report}");
    assert!(selects("\"type() == 'AAAA'\""), "a whole expression may stand in quotes");
}

#[test]
fn what_looks_at_nothing_but_the_question_is_the_same_for_everybody() {
    let is_personal = |expression: &str| view(expression).selector(Arc::default()).is_personal();
    for expression in [
        "true",
        "type() in ['A', 'AAAA']",
        "name() matches '^a' and not (class() == 'CH')",
        "len(lower(name())) > 3 ? do() : name() startsWith 'b'",
    ] {
        assert!(!is_personal(expression), "{expression}");
    }
    for expression in [
        "incidr(client_ip(), '10.0.0.0/8')",
        "type() == 'A' or proto() == 'tcp'",
        "size() + 1 > 100",
        "metadata('kubernetes/client-namespace') == 'shop'",
        "name() contains port() ? true : false",
        "incidr('10.0.0.1', client_ip() + '/8')",
    ] {
        assert!(is_personal(expression), "{expression}");
    }
}
