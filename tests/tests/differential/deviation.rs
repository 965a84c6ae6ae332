//! Where two replies to the same question deviate: each field by itself, so that a rule can say which one is meant to.

use std::collections::BTreeSet;
use std::fmt;

use nearpath_tests::Reply;
use nearpath_tests::message::Line;

use super::exchange::{Both, Said};
use super::fragment::Fragment;

/// A field of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    /// One says something and the other does not, or nothing that is a message.
    Reply,
    /// The RCODE.
    Rcode,
    /// A flag of the header, by its mask.
    Flag(u16),
    /// The question section.
    Question,
    /// The records of a section, each as often as it stands there.
    Section(usize),
    /// The order of the records of a section that are the same.
    Order(usize),
    /// TTLs of records that both have.
    Ttl,
    /// OPT is there.
    Edns,
    /// The size in OPT.
    EdnsSize,
    /// DO in OPT.
    EdnsDo,
    /// Version or other flags of OPT.
    EdnsFlags,
    /// The codes of Extended DNS Errors.
    Ede,
    /// Another option.
    Option(u16),
}

/// One field that deviates.
#[derive(Clone, Debug)]
pub(crate) struct Deviation {
    /// Which.
    pub field: Field,
    /// What CoreDNS has.
    pub coredns: String,
    /// What nearpath has.
    pub nearpath: String,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: CoreDNS {}, nearpath {}", self.field, self.coredns, self.nearpath)
    }
}

/// The flags of a header, by mask and name.
pub(crate) const FLAGS: [(u16, &str); 8] = [
    (0x8000, "qr"),
    (0x0400, "aa"),
    (0x0200, "tc"),
    (0x0100, "rd"),
    (0x0080, "ra"),
    (0x0040, "z"),
    (0x0020, "ad"),
    (0x0010, "cd"),
];

/// Seconds by which TTLs may differ for the time that passes between one server's look at its clock and the other's.
const MOMENT: u32 = 1;

/// Everything in which two replies deviate.
pub(crate) fn compare(fragment: &Fragment, both: &Both) -> Vec<Deviation> {
    let (theirs, ours) = match both {
        [Said::Reply(theirs, port), Said::Reply(ours, own)] => ((theirs, *port), (ours, *own)),
        [Said::Nothing, Said::Nothing] => return Vec::new(),
        [theirs, ours] => {
            let word = |said: &Said| match said {
                Said::Reply(..) => "a reply".to_owned(),
                Said::Broken(why) => format!("a broken reply ({why})"),
                Said::Nothing => "nothing".to_owned(),
            };
            return vec![Deviation { field: Field::Reply, coredns: word(theirs), nearpath: word(ours) }];
        }
    };
    let mut found = Found(Vec::new());
    header(&mut found, theirs.0, ours.0);
    for section in 0..3 {
        let ordered = [theirs, ours].map(|(reply, port)| records(reply, section, port));
        let mut sorted = ordered.clone();
        sorted.iter_mut().for_each(|records| records.sort_unstable());
        let field = if sorted[0] == sorted[1] { Field::Order(section) } else { Field::Section(section) };
        if !(fragment.any_order && field == Field::Order(section)) {
            found.unequal(field, &ordered, |records| format!("{records:?}"));
        }
    }
    if !fragment.any_ttl {
        ttls(&mut found, theirs.0, ours.0);
    }
    edns(&mut found, theirs.0, ours.0);
    found.0
}

struct Found(Vec<Deviation>);

impl Found {
    fn unequal<T: PartialEq>(&mut self, field: Field, both: &[T; 2], word: impl Fn(&T) -> String) {
        let [theirs, ours] = both;
        if theirs != ours {
            self.0.push(Deviation { field, coredns: word(theirs), nearpath: word(ours) });
        }
    }
}

fn header(found: &mut Found, theirs: &Reply, ours: &Reply) {
    let both = [theirs, ours];
    found.unequal(Field::Rcode, &both.map(|reply| reply.rcode), u16::to_string);
    for (mask, _) in FLAGS {
        found.unequal(Field::Flag(mask), &both.map(|reply| reply.flags & mask != 0), bool::to_string);
    }
    found.unequal(Field::Question, &both.map(|reply| reply.question.clone()), |octets| format!("{octets:02x?}"));
}

/// The records of a section in their order; the client's own port, which differs over TCP, by a word.
fn records(reply: &Reply, section: usize, port: u16) -> Vec<String> {
    let own = format!(" SRV 0 0 {port} ");
    let lines = reply.lines.iter().filter(|line| line.section == section);
    lines.map(|line| line.text.replace(&own, " SRV 0 0 PORT ")).collect()
}

fn ttls(found: &mut Found, theirs: &Reply, ours: &Reply) {
    let other = |line: &Line| ours.lines.iter().find(|own| own.section == line.section && own.text == line.text);
    for line in &theirs.lines {
        if let Some(own) = other(line).filter(|own| own.ttl.abs_diff(line.ttl) > MOMENT) {
            let (coredns, nearpath) = (format!("{} of {}", line.ttl, line.text), own.ttl.to_string());
            found.0.push(Deviation { field: Field::Ttl, coredns, nearpath });
        }
    }
}

fn edns(found: &mut Found, theirs: &Reply, ours: &Reply) {
    let (Some(their_opt), Some(our_opt)) = (&theirs.opt, &ours.opt) else {
        return found.unequal(Field::Edns, &[theirs.opt.is_some(), ours.opt.is_some()], bool::to_string);
    };
    let both = [their_opt, our_opt];
    found.unequal(Field::EdnsSize, &both.map(|opt| opt.size), u16::to_string);
    found.unequal(Field::EdnsDo, &both.map(|opt| opt.dnssec_ok), bool::to_string);
    found.unequal(Field::EdnsFlags, &both.map(|opt| (opt.version, opt.flags & 0x7fff)), |pair| format!("{pair:?}"));
    found.unequal(Field::Ede, &[theirs.edes(), ours.edes()], |codes| format!("{codes:?}"));
    let codes: BTreeSet<u16> = both.iter().flat_map(|opt| opt.options.iter().map(|(code, _)| *code)).collect();
    for code in codes.into_iter().filter(|code| *code != 15) {
        let value = both.map(|opt| opt.options.iter().find(|(own, _)| *own == code).map(|(_, octets)| octets.clone()));
        found.unequal(Field::Option(code), &value, |octets| {
            octets.as_ref().map_or("none".to_owned(), |octets| octets.escape_ascii().to_string())
        });
    }
}
