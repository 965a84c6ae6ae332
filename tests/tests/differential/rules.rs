//! Which deviation is which wanted difference. Each rule names one field and the circumstances in which it may deviate;
//! whatever no rule knows fails the run.

use std::net::IpAddr;

use nearpath_tests::Reply;

use super::deviation::{Deviation, Field};
use super::exchange::{Both, Said};
use super::fragment::{Fragment, Question};

const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;

/// A deviation and where it was seen.
#[derive(Debug)]
pub(crate) struct Seen<'s> {
    /// The fragment.
    pub fragment: &'s Fragment,
    /// What was asked.
    pub question: &'s Question,
    /// What both said.
    pub both: &'s Both,
    /// True if the same was asked before.
    pub again: bool,
    /// True if something was asked, and then something else happened, such as time that passed.
    pub later: bool,
    /// What deviates.
    pub deviation: &'s Deviation,
}

/// Each id with what recognises it.
type Rule = (&'static str, fn(&Seen<'_>, &Reply, &Reply) -> bool);

/// The first that fits counts.
const RULES: &[Rule] = &[
    ("recursion-available", |seen, theirs, ours| {
        seen.is(Field::Flag(RA)) && theirs.flags & RA == 0 && ours.flags & RA != 0
    }),
    ("own-size", |seen, _, ours| {
        seen.is(Field::EdnsSize) && ours.opt.as_ref().is_some_and(|opt| opt.size == 1232) && seen.asked_size().is_some()
    }),
    ("checking-disabled", |seen, _, ours| {
        seen.is(Field::Flag(CD)) && seen.question.ask.flags & CD != 0 && ours.flags & CD != 0
    }),
    ("client-options", |seen, theirs, ours| {
        let sent = seen.question.ask.edns.as_ref().and_then(|(.., options)| options.last());
        seen.shows("option-", sent.map(|last| address(*last)), Some(address(200)), theirs, ours) && !seen.has("edns0")
    }),
    ("asked-recursively", |seen, theirs, ours| {
        let asked = seen.question.ask.flags & RD;
        asked == 0 && seen.shows("rd-", Some(address(200)), Some(address(201)), theirs, ours)
    }),
    ("asked-elsewhere", |seen, theirs, ours| {
        seen.has("{tardy}") && seen.shows("last9-", Some(address(1)), Some(address(9)), theirs, ours)
    }),
    ("foreign-reply", |seen, theirs, ours| {
        let right = ours.rcode == 0 && ours.section(0) == [seen.owns(&address(1))];
        let waited = right && (seen.asks("foreign-") || seen.asks("bare-"));
        let discarded = waited || ours.rcode == 2 && seen.asks("onlyforeign-");
        seen.is_of_outcome() && theirs.rcode == 1 && theirs.lines.is_empty() && discarded
    }),
    ("given-up-in-time", |seen, theirs, ours| {
        seen.is_of_outcome() && seen.asks("slow4000-") && theirs.rcode == 0 && ours.rcode == 2
    }),
    ("unreachable-memorised", |seen, theirs, ours| {
        let within = seen.has("cache") && seen.again && !seen.later;
        seen.is_of_outcome() && seen.asks("firstsilent-") && within && theirs.rcode == 0 && ours.rcode == 2
    }),
    ("asked-for-one-client", asked_for_one_client),
    ("made-for-one-client", made_for_one_client),
    ("hosts-once", |seen, theirs, ours| {
        let (many, mut once) = (theirs.section(0), theirs.section(0));
        once.dedup();
        seen.is(Field::Section(0)) && seen.has("hosts") && once != many && ours.section(0) == once
    }),
    ("autopath-blocks", |seen, theirs, ours| {
        let beside = seen.is(Field::Section(0)) && seen.fragment.corefile.matches("{port}").count() > 1;
        let made = |reply: &Reply| reply.answers().iter().any(|line| line.ends_with(" A 192.0.2.222"));
        beside && seen.is_search() && made(ours) && !made(theirs) && theirs.rcode == 0
    }),
    ("autopath-rewrite", |seen, theirs, ours| {
        let is = |reply: &Reply, last: &[u8]| {
            let found = reply.answers().into_iter().filter_map(|line| line.strip_prefix("one.plain.example. "));
            let mut found: Vec<_> = found.map(str::to_owned).collect();
            found.sort_unstable();
            found == last.iter().map(|last| address(*last)).collect::<Vec<_>>()
        };
        seen.is(Field::Section(0)) && seen.has("rewrite") && seen.is_search() && is(theirs, &[3]) && is(ours, &[1, 2])
    }),
    ("autopath-not-searched", |seen, theirs, ours| {
        let not_searched = seen.asked_flags() == Some(0x8000) || matches!(seen.question.ask.rtype, 2 | 43);
        seen.is_of_outcome() && seen.is_search() && not_searched && theirs.rcode == 0 && ours.rcode == 3
    }),
    ("dns64-nxdomain", |seen, theirs, ours| {
        let led = ours.answers().iter().any(|line| line.contains(" CNAME ")) && theirs.answers() == ours.answers();
        seen.is(Field::Rcode) && seen.has("dns64") && led && theirs.rcode == 0 && ours.rcode == 3
    }),
    ("authenticated-data", |seen, theirs, ours| {
        let wanted = seen.question.ask.flags & AD != 0 || seen.asked_flags() == Some(0x8000);
        seen.is(Field::Flag(AD)) && !seen.has("cache") && !wanted && theirs.flags & AD != 0 && ours.flags & AD == 0
    }),
    ("stale-on-failure", stale_on_failure),
    ("authoritative-from-memory", |seen, theirs, _| {
        seen.is(Field::Flag(AA)) && seen.has("cache") && seen.again && theirs.flags & AA != 0
    }),
    ("whole-after-cut", |seen, theirs, ours| {
        matches!(seen.deviation.field, Field::Flag(TC | AA) | Field::Section(_))
            && theirs.flags & TC != 0
            && ours.flags & TC == 0
            && seen.question.text.starts_with("tc-")
    }),
    ("cut-keeps-what-fits", |seen, theirs, ours| {
        matches!(seen.deviation.field, Field::Section(0))
            && theirs.flags & ours.flags & TC != 0
            && (ours.section(0).len() > theirs.section(0).len() || ours.wire.len() + 230 > 1232)
            && ours.section(0).len() != theirs.section(0).len()
    }),
    ("datagram-size", |seen, theirs, ours| {
        matches!(seen.deviation.field, Field::Flag(TC) | Field::Section(_))
            && theirs.wire.len() > 1232
            && ours.flags & TC != 0
            && ours.wire.len() <= 1232
    }),
    ("no-opt-unasked", |seen, theirs, ours| {
        let from = ["acl", "ederror", "edns0"].into_iter().any(|word| seen.has(word));
        let unasked = seen.question.ask.edns.is_none() && theirs.opt.is_some() && ours.opt.is_none();
        seen.is(Field::Edns) && from && unasked
    }),
    ("dnssec-ok-unasked", |seen, theirs, ours| {
        let told = (seen.has("acl") || seen.has("template")) && !theirs.edes().is_empty() && !ours.edes().is_empty();
        let named = seen.has("nsid") && seen.has("cache") && seen.question.text.contains("+nsid");
        let plain = seen.asked_flags() == Some(0);
        // the lower bits of 43200, the TTL that is written
        let overwritten = seen.fragment.corefile.contains("rewrite ttl suffix . 43200\n")
            && opt_flags(ours).is_some_and(|flags| flags & 0x7fff == 0);
        match seen.deviation.field {
            Field::EdnsDo => plain && (told || named || overwritten),
            Field::EdnsFlags => overwritten && opt_flags(theirs).is_some_and(|flags| flags & 0x7fff == 0x2800),
            _ => false,
        }
    }),
    ("recursion-desired", |seen, _, ours| {
        seen.is(Field::Flag(RD)) && seen.has("query") && ours.flags & RD == seen.question.ask.flags & RD
    }),
    ("acl-prohibited", |seen, theirs, ours| seen.is(Field::Ede) && theirs.edes() == [15] && ours.edes() == [18]),
    ("told-why", |seen, theirs, ours| {
        seen.is(Field::Ede) && theirs.edes().is_empty() && matches!(ours.rcode, 2 | 5) && !ours.edes().is_empty()
    }),
    ("options-echoed", |seen, _, ours| {
        seen.is(Field::Option(10))
            && ours.opt.as_ref().is_some_and(|opt| opt.options.iter().all(|(code, _)| *code != 10))
    }),
    ("node-name", |seen, _, _| seen.is(Field::Option(3)) && !seen.has("nsid") && seen.deviation.coredns.is_empty()),
    ("explained-by-nsid", |seen, theirs, ours| {
        seen.is(Field::Ede) && seen.question.text.contains("+nsid") && theirs.edes().is_empty() && ours.edes() == [0]
    }),
    ("class-any", |seen, _, ours| seen.question.ask.class == 255 && ours.rcode == 5),
    ("zone-transfer", |seen, _, ours| matches!(seen.question.ask.rtype, 251 | 252) && ours.rcode == 5),
    ("nodata-after-cut", |seen, _, ours| seen.has("next_on_nodata") && ours.flags & TC != 0),
    ("autopath-failed-candidate", |seen, theirs, ours| {
        seen.is(Field::Rcode) && seen.has("autopath") && ours.rcode == 2 && !matches!(theirs.rcode, 0 | 3)
    }),
    ("autopath-ndots", |seen, _, ours| {
        let dots = seen.searched().is_some_and(|rest| rest.contains('.'));
        dots && !seen.fragment.files.iter().any(|(_, text)| text.contains("ndots")) && ours.rcode == 3
    }),
    ("nxdomain-behind-cname", |seen, theirs, ours| {
        let led = theirs.answers().iter().any(|line| line.contains(" CNAME "));
        seen.is(Field::Ttl) && seen.has("cache") && led && theirs.rcode == 3 && ours.rcode == 3
    }),
    ("stale-ttl", |seen, theirs, ours| {
        let all = |reply: &Reply, ttl| reply.lines.iter().all(|line| line.ttl == ttl);
        seen.is(Field::Ttl) && seen.has("serve_stale") && all(theirs, 0) && all(ours, 30)
    }),
    ("negative-ttl", |seen, theirs, ours| {
        let soa = |reply: &Reply| reply.lines.iter().find(|line| line.text.contains(" SOA ")).cloned();
        let bounded = soa(ours).zip(soa(theirs)).is_some_and(|(our, their)| {
            let minimum = our.text.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
            our.ttl <= minimum && minimum < their.ttl
        });
        let synthesised =
            seen.has("dns64") && seen.question.ask.rtype == 28 && ours.lines.iter().all(|line| line.ttl <= 30);
        seen.is(Field::Ttl) && (bounded && ours.answers().is_empty() || synthesised)
    }),
    ("dns64-failure", |seen, theirs, ours| {
        seen.is(Field::Rcode)
            && seen.has("dns64")
            && theirs.rcode == 0
            && theirs.answers().is_empty()
            && ours.rcode == 2
    }),
    ("dns64-asks-on", |seen, theirs, ours| {
        let found = !ours.answers().is_empty() && ours.rcode == 0;
        let aaaa = seen.has("dns64") && seen.question.ask.rtype == 28;
        seen.is_of_outcome() && aaaa && theirs.rcode == 2 && theirs.answers().is_empty() && found
    }),
    ("rewrite-target-fails", |seen, theirs, ours| {
        let led = theirs.answers().iter().all(|line| line.contains(" CNAME ")) && ours.answers().is_empty();
        seen.is_of_outcome() && seen.has("cname") && led && (theirs.rcode, ours.rcode) == (0, 2)
    }),
    ("empty-block", |seen, theirs, ours| {
        seen.is(Field::Rcode) && (theirs.rcode, ours.rcode) == (5, 2) && seen.fragment.corefile.lines().count() == 3
    }),
    ("dns64-prefix-and-properties", |seen, theirs, ours| {
        let at = seen.fragment.corefile.contains("dns64 64:1337::/96 {");
        at && theirs.answers().is_empty() && !ours.answers().is_empty() && seen.question.ask.rtype == 28
    }),
    ("options-unasked", |seen, _, ours| {
        let none = ours.opt.as_ref().is_some_and(|opt| opt.options.iter().all(|(code, _)| *code != 3));
        seen.is(Field::Option(3)) && seen.has("edns0") && none && !seen.question.text.contains("+nsid")
    }),
    ("cut-keeps-what-fits", |seen, theirs, ours| {
        seen.is(Field::Section(0)) && seen.has("loadbalance") && theirs.flags & ours.flags & TC != 0
    }),
    ("ede-passed-on", |seen, theirs, ours| {
        seen.is(Field::Ede) && seen.has("cache") && theirs.edes().is_empty() && ours.edes() == [17] && ours.rcode == 0
    }),
    ("chaos-of-itself", |seen, _, _| seen.is(Field::Section(0)) && seen.question.ask.class == 3 && !seen.has("chaos")),
    ("memory-before-chain", |seen, theirs, ours| {
        let least = |reply: &Reply| reply.lines.iter().map(|line| line.ttl).min();
        let made =
            seen.has("any") && least(theirs) == Some(8482) || seen.has("local") && least(theirs) == Some(604_800);
        seen.is(Field::Ttl) && seen.has("cache") && made && least(ours) < least(theirs)
    }),
    ("hosts-forgotten", |seen, theirs, ours| {
        let listed = |reply: &Reply| {
            reply.answers().iter().any(|line| line.starts_with("www.") && line.contains(" A 192.0.2.5"))
        };
        matches!(seen.deviation.field, Field::Ttl | Field::Section(0))
            && seen.has("cache")
            && seen.has("hosts")
            && listed(theirs)
            && listed(ours)
    }),
    ("gates-first", |seen, _, ours| {
        let listed = seen.question.text.starts_with("localhost.") && seen.has("local");
        seen.has("acl") && listed && ours.rcode == 5
    }),
    ("autopath-ttl", |seen, _, ours| {
        let led = ours.answers().first().is_some_and(|line| line.contains(" CNAME "));
        seen.is(Field::Ttl) && seen.has("autopath") && led && seen.question.text.contains(".cluster.local.")
    }),
    ("ttl-per-record", |seen, theirs, ours| {
        let smallest = |reply: &Reply| reply.lines.iter().map(|line| line.ttl).min();
        let same = smallest(theirs).zip(smallest(ours)).is_some_and(|(their, our)| our.abs_diff(their) <= 1);
        seen.is(Field::Ttl)
            && seen.has("cache")
            && same
            && smallest(theirs) == theirs.lines.iter().map(|line| line.ttl).max()
    }),
];

/// The wanted difference that a deviation is.
pub(crate) fn explain(seen: &Seen<'_>) -> Option<&'static str> {
    let [Said::Reply(theirs, _), Said::Reply(ours, _)] = seen.both else { return None };
    RULES.iter().find(|(_, is)| is(seen, theirs, ours)).map(|(id, _)| *id)
}

/// Upstream fails, and nearpath has an answer past its end.
fn stale_on_failure(seen: &Seen<'_>, theirs: &Reply, ours: &Reply) -> bool {
    seen.has("cache")
        && seen.again
        && matches!(theirs.rcode, 2 | 5)
        && ours.rcode == 0
        && ours.lines.iter().all(|line| line.ttl == 30)
}

/// With options that depend on the client, each question goes upstream, and its answer to its asker alone.
fn asked_for_one_client(seen: &Seen<'_>, theirs: &Reply, ours: &Reply) -> bool {
    let depends = seen.has("subnet") || seen.has("{client_ip}");
    let own = match seen.question.from {
        IpAddr::V4(own) => own.octets()[3],
        IpAddr::V6(_) => return false,
    };
    let told = |reply: &Reply| reply.answers().first().and_then(|line| line.rsplit('.').next()?.parse::<u8>().ok());
    let shown = match seen.deviation.field {
        Field::Section(0) if seen.asks("option-") => told(ours) == Some(own) && told(theirs) != Some(own),
        Field::Section(0) if seen.asks("count-") => seen.again && told(theirs) == Some(1) && told(ours) > Some(1),
        _ => false,
    };
    seen.has("edns0") && seen.has("cache") && depends && shown
}

/// What is made of the client is made for each client anew; that of `whoami` keeps its TTL of 0, which memory would not.
fn made_for_one_client(seen: &Seen<'_>, theirs: &Reply, ours: &Reply) -> bool {
    let text = |text: String| ours.answers().first().is_some_and(|line| line.ends_with(&format!(" TXT {text}")));
    let ttl = |reply: &Reply| reply.lines.iter().map(|line| line.ttl).max();
    let shown = match seen.deviation.field {
        Field::Section(0) if seen.question.text.contains(".tell.") => text(seen.question.from.to_string()),
        Field::Section(0) if seen.question.text.contains(".id.") => text(seen.question.ask.id.to_string()),
        Field::Section(2) if seen.has("whoami") => {
            let own = format!(" A {}", seen.question.from);
            ours.section(2).iter().any(|line| line.ends_with(&own))
                && seen.deviation.nearpath.contains(" SRV 0 0 PORT ")
        }
        Field::Ttl if seen.has("whoami") => ttl(ours) == Some(0) && ttl(theirs) <= Some(5),
        _ => false,
    };
    seen.has("cache") && shown
}

fn opt_flags(reply: &Reply) -> Option<u16> {
    reply.opt.as_ref().map(|opt| opt.flags)
}

/// The type and RDATA of an address of the erring upstream.
fn address(last: u8) -> String {
    format!("A 192.0.2.{last}")
}

impl Seen<'_> {
    fn is(&self, field: Field) -> bool {
        self.deviation.field == field
    }

    /// True if it is a field that differs as one has an answer and the other a failure.
    fn is_of_outcome(&self) -> bool {
        matches!(self.deviation.field, Field::Rcode | Field::Section(0 | 1) | Field::Flag(AA))
    }

    /// True if the name that was asked for begins so.
    fn asks(&self, beginning: &str) -> bool {
        self.question.text.starts_with(beginning)
    }

    /// A record of the name that was asked for.
    fn owns(&self, rdata: &str) -> String {
        format!("{} {rdata}", self.question.text.split(' ').next().unwrap_or_default())
    }

    /// True if the answers to such a name are just these, other ones: CoreDNS's and nearpath's.
    fn shows(
        &self,
        beginning: &str,
        coredns: Option<String>,
        nearpath: Option<String>,
        theirs: &Reply,
        ours: &Reply,
    ) -> bool {
        let is = |reply: &Reply, rdata: Option<String>| {
            rdata.is_some_and(|rdata| reply.rcode == 0 && reply.section(0) == [self.owns(&rdata)])
        };
        self.is(Field::Section(0)) && self.asks(beginning) && is(theirs, coredns) && is(ours, nearpath)
    }

    /// What stands before the first search domain of the fragments of `autopath`.
    fn searched(&self) -> Option<&str> {
        let name = self.question.text.split(' ').next()?;
        name.strip_suffix(".default.svc.cluster.local.").filter(|_| self.has("autopath"))
    }

    /// True if it is the first step of a search for a name of one label.
    fn is_search(&self) -> bool {
        self.searched().is_some_and(|rest| !rest.contains('.'))
    }

    /// True if the fragment has a directive or property.
    fn has(&self, word: &str) -> bool {
        self.fragment.corefile.split_whitespace().any(|found| found == word)
    }

    fn asked_size(&self) -> Option<u16> {
        self.question.ask.edns.as_ref().map(|(size, ..)| *size)
    }

    fn asked_flags(&self) -> Option<u16> {
        self.question.ask.edns.as_ref().map(|(_, _, flags, _)| *flags)
    }
}

/// The differences that rules here recognise.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(id, _)| *id)
}
