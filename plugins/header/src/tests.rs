//! Flags in and out, and the grammar.

use std::sync::Arc;

use contract::testing::{self, ask, built, context, query};
use contract::wire::{Class, Flags, Rcode, RecordType};
use contract::{Answer, Boxed, Failure, Next, Plugin, Query, Reply, Served, Source, Storing};

use crate::{Change, HeaderSpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<HeaderSpec>, String) {
    testing::checked(statement, check)
}

/// Answers only questions that come with these flags, and has forced AD before.
#[derive(Debug)]
struct Wants(u16);

impl Plugin for Wants {
    fn name(&self) -> &'static str {
        "wants"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        let served = if query.header == (1, self.0) {
            let answer = Answer::empty(&query.name, query.rtype, Class::IN, Rcode::NOERROR).with_flags(Flags::AD, 0);
            Ok(Reply::fresh(answer, Source::Plugin("wants")))
        } else {
            Err(Failure::NotReady { what: "other flags" })
        };
        Box::pin(std::future::ready(served))
    }
}

#[tokio::test]
async fn questions_and_replies_have_the_flags_that_are_forced() {
    for (body, wanted, forced) in [
        ("response set ra aa\nresponse clear rd", Flags::RD, (Flags::AD | Flags::RA | Flags::AA, Flags::RD)),
        ("RESPONSE Set RA", Flags::RD, (Flags::AD | Flags::RA, 0)),
        ("response set aa rd\nresponse clear aa", Flags::RD, (Flags::AD | Flags::RD, Flags::AA)),
        ("query clear rd", 0, (Flags::AD, 0)),
        ("query set aa ra\nquery clear ra", Flags::RD | Flags::AA, (Flags::AD, 0)),
    ] {
        let header = built(checked(&format!("header {{\n{body}\n}}")), &context());
        assert_eq!(header.storing(), Storing::Nothing);
        let chain: [Arc<dyn Plugin>; 2] = [header, Arc::new(Wants(wanted))];
        let reply = ask(&chain, &query("example.org", RecordType::A)).await.expect(body);
        assert_eq!(reply.answer.forced_flags(), forced, "{body}");
    }
}

#[tokio::test]
async fn a_failure_passes_as_it_is() {
    let chain: [Arc<dyn Plugin>; 2] = [built(checked("header {\nresponse set aa\n}"), &context()), Arc::new(Wants(0))];
    let failure = ask(&chain, &query("example.org", RecordType::A)).await.unwrap_err();
    assert_eq!(failure, Failure::NotReady { what: "other flags" });
}

#[test]
fn it_says_what_it_does() {
    let (spec, _) = checked("header {\n query set rd\n response set aa ra\n response clear rd\n}");
    let spec = spec.unwrap();
    assert_eq!(spec.query, Change { set: Flags::RD, clear: 0 });
    assert_eq!(
        contract::Spec::describe(&spec),
        "sets rd in questions that are handed on; sets aa ra and clears rd in replies"
    );
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (wrong, place, reason) in [
        ("header", "2:7", "`header` changes nothing"),
        ("header {\n}", "2:7", "`header` changes nothing"),
        ("header x {\n response set ra\n}", "2:8", "unexpected argument `x`"),
        ("header {\n respons set ra\n}", "3:2", "did you mean `response`"),
        ("header {\n response\n}", "3:10", "missing argument"),
        ("header {\n response sett ra\n}", "3:11", "`set` or `clear`"),
        ("header {\n response set\n}", "3:14", "missing argument"),
        ("header {\n response set ra ad\n}", "3:18", "not a flag that can be changed"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none(), "{wrong}");
        assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{wrong}: {report}");
    }
}
