//! Every Extended DNS Error that is told (RFC 8914), in one table: its code, its text, when it is told, and what to do then.
//! `docs/errors.md` is made of it, and a test compares them.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::limits::EDE_TEXT_MAX;
use crate::wire::{Ede, Rcode, ede};

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Telling {
    /// The RCODE that it comes with; `None`: whatever the answer has.
    pub rcode: Option<Rcode>,
    /// INFO-CODE; `None`: as somebody else said it.
    pub code: Option<u16>,
    /// EXTRA-TEXT; a word in braces stands for what is so at the moment.
    pub text: &'static str,
    /// When it is told.
    pub when: &'static str,
    /// What to do then.
    pub remedy: &'static str,
}

impl Telling {
    /// As it is told, with facts in the place of the words in braces. No longer than [`EDE_TEXT_MAX`].
    pub fn with(&self, facts: &[(&str, impl AsRef<str>)]) -> Ede {
        let mut text = filled(self.text, facts);
        text.truncate(text.floor_char_boundary(EDE_TEXT_MAX));
        Ede::new(self.info_code(), text)
    }

    /// As it is told, where its text has no words in braces.
    pub const fn plain(&self) -> Ede {
        Ede { code: self.info_code(), text: Cow::Borrowed(self.text) }
    }

    const fn info_code(&self) -> u16 {
        match self.code {
            Some(code) => code,
            None => ede::OTHER,
        }
    }
}

/// A word in braces for which there is no fact stands for nothing.
fn filled(text: &str, facts: &[(&str, impl AsRef<str>)]) -> String {
    let mut whole = String::with_capacity(EDE_TEXT_MAX);
    let mut rest = text;
    while let Some((before, word, after)) = rest
        .split_once('{')
        .and_then(|(before, after)| after.split_once('}').map(|(word, after)| (before, word, after)))
    {
        whole.push_str(before);
        whole.push_str(facts.iter().find(|(known, _)| *known == word).map_or("", |(_, fact)| fact.as_ref()));
        rest = after;
    }
    whole + rest
}

/// The rows, each by its name, and all of them in [`CATALOGUE`].
macro_rules! catalogue {
    ($($name:ident: $rcode:expr, $code:expr, $text:expr, when $when:expr, then $remedy:expr;)*) => {
        $(
            #[doc = $when]
            pub static $name: Telling =
                Telling { rcode: $rcode, code: $code, text: $text, when: $when, remedy: $remedy };
        )*

        /// Everything that is told, failures first.
        pub static CATALOGUE: &[&Telling] = &[$(&$name),*];
    };
}

const SERVFAIL: Option<Rcode> = Some(Rcode::SERVFAIL);
const REFUSED: Option<Rcode> = Some(Rcode::REFUSED);

catalogue! {
    TIMEOUT: SERVFAIL, Some(ede::NO_REACHABLE_AUTHORITY),
        "{upstream} did not answer within {waited} ms; see that it runs, and that UDP and TCP reach it",
        when "An upstream said nothing in time, and nobody else could be asked.",
        then "`nearpath doctor` asks it over UDP and TCP apart; look at the upstream, at NetworkPolicy and at packet loss.";
    ALL_DOWN: SERVFAIL, Some(ede::NO_REACHABLE_AUTHORITY),
        "all {count} upstreams are down{longest}; health checks go on, the first answer ends it: see that they run",
        when "Health checks of all upstreams of a `forward` fail, and the one that was tried all the same did not answer.",
        then "See that the upstreams run. `max_fails` and `health_check` say when one counts as down, `failfast_all_unhealthy_upstreams` whether one is tried.";
    NONE_ANSWERED: SERVFAIL, Some(ede::NO_REACHABLE_AUTHORITY),
        "none of the {count} upstreams of {zone} answered{longest}; the last one: {last}",
        when "Nobody answers for a private zone, and no object of the cluster says what its name has.",
        then "See that the zone's resolvers run and are reached from the node; another address in `privatezone` stands in for one.";
    TOO_LATE: SERVFAIL, Some(ede::NO_REACHABLE_AUTHORITY),
        "no answer within {waited} ms; upstreams are slow or lose packets: nearpath doctor asks each of them",
        when "Upstreams were asked, and no answer was there in time for the client.",
        then "See which upstream is slow (`nearpath top`), and whether questions to it get lost.";
    UNREACHABLE: SERVFAIL, Some(ede::NETWORK_ERROR),
        "{upstream} cannot be reached: {reason}; see that it listens there, and routes and NetworkPolicy",
        when "The system could not open a connection to an upstream, or it ended before the reply; of several upstreams it was the last.",
        then "See that the upstream listens on that port, over TCP too, and that routes and NetworkPolicy let the node through.";
    BROKEN_REPLY: SERVFAIL, Some(ede::INVALID_DATA),
        "{upstream} sent a broken reply: {reason}; ask it yourself with dig",
        when "What an upstream said for the question cannot be read or used.",
        then "Ask the upstream for the same with `dig`, and mend it, or name another one.";
    CNAME_LOOP: SERVFAIL, Some(ede::OTHER),
        "CNAMEs lead in a circle, mend one of them; they come back to {at}",
        when "A chain of CNAMEs of a private zone comes back to one of its names.",
        then "Mend the record, or the object of which it was made.";
    CNAME_TOO_LONG: SERVFAIL, Some(ede::OTHER),
        "more than {most} CNAMEs in a row, which is the bound: let the first one point further along",
        when "A chain of CNAMEs of a private zone has more links than are followed.",
        then "Shorten the chain; the bound is fixed.";
    BOUND_MISSES: SERVFAIL, Some(ede::OTHER),
        "{most} questions are outstanding, the bound for all clients: upstreams are slow or dead, see nearpath top",
        when "As many questions wait for upstreams as may.",
        then "See whether upstreams answer, and who asks so much (`nearpath top`); the bound is fixed, and hits go on.";
    BOUND_MISSES_PER_CLIENT: SERVFAIL, Some(ede::OTHER),
        "{most} questions of this client are outstanding, the bound for one: it asks too much, or upstreams are slow",
        when "As many questions of one client's address wait for upstreams as may.",
        then "Look at what the client does; the bound is fixed, and other clients do not suffer.";
    BOUND_REENTRIES: SERVFAIL, Some(ede::OTHER),
        "more than {most} re-entries into the server blocks, the bound: search lists or CNAMEs lead into one another",
        when "A candidate of AutoPath or the target of a CNAME led into the server blocks again and again.",
        then "`nearpath explain NAME` shows the way; the bound is fixed.";
    BOUND_MAX_CONCURRENT: REFUSED, Some(ede::OTHER),
        "max_concurrent {most} of forward is reached: raise it there, or see why upstreams are slow",
        when "A `forward` with `max_concurrent` has as many questions under way.",
        then "Raise `max_concurrent` of that `forward`, or mend the upstreams that let questions wait.";
    BOUND_UPSTREAM_PIPELINE: SERVFAIL, Some(ede::OTHER),
        "{upstream} has {most} questions outstanding, its bound: it is slow or dead, or raise its max_concurrent",
        when "An upstream has as many questions outstanding as its connections and sockets, or `max_concurrent` of `privatezone`, allow.",
        then "See that the upstream answers; in `privatezone`, raise `max_concurrent`.";
    BOUND_UPSTREAM_RATE: SERVFAIL, Some(ede::OTHER),
        "{upstream} is sent max_qps {most}, and there was no turn in time: raise max_qps or burst, if it may be sent more",
        when "An upstream of a private zone is sent as many messages a second as it may, and the line for a turn is too long.",
        then "Raise `max_qps` or `burst` of `privatezone` within what the resolver documents, or name another address.";
    BOUND_MESSAGE_SIZE: SERVFAIL, Some(ede::OTHER),
        "the answer would have more than {most} octets, which no DNS message has",
        when "An answer put together of several does not fit into a message.",
        then "Have fewer records under that name.";
    BOUND_MEMORY: SERVFAIL, Some(ede::OTHER),
        "memory is short, so only {most} misses at once: raise the container's memory limit, or lower cache's capacity",
        when "The daemon is near the limit of its memory, and giving up memorised answers did not help.",
        then "Raise `resources.limits.memory`, or lower the capacity of `cache`; hits go on.";
    NOT_READY: SERVFAIL, Some(ede::NOT_READY),
        "{what} is not ready yet; /ready and the log say what it waits for",
        when "What a directive needs is not there yet, such as the endpoints of a Service.",
        then "Wait a moment; then see `/ready`, the log, and whether the API server is reached.";
    PANICKED: SERVFAIL, Some(ede::OTHER),
        "internal error in this query; the log has its place, please report it",
        when "A defect of nearpath ended this one query.",
        then "Report the lines of the log around it; other queries are not touched.";
    CACHED_ERROR: SERVFAIL, Some(ede::CACHED_ERROR),
        "{text}",
        when "Upstream failed for the same question a moment ago, which is memorised (`servfail` of `cache`, 5 s); the text is that of the failure.",
        then "As for that failure; it is asked again when its time is up.";
    NO_BLOCK: REFUSED, Some(ede::NOT_AUTHORITATIVE),
        "no server block answers, add one such as `.` to the Corefile; asked was {name}",
        when "No server block has a zone around the name.",
        then "Add a server block for the zone, or `.` for all.";
    END_OF_CHAIN: SERVFAIL, Some(ede::NOT_AUTHORITATIVE),
        "no plugin of the server block answers: its last one, such as forward, is missing or does not cover {name}",
        when "All plugins of the server block handed the question on.",
        then "Add a `forward` that covers the name, or take away the `fallthrough` or `except` that leads past it.";
    PROHIBITED: REFUSED, Some(ede::PROHIBITED),
        "refused by acl: a rule of the server block blocks this client, name or type",
        when "A rule `block` of `acl` matched.",
        then "If that is not meant, change the rule; `nearpath explain NAME --ip CLIENT` shows the block.";

    WAY: None, Some(ede::OTHER),
        "{way}; block {zones}",
        when "The client asked with NSID (`dig +nsid`): by which way the reply came, beside any other EDE.",
        then "Read it: `hit age 12s of 30`, `miss tcp 10.96.0.10:53 3ms`, `stale`, `failed`, `refused`; with `autopath 4 candidates, 4th`, and why no search was walked.";
    STALE_ANSWER: None, Some(ede::STALE_ANSWER),
        "stale, upstream does not answer",
        when "An answer past its end, as upstream does not answer or is slow.",
        then "Nothing at once: the answer is as it last was. Look at the upstreams (`nearpath top`, `nearpath doctor`).";
    STALE_NXDOMAIN: Some(Rcode::NXDOMAIN), Some(ede::STALE_NXDOMAIN),
        "stale, upstream does not answer",
        when "A denial past its end, as upstream does not answer or is slow.",
        then "As for a stale answer.";
    STALE_PROOFS: None, Some(ede::STALE_NXDOMAIN),
        "expired proofs of names tried before this one were used",
        when "AutoPath passed over names of the search list whose denials are past their end, as their servers do not answer.",
        then "Look at the central servers: outside names live on without them, new names of the cluster do not.";
    VANISHED: Some(Rcode::NOERROR), Some(ede::STALE_ANSWER),
        "missing from its zone for a moment, or for good, so its last answer stands: {name}",
        when "A name of a private zone was just there and is denied now, and no object says that this was meant (`vanish_grace`).",
        then "Nothing, if the record is being replaced. If it was removed, it is gone when `vanish_grace` is over.";
    SYNTHESIZED: Some(Rcode::NOERROR), Some(ede::SYNTHESIZED),
        "made of {object}, its resolver does not answer",
        when "Nobody answers for a private zone, nothing is remembered of the name, and an object of the cluster publishes it.",
        then "The records are what the object says. Look at the zone's resolvers.";
    CNAME_FAILED: SERVFAIL, Some(ede::OTHER),
        "{target}, to which its CNAME leads: {rcode}{more}",
        when "A CNAME leads out of a private zone to a name that cannot be had. The code is that of the failure there, if it has one.",
        then "Ask for the target itself.";
    SEARCH_STOPPED: SERVFAIL, Some(ede::OTHER),
        "search stopped at {candidate} {type}: {why}",
        when "AutoPath had no NOERROR and no NXDOMAIN for a candidate: skipping it could give the name to somebody else. The code is that of the failure there, if it has one.",
        then "Ask for the candidate itself, or `nearpath explain NAME`.";
    FILTERED: Some(Rcode::NOERROR), Some(ede::FILTERED),
        "filtered by acl",
        when "A rule `filter` of `acl` matched: there are no records for this client.",
        then "If that is not meant, change the rule.";
    NOT_LISTED: SERVFAIL, Some(ede::OTHER),
        "hosts: name not listed, and no fallthrough",
        when "`hosts` answers for the zone and does not list the name.",
        then "Add the name, or `fallthrough` to `hosts`.";
    TEMPLATE_UNMATCHED: SERVFAIL, Some(ede::OTHER),
        "template: no `match` fits the name, and no fallthrough",
        when "A `template` is for the zone, class and type, and none of its regular expressions fits.",
        then "Change `match`, or add `fallthrough` to `template`.";
    TEMPLATE_FAILED: SERVFAIL, Some(ede::OTHER),
        "template: {reason}",
        when "A record of `template` could not be made for this question.",
        then "Change the record's template; it is counted under its text.";
    LOOP: REFUSED, Some(ede::OTHER),
        "this question comes from here: a forwarding loop",
        when "The probe of `loop` came back: an upstream forwards to this daemon.",
        then "Name other upstreams; often `/etc/resolv.conf` of the host names the daemon itself.";
    FROM_UPSTREAM: None, None,
        "{text}",
        when "The upstream's answer had an EDE of its own: it is told on, with its code.",
        then "Ask the upstream's operator.";
}

/// The table as `docs/errors.md` has it.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Extended DNS Errors\n\n\
         What nearpath tells beside an RCODE (RFC 8914), as `dig` shows it: `; EDE: 22 (No Reachable Authority): (text)`. \
         A word in braces\nstands for what is so at the moment; `{longest}` for who has been down longest, \
         as in `, 10.96.0.10:53 for 75 s`. No text is longer than\n160 octets: what is longer is cut. \
         This page is generated from the table in the code: `UPDATE=1 cargo test -p contract`.\n\n\
         | RCODE | EDE | text | when | what to do |\n|---|---|---|---|---|\n",
    );
    for row in CATALOGUE {
        let rcode = row.rcode.map_or_else(|| "any".to_owned(), |rcode| rcode.to_string());
        let code = row.code.map_or_else(|| "as it was".to_owned(), |code| format!("{code} {}", title(code)));
        let line = writeln!(text, "| {rcode} | {code} | `{}` | {} | {} |", quoted(row.text), row.when, row.remedy);
        line.expect("a string takes all");
    }
    text
}

/// A backtick would end the code that it stands in.
fn quoted(text: &str) -> String {
    text.replace('`', "'")
}

/// The registry's name of an INFO-CODE; empty for one that is not told by ourselves.
fn title(code: u16) -> &'static str {
    match code {
        ede::OTHER => "Other Error",
        ede::STALE_ANSWER => "Stale Answer",
        ede::CACHED_ERROR => "Cached Error",
        ede::NOT_READY => "Not Ready",
        ede::FILTERED => "Filtered",
        ede::PROHIBITED => "Prohibited",
        ede::STALE_NXDOMAIN => "Stale NXDOMAIN Answer",
        ede::NOT_AUTHORITATIVE => "Not Authoritative",
        ede::NO_REACHABLE_AUTHORITY => "No Reachable Authority",
        ede::NETWORK_ERROR => "Network Error",
        ede::INVALID_DATA => "Invalid Data",
        ede::SYNTHESIZED => "Synthesized",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_users_says_what_the_code_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(page, markdown(), "UPDATE=1 cargo test -p contract writes it anew");
    }

    #[test]
    fn every_row_says_all_that_a_reader_needs() {
        for row in CATALOGUE {
            assert!(row.when.ends_with('.') && row.remedy.ends_with('.'), "{row:?}");
            assert!(row.text.len() <= EDE_TEXT_MAX && !row.text.contains('|'), "{row:?}");
            assert!(row.code.is_none_or(|code| !title(code).is_empty()), "{row:?}");
            assert_eq!(row.text.matches('{').count(), row.text.matches('}').count(), "{row:?}");
        }
    }

    #[test]
    fn facts_take_the_place_of_words_and_are_not_read_again() {
        let told = END_OF_CHAIN.with(&[("name", "{name}.example.")]);
        assert!(told.text.ends_with("does not cover {name}.example."), "{}", told.text);
        assert_eq!(filled("a{b}c{d", &[("d", "x")]), "ac{d");
        let long = "ä".repeat(200);
        assert_eq!(CACHED_ERROR.with(&[("text", &long)]).text.len(), EDE_TEXT_MAX);
        assert_eq!(FILTERED.plain(), FILTERED.with(&[("x", "y")]));
    }
}
