//! What upstreams are told by EDNS.

use std::sync::Arc;

use contract::testing::{client, context, query};
use contract::wire::RecordType;
use contract::{About, Context, LabelBook, Labels, Plugin, Query, Transport, labels};

use super::{Zone, ask_plugin, plugin_of};

/// A client's question with these options in wire form.
fn asked(options: &[u8]) -> Query {
    let mut asked = query("Www.example.org", RecordType::AAAA);
    asked.options.asked = (!options.is_empty()).then(|| options.into());
    asked
}

/// What is sent along, and whether it is only this client's.
async fn sent(context: &Context, rules: &str, asked: &Query) -> (Option<Vec<u8>>, bool) {
    let zone = Zone::new("$ 60 TXT x");
    let reply = ask_plugin(&plugin_of(rules, context), &zone, asked).await.unwrap();
    (zone.was_told(), reply.personal)
}

const CLIENTS: &[u8] = b"\xff\xee\0\x01c\0\x0a\0\x02ck";

#[tokio::test]
async fn options_are_set_appended_replaced_and_unset() {
    for (rules, options, told, is_personal) in [
        ("local set 0xffee 0x61626364", &b""[..], &b"\xff\xee\0\x04abcd"[..], false),
        ("local set 65518 abcd revert", b"", b"\xff\xee\0\x04abcd", false),
        ("local set 0xffee ab", CLIENTS, b"\xff\xee\0\x02ab", false),
        ("local append 0xffee ab", CLIENTS, b"\xff\xee\0\x02ab", false),
        ("local replace 0xffee ab", CLIENTS, b"\xff\xee\0\x02ab", true),
        ("local replace 0xffee ab", b"", b"", true),
        ("local replace 0xffef ab", CLIENTS, b"", true),
        ("local unset 0xffee", CLIENTS, b"", false),
        ("LOCAL Set 1 0x", b"", b"\0\x01\0\0", false),
        ("nsid set", b"", b"\0\x03\0\0", false),
        ("nsid append revert", b"", b"\0\x03\0\0", false),
        ("nsid replace", b"\0\x03\0\0", b"\0\x03\0\0", true),
        ("nsid replace", b"", b"", true),
        ("nsid unset", b"\0\x03\0\0", b"", false),
    ] {
        let (sent, personal) = sent(&context(), &format!("rewrite edns0 {rules}"), &asked(options)).await;
        assert_eq!((sent.unwrap_or_default(), personal), (told.to_vec(), is_personal), "{rules}");
    }
}

#[tokio::test]
async fn rules_build_upon_each_other() {
    for (rules, told) in [
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local set 2 b", &b"\0\x01\0\x01a\0\x02\0\x01b"[..]),
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local set 1 b", b"\0\x01\0\x01b"),
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local append 1 b", b"\0\x01\0\x01a\0\x01\0\x01b"),
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local replace 1 b", b"\0\x01\0\x01b"),
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local unset 1", b""),
        ("rewrite continue edns0 local set 1 a\nrewrite edns0 local append 1 {qname}", b"\0\x01\0\x01a"),
        ("rewrite edns0 local set 1 a\nrewrite edns0 local set 2 b", b"\0\x01\0\x01a"),
        ("rewrite edns0 local replace 1 a\nrewrite edns0 local set 2 b", b"\0\x02\0\x01b"),
    ] {
        let (sent, _) = sent(&context(), rules, &asked(b"")).await;
        assert_eq!(sent.unwrap_or_default(), told, "{rules}");
    }
}

#[tokio::test]
async fn variables_hold_what_is_known_of_the_question() {
    let four = asked(b"");
    let mut six = asked(b"");
    six.client = client("2001:db8:1:2345::1");
    six.client.transport = Transport::Https;
    for (variable, of_four, of_six, is_personal) in [
        ("{qname}", &b"www.example.org."[..], &b"www.example.org."[..], false),
        ("{qtype}", &[0, 28], &[0, 28], false),
        ("{client_ip}", &[192, 0, 2, 7], b"\x20\x01\x0d\xb8\0\x01\x23\x45\0\0\0\0\0\0\0\x01", true),
        ("{client_port}", &40212_u16.to_be_bytes(), &40212_u16.to_be_bytes(), true),
        ("{protocol}", b"udp", b"tcp", true),
        ("{server_ip}", &[127, 0, 0, 1], b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", true),
        ("{server_port}", &[0, 53], &[0, 53], true),
    ] {
        for (asked, expected) in [(&four, of_four), (&six, of_six)] {
            let rules = format!("rewrite edns0 local set 7 {variable}");
            let (sent, personal) = sent(&context(), &rules, asked).await;
            assert_eq!((&sent.unwrap()[4..], personal), (expected, is_personal), "{variable}");
        }
    }
    let (renamed, _) =
        sent(&context(), "rewrite continue name prefix www x\nrewrite edns0 local set 7 {qname}", &four).await;
    assert_eq!(&renamed.unwrap()[4..], b"x.example.org.");
}

#[tokio::test]
async fn a_subnet_is_cut_to_its_bits() {
    let mut six = asked(b"");
    six.client = client("2001:db8:1:23ff::1");
    for (rule, asked, told) in [
        ("set 24 56", asked(b""), &b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02"[..]),
        ("append 20 56", asked(b""), b"\0\x08\0\x07\0\x01\x14\0\xc0\0\0"),
        ("set 32 0", asked(b""), b"\0\x08\0\x08\0\x01\x20\0\xc0\0\x02\x07"),
        ("set 0 0", asked(b""), b"\0\x08\0\x04\0\x01\0\0"),
        ("set 24 56 revert", six.clone(), b"\0\x08\0\x0b\0\x02\x38\0\x20\x01\x0d\xb8\0\x01\x23"),
        ("set 24 52", six, b"\0\x08\0\x0b\0\x02\x34\0\x20\x01\x0d\xb8\0\x01\x20"),
        ("replace 24 56", asked(b""), b""),
        ("replace 24 56", asked(b"\0\x08\0\x04\0\x01\0\0"), b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02"),
        ("append 24 56", asked(b"\0\x08\0\x04\0\x01\0\0"), b"\0\x08\0\x04\0\x01\0\0"),
    ] {
        let (sent, personal) = sent(&context(), &format!("rewrite edns0 subnet {rule}"), &asked).await;
        assert_eq!((sent.unwrap_or_default(), personal), (told.to_vec(), true), "{rule}");
    }
    let (sent, personal) = sent(&context(), "rewrite edns0 subnet unset", &asked(b"\0\x08\0\x04\0\x01\0\0")).await;
    assert_eq!((sent, personal), (None, false));
}

/// Knows a label, and one that is empty.
#[derive(Debug)]
struct Teller;

impl Labels for Teller {
    fn label(&self, name: &str, about: &About<'_>) -> Option<String> {
        match name {
            labels::CLIENT_POD => Some(about.client.address.ip().to_string()),
            labels::CLIENT_NAMESPACE => Some(String::new()),
            _ => None,
        }
    }
}

impl Plugin for Teller {
    fn name(&self) -> &'static str {
        "some"
    }

    fn labels(&self) -> Option<&dyn Labels> {
        Some(self)
    }
}

#[tokio::test]
async fn labels_are_told_where_they_are_known() {
    let book = Arc::new(LabelBook::new(Some("inside".into()), Some(vec![contract::wire::Name::root()])));
    let teller: [Arc<dyn Plugin>; 1] = [Arc::new(Teller)];
    book.enlist(&teller);
    let context = Context { labels: book, ..context() };
    for (label, told, is_personal) in [
        ("kubernetes/client-pod-name", &b"\0\x07\0\x09192.0.2.7"[..], true),
        ("view/name", b"\0\x07\0\x06inside", false),
        ("kubernetes/client-namespace", b"\0\x08\0\x01x", true),
        ("forward/upstream", b"\0\x08\0\x01x", true),
    ] {
        // a label that is not known is passed over, and the next rule speaks
        let rules = format!("rewrite edns0 local set 7 {{{label}}}\nrewrite edns0 local set 8 x");
        assert_eq!(sent(&context, &rules, &asked(b"")).await, (Some(told.to_vec()), is_personal), "{label}");
    }
}

#[tokio::test]
async fn what_there_is_no_room_for_is_left_out() {
    let long = "x".repeat(400);
    let rules = format!(
        "rewrite continue edns0 local set 1 {long}\nrewrite continue edns0 local set 2 {long}\nrewrite edns0 nsid set"
    );
    let (sent, _) = sent(&context(), &rules, &asked(b"")).await;
    let sent = sent.unwrap();
    assert_eq!((sent.len(), &sent[404..]), (408, &b"\0\x03\0\0"[..]));
}
