//! What the stand-ins of an example's upstreams know: an answer for every name, so that an example needs no zone.
//! `plugins/README.md` says the same for authors.

use contract::wire::{Rcode, RecordType};
use nearpath_tests::Reply;
use nearpath_tests::record::Record;

/// How long the answers may be memorised, seconds.
const TTL: u32 = 300;
/// How many addresses a name that begins with `many.` has.
const MANY: u8 = 3;
/// Octets of each of the four strings that a name has which begins with `large.`: the reply just fits 1,232 octets.
const LARGE: usize = 252;

/// A question as a stand-in reads it.
struct Question {
    name: String,
    rtype: u16,
    message: Reply,
}

/// The reply of the stand-in that the example calls `upstream`; `None` where it says nothing.
pub(super) fn answer(upstream: &str, query: &[u8]) -> Option<Vec<u8>> {
    let message = Reply::read(query).ok()?;
    let name = text(&message.question)?;
    let rtype = message.question.last_chunk::<4>().map(|[high, low, ..]| u16::from_be_bytes([*high, *low]))?;
    let question = Question { name, rtype, message };
    match question.behaviour(upstream) {
        "silent" => None,
        "failing" => Some(question.with(Rcode::SERVFAIL, &[], false)),
        "refused" => Some(question.with(Rcode::REFUSED, &[], false)),
        "missing" => Some(question.with(Rcode::NXDOMAIN, &[], true)),
        _ if !question.exists() => Some(question.with(Rcode::NXDOMAIN, &[], true)),
        "alias" => {
            let target = question.name.strip_prefix("alias.").unwrap_or(".").to_owned();
            let link = format!("{} {TTL} CNAME {target}", question.name);
            Some(question.with(Rcode::NOERROR, &[vec![link], question.records(&target, upstream)].concat(), false))
        }
        "empty" => Some(question.with(Rcode::NOERROR, &[], true)),
        "v4only" if question.rtype == RecordType::AAAA.0 => Some(question.with(Rcode::NOERROR, &[], true)),
        _ => {
            let records = question.records(&question.name, upstream);
            Some(question.with(Rcode::NOERROR, &records, records.is_empty()))
        }
    }
}

impl Question {
    /// The word of a label that ends with this stand-in's port (`missing-9005.`), or the first label.
    fn behaviour(&self, upstream: &str) -> &str {
        let labels = || self.name.split('.');
        let named =
            |label: &'_ str| label.rsplit_once('-').is_some_and(|(_, port)| upstream.ends_with(&format!(":{port}")));
        let own = labels().find(|label| named(label)).and_then(|label| label.rsplit_once('-'));
        own.map_or_else(|| labels().next().unwrap_or_default(), |(word, _)| word)
    }

    /// Every name does, but in a cluster's zone only those of services.
    fn exists(&self) -> bool {
        match self.name.strip_suffix("cluster.local.") {
            Some("" | "svc.") | None => true,
            Some(below) => below.ends_with(".svc.") && below.matches('.').count() <= 3,
        }
    }

    /// What every name has of each type.
    fn records(&self, owner: &str, upstream: &str) -> Vec<String> {
        let count = if owner.starts_with("many.") { MANY } else { 1 };
        let line = |rdata: String| format!("{owner} {TTL} {} {rdata}", RecordType(self.rtype));
        match RecordType(self.rtype) {
            RecordType::A => (1..=count).map(|last| line(format!("192.0.2.{last}"))).collect(),
            RecordType::AAAA => (1..=count).map(|last| line(format!("2001:db8::{last}"))).collect(),
            RecordType::TXT if owner.starts_with("large.") => {
                (1..=4).map(|nth| line(format!("{nth}{}", "x".repeat(LARGE - 1)))).collect()
            }
            RecordType::TXT => vec![line(format!("{owner} {upstream}{}", self.options()))],
            RecordType::NS => vec![line("ns.example.org.".to_owned())],
            RecordType::PTR => vec![line("host.example.org.".to_owned())],
            RecordType::MX => vec![line("10 mail.example.org.".to_owned())],
            RecordType::SRV => vec![line("0 100 8080 host.example.org.".to_owned())],
            RecordType::SOA => vec![soa(owner)],
            _ => Vec::new(),
        }
    }

    /// What EDNS said, for names that begin with `edns.`, behind a blank each: `bufsize=OCTETS`, `do`, `CODE=HEX`.
    fn options(&self) -> String {
        let Some(opt) = self.message.opt.as_ref().filter(|_| self.name.starts_with("edns.")) else {
            return String::new();
        };
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let options = opt.options.iter().map(|(code, octets)| format!(" {code}={}", hex(octets)));
        format!(" bufsize={}{}{}", opt.size, if opt.dnssec_ok { " do" } else { "" }, options.collect::<String>())
    }

    fn with(&self, rcode: Rcode, records: &[String], negative: bool) -> Vec<u8> {
        let authority = negative.then(|| {
            let zone = if self.name.ends_with(".cluster.local.") {
                "cluster.local."
            } else {
                self.name.split_once('.').map_or(".", |(_, zone)| if zone.is_empty() { "." } else { zone })
            };
            Record::parse(&soa(zone))
        });
        // what MX and SRV lead to
        let leads = |line: &&String| line.contains(" MX ") || line.contains(" SRV ");
        let target = records.iter().find(leads).and_then(|line| line.rsplit(' ').next());
        let additional = target.map(|target| Record::parse(&format!("{target} {TTL} A 192.0.2.1")));
        let edns = self.message.opt.is_some();
        let mut out = self.message.id.to_be_bytes().to_vec();
        // QR, AA and RA; RD and CD as asked
        out.extend((0x8480 | self.message.flags & 0x0110 | rcode.0).to_be_bytes());
        let counts =
            [1, records.len(), usize::from(authority.is_some()), usize::from(additional.is_some()) + usize::from(edns)];
        counts.iter().for_each(|count| out.extend((*count as u16).to_be_bytes()));
        out.extend(&self.message.question);
        records
            .iter()
            .map(|line| Record::parse(line))
            .chain(authority)
            .chain(additional)
            .for_each(|record| record.write(&mut out));
        if edns {
            out.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]);
        }
        out
    }
}

fn soa(zone: &str) -> String {
    format!("{zone} {TTL} SOA ns.example.org. hostmaster.example.org. 1 7200 900 1209600 {TTL}")
}

/// The name of a question in lower case with its final dot.
fn text(question: &[u8]) -> Option<String> {
    let (mut rest, mut name) = (question, String::new());
    loop {
        let (&length, tail) = rest.split_first()?;
        if length == 0 {
            return Some(if name.is_empty() { ".".to_owned() } else { name });
        }
        let (label, tail) = tail.split_at_checked(length.into())?;
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        name.push('.');
        rest = tail;
    }
}

#[test]
fn the_first_label_says_what_is_answered() {
    let told = |upstream: &str, name: &str, rtype: &str| {
        let asked = nearpath_tests::ask(name, rtype).dnssec().option(65518, b"ab");
        let reply = Reply::read(&answer(upstream, &asked.wire())?).expect("a whole message");
        Some((reply.rcode, reply.answers().into_iter().map(str::to_owned).collect::<Vec<_>>(), reply.section(1).len()))
    };
    let one = |text: &str| vec![text.to_owned()];
    assert_eq!(told("u", "silent.example", "A"), None);
    assert_eq!(told("u", "missing.example", "A"), Some((3, vec![], 1)));
    assert_eq!(told("u:5", "missing-5.example", "A"), Some((3, vec![], 1)));
    assert_eq!(told("u:6", "missing-5.example", "A"), Some((0, one("missing-5.example. A 192.0.2.1"), 0)));
    assert_eq!(told("u:6", "missing-5.refused-6.example", "A").map(|(rcode, ..)| rcode), Some(5));
    assert_eq!(told("u", "v4only.example", "AAAA"), Some((0, vec![], 1)));
    assert_eq!(
        told("u", "edns.example", "TXT"),
        Some((0, one("edns.example. TXT edns.example. u bufsize=1232 do 65518=6162"), 0))
    );
    assert_eq!(told("u", "a.b.svc.cluster.local", "A"), Some((0, one("a.b.svc.cluster.local. A 192.0.2.1"), 0)));
    assert_eq!(told("u", "x.a.b.svc.cluster.local", "A"), Some((3, vec![], 1)));
    assert_eq!(told("u", "alias.a.example", "A").map(|(_, answers, _)| answers.len()), Some(2));
    assert_eq!(told("u", "many.a.example", "A").map(|(_, answers, _)| answers.len()), Some(3));
    let large = answer("u", &nearpath_tests::ask("large.example.org", "TXT").wire()).expect("an answer");
    assert!((1_101..1_221).contains(&large.len()), "{} octets", large.len());
    assert_eq!(told("u", "failing.example", "A").map(|(rcode, ..)| rcode), Some(2));
}
