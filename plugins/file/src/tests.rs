//! What a zone says, in DNS terms; and how it is written in a Corefile.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::testing::{self, built, context, query};
use contract::wire::{Class, Composer, Flags, Message, Name, Rcode, RecordType, Section};
use contract::{Answer, Blocks, Boxed, Failure, Moment, Next, Plugin, Query, Reply, Served, Source};

use crate::{FileSpec, check};

mod reload;

const ZONE: &str = "
$TTL 100
@        SOA ns host 7 1 1 1 50
         RRSIG SOA 8 2 100 1 1 7 @ AQ==
         NS ns
         NS ns.other.net.
         RRSIG NS 8 2 100 1 1 7 @ Ag==
         NSEC a NS SOA RRSIG NSEC
         RRSIG NSEC 8 2 100 1 1 7 @ Aw==
ns       A 192.0.2.53
a        A 192.0.2.1
         A 192.0.2.2
         A 192.0.2.1
         RRSIG A 8 3 100 1 1 7 @ BA==
         NSEC ent A RRSIG NSEC
mail     MX 10 a
         MX 20 a
         MX 30 far.other.net.
_x._tcp  SRV 1 1 53 A
b.ent    A 192.0.2.3
*.w      A 192.0.2.4
         TXT wild
         MX 1 ns
x.y.w    A 192.0.2.5
*.alias  CNAME a
c1       CNAME c2
c2       CNAME a
out      CNAME www.other.net.
in       CNAME gone
tosub    CNAME h.sub
nodata   CNAME mail
loop     CNAME loop2
loop2    CNAME loop
cut      DNAME other.net.
self     DNAME here
sub      NS ns.sub
         NS ns
         DS 1 8 1 00
ns.sub   A 192.0.2.6
         AAAA 2001:db8::6
h.sub    A 192.0.2.7
";

/// A file of a test's own, removed at the end.
#[derive(Debug)]
struct Db(PathBuf);

impl Db {
    fn new(name: &str, text: &str) -> Self {
        let this = Self(std::env::temp_dir().join(format!("file-{}-{name}", std::process::id())));
        this.write(text);
        this
    }

    /// Each writing has a time of its own: on fake time several fall into one tick of the file system's clock.
    fn write(&self, text: &str) {
        static WRITTEN: AtomicU64 = AtomicU64::new(1);
        std::fs::write(&self.0, text).unwrap();
        let file = std::fs::File::options().write(true).open(&self.0).unwrap();
        let seconds = WRITTEN.fetch_add(1, Ordering::Relaxed);
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    fn plugin(&self, rest: &str) -> Arc<dyn Plugin> {
        built(checked(&format!("file {} {rest}", self.0.display())), &context())
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn checked(statement: &str) -> (Option<FileSpec>, String) {
    testing::checked(statement, check)
}

/// The world outside: `www.other.net` has an address, `nx.*` does not exist, `no.*` has nothing, `bad.*` fails, `refused.*`
/// is refused, and a loop never ends. Notes what it is asked and what is to be forgotten.
#[derive(Default)]
struct World {
    asked: Mutex<Vec<String>>,
    forgotten: Mutex<Vec<String>>,
}

impl Blocks for World {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        self.asked.lock().unwrap().push(query.name.to_string());
        let name = query.name.to_string();
        let reply = |rcode: Rcode, address: Option<[u8; 4]>| {
            let mut composer = Composer::new(&query.name, query.rtype, Class::IN);
            composer.rcode(rcode);
            if let Some(address) = address {
                composer.record(Section::Answer, &query.name, query.rtype, 9, |to| to.octets(&address)).unwrap();
            }
            Reply::fresh(Answer::composed(composer.finish(), rcode), Source::Plugin("world"))
        };
        let served = match name.split('.').next().unwrap() {
            "www" => Ok(reply(Rcode::NOERROR, Some([192, 0, 2, 99]))),
            "nx" | "gone" => Ok(reply(Rcode::NXDOMAIN, None)),
            "no" => Ok(reply(Rcode::NOERROR, None)),
            "refused" => Err(Failure::NoBlock { name }),
            _ => Err(Failure::Panicked),
        };
        Box::pin(async move { served })
    }

    fn forget(&self, names: &[Name], _before: Moment) {
        self.forgotten.lock().unwrap().extend(names.iter().map(Name::to_string));
    }
}

async fn asked_of(plugin: &Arc<dyn Plugin>, name: &str, rtype: RecordType, dnssec_ok: bool) -> Served {
    let asked = Query { dnssec_ok, ..query(name, rtype) };
    Next::new(std::slice::from_ref(plugin), &World::default()).serve(&asked).await
}

/// `RCODE [aa]: answer | authority | additional`, each record as owner (without the zone), type and number of octets or name.
fn told(reply: &Reply) -> String {
    let message = reply.answer.message();
    let section = |section| {
        let records = message.section(section).map(|record| {
            let owner = message.name(record.owner).unwrap().to_string();
            let owner =
                owner.strip_suffix(".example.org.").map_or_else(|| owner.replace("example.org.", "@"), str::to_owned);
            let rdata = message.rdata(&record);
            match record.rtype {
                RecordType::A => format!("{owner} A .{}", rdata[3]),
                RecordType::NS | RecordType::CNAME | RecordType::DNAME => {
                    let name = message.name(record.rdata).unwrap().to_string();
                    format!("{owner} {} {}", record.rtype, name.strip_suffix(".example.org.").unwrap_or(&name))
                }
                RecordType::RRSIG => format!("{owner} RRSIG({})", rdata[1]),
                other => format!("{owner} {other}"),
            }
        });
        records.collect::<Vec<_>>().join(", ")
    };
    let aa = if message.flags() & Flags::AA == 0 { "" } else { " aa" };
    let parts = [Section::Answer, Section::Authority, Section::Additional].map(section);
    format!("{}{aa}: {}", reply.answer.rcode(), parts.join(" | "))
}

const NS: &str = "@ NS ns, @ NS ns.other.net.";

#[tokio::test]
async fn a_zone_is_looked_up() {
    use RecordType as T;
    let db = Db::new("lookup", ZONE);
    let plugin = db.plugin("example.org");
    for (name, rtype, expected) in [
        ("@", T::SOA, format!("NOERROR aa: @ SOA | {NS} | ")),
        ("@", T::NS, format!("NOERROR aa: {NS} |  | ns A .53")),
        ("@", T::A, "NOERROR aa:  | @ SOA | ".into()),
        ("a", T::A, format!("NOERROR aa: a A .1, a A .2 | {NS} | ")),
        ("A", T::AAAA, "NOERROR aa:  | @ SOA | ".into()),
        ("a", T::ANY, "NOERROR aa:  | @ SOA | ".into()),
        ("mail", T::MX, format!("NOERROR aa: mail MX, mail MX, mail MX | {NS} | a A .1, a A .2")),
        ("_x._tcp", T::SRV, format!("NOERROR aa: _x._tcp SRV | {NS} | a A .1, a A .2")),
        ("nothing", T::A, "NXDOMAIN aa:  | @ SOA | ".into()),
        ("below.a", T::A, "NXDOMAIN aa:  | @ SOA | ".into()),
        ("ent", T::A, "NOERROR aa:  | @ SOA | ".into()),
        ("_tcp", T::A, "NOERROR aa:  | @ SOA | ".into()),
        ("c1", T::A, format!("NOERROR aa: c1 CNAME c2, c2 CNAME a, a A .1, a A .2 | {NS} | ")),
        ("c1", T::CNAME, format!("NOERROR aa: c1 CNAME c2 | {NS} | ")),
        ("nodata", T::A, format!("NOERROR aa: nodata CNAME mail | {NS} | ")),
        ("nodata", T::MX, format!("NOERROR aa: nodata CNAME mail, mail MX, mail MX, mail MX | {NS} | a A .1, a A .2")),
        ("v.w", T::A, format!("NOERROR aa: v.w A .4 | {NS} | ")),
        ("u.v.w", T::TXT, format!("NOERROR aa: u.v.w TXT | {NS} | ")),
        ("v.w", T::MX, format!("NOERROR aa: v.w MX | {NS} | ns A .53")),
        ("v.w", T::AAAA, "NOERROR aa:  | @ SOA | ".into()),
        ("z.y.w", T::A, "NXDOMAIN aa:  | @ SOA | ".into()),
        ("v.alias", T::A, format!("NOERROR aa: v.alias CNAME a, a A .1, a A .2 | {NS} | ")),
        ("h.sub", T::A, "NOERROR:  | sub NS ns.sub, sub NS ns | ns.sub A .6, ns.sub AAAA".into()),
        ("sub", T::NS, "NOERROR:  | sub NS ns.sub, sub NS ns | ns.sub A .6, ns.sub AAAA".into()),
        ("sub", T::DS, format!("NOERROR aa: sub DS | {NS} | ")),
        ("x.sub", T::DS, "NOERROR:  | sub NS ns.sub, sub NS ns | ns.sub A .6, ns.sub AAAA".into()),
        ("tosub", T::A, "NOERROR aa: tosub CNAME h.sub | sub NS ns.sub, sub NS ns | ns.sub A .6, ns.sub AAAA".into()),
    ] {
        let name = format!("{name}.example.org").replace("@.", "");
        let reply = asked_of(&plugin, &name, rtype, false).await.unwrap();
        assert_eq!(told(&reply), expected, "{name} {rtype}");
        assert!(reply.storable);
    }
}

#[tokio::test]
async fn chains_that_lead_out_are_followed() {
    use RecordType as T;
    let text = format!(
        "{ZONE}nx CNAME nx.other.net.\nno CNAME no.other.net.\nbad CNAME bad.other.net.\nref CNAME refused.other.net.\n"
    );
    let db = Db::new("chains", &text);
    let plugin = db.plugin("example.org");
    for (name, expected, storable) in [
        ("out", format!("NOERROR aa: out CNAME www.other.net., www.other.net. A .99 | {NS} | "), true),
        ("nx", "NXDOMAIN aa: nx CNAME nx.other.net. | @ SOA | ".into(), true),
        ("no", "NOERROR aa: no CNAME no.other.net. | @ SOA | ".into(), true),
        ("bad", format!("SERVFAIL aa: bad CNAME bad.other.net. | {NS} | "), false),
        ("ref", format!("NOERROR aa: ref CNAME refused.other.net. | {NS} | "), false),
        ("in", "NXDOMAIN aa: in CNAME gone | @ SOA | ".into(), true),
        (
            "www.cut",
            format!("NOERROR aa: cut DNAME other.net., www.cut CNAME www.other.net., www.other.net. A .99 | {NS} | "),
            true,
        ),
    ] {
        let reply = asked_of(&plugin, &format!("{name}.example.org"), T::A, false).await.unwrap();
        assert_eq!((told(&reply), reply.storable), (expected, storable), "{name}");
    }
    let reply = asked_of(&plugin, "www.cut.example.org", T::CNAME, false).await.unwrap();
    assert_eq!(told(&reply), format!("NOERROR aa: cut DNAME other.net., www.cut CNAME www.other.net. | {NS} | "));
    let reply = asked_of(&plugin, "cut.example.org", T::DNAME, false).await.unwrap();
    assert_eq!(told(&reply), format!("NOERROR aa: cut DNAME other.net. | {NS} | "));
    let reply = asked_of(&plugin, "loop.example.org", T::A, false).await.unwrap();
    assert_eq!(reply.answer.message().section(Section::Answer).count(), 10, "a loop inside the zone ends");
    let reply = asked_of(&plugin, "out.example.org", T::A, false).await.unwrap();
    assert_eq!(reply.true_for(), Some(Duration::from_secs(9)), "as long as its shortest record");
    // a chain that comes back is noticed
    let asked = query("out.example.org", T::A)
        .chase(&[Name::parse("www.other.net").unwrap()], Name::parse("out.example.org").unwrap());
    let world = World::default();
    let reply = Next::new(&[plugin], &world).serve(&asked.unwrap()).await.unwrap();
    assert_eq!(told(&reply), format!("SERVFAIL aa: out CNAME www.other.net. | {NS} | "));
    assert!(world.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn signatures_are_told_to_whoever_wants_them() {
    use RecordType as T;
    let db = Db::new("signed", ZONE);
    let plugin = db.plugin("example.org");
    let ns = format!("{NS}, @ RRSIG(2)");
    for (name, rtype, expected) in [
        ("example.org", T::SOA, format!("NOERROR aa: @ SOA, @ RRSIG(6) | {ns} | ")),
        ("example.org", T::NS, format!("NOERROR aa: {ns} |  | ns A .53")),
        ("a.example.org", T::A, format!("NOERROR aa: a A .1, a A .2, a RRSIG(1) | {ns} | ")),
        ("a.example.org", T::TXT, "NOERROR aa:  | @ SOA, @ RRSIG(6), a NSEC | ".into()),
        ("aa.example.org", T::A, "NXDOMAIN aa:  | @ SOA, @ RRSIG(6), a NSEC, @ NSEC, @ RRSIG(47) | ".into()),
        ("ent.example.org", T::A, "NOERROR aa:  | @ SOA, @ RRSIG(6) | ".into()),
        ("sub.example.org", T::A, "NOERROR:  | sub NS ns.sub, sub NS ns, sub DS | ns.sub A .6, ns.sub AAAA".into()),
        (
            "mail.example.org",
            T::MX,
            format!("NOERROR aa: mail MX, mail MX, mail MX | {ns} | a A .1, a A .2, a RRSIG(1)"),
        ),
    ] {
        let reply = asked_of(&plugin, name, rtype, true).await.unwrap();
        assert_eq!(told(&reply), expected, "{name} {rtype}");
    }
}

#[tokio::test]
async fn the_longest_zone_answers_and_others_are_handed_on() {
    let text = "@ 5 SOA a b 1 1 1 1 1\nwww A 192.0.2.1\n";
    let (outer, inner) = (Db::new("outer", text), Db::new("inner", &text.replace(".1\n", ".2\n")));
    let statements = format!("file {} org net\nfile {} example.org", outer.0.display(), inner.0.display());
    let (specs, report) = testing::all_checked(&statements, &[Name::root()], check);
    let spec = specs.into_iter().map(Option::unwrap).reduce(FileSpec::then).unwrap();
    let plugin = built((Some(spec), report), &context());
    for (name, expected) in [
        ("www.org", "NOERROR aa: www.org. A .1 |  | "),
        ("www.net", "NOERROR aa: www.net. A .1 |  | "),
        ("www.example.org", "NOERROR aa: www A .2 |  | "),
    ] {
        assert_eq!(told(&asked_of(&plugin, name, RecordType::A, false).await.unwrap()), expected);
    }
    let failure = asked_of(&plugin, "www.com", RecordType::A, false).await.unwrap_err();
    assert_eq!(failure, Failure::EndOfChain { name: "www.com.".to_owned() });
}

#[tokio::test]
async fn names_that_do_not_exist_fall_through() {
    let db = Db::new("fall", ZONE);
    let here = |rest: &str| db.plugin(&format!("example.org {{\n {rest}\n}}"));
    for (rest, name, rtype, falls) in [
        ("fallthrough", "gone.example.org", RecordType::A, true),
        ("fallthrough", "ent.example.org", RecordType::A, true),
        ("fallthrough", "a.example.org", RecordType::TXT, false),
        ("fallthrough", "h.sub.example.org", RecordType::A, false),
        ("fallthrough ent.example.org", "gone.example.org", RecordType::A, false),
        ("fallthrough ent.example.org", "gone.ent.example.org", RecordType::A, true),
        ("reload 0", "gone.example.org", RecordType::A, false),
    ] {
        let served = asked_of(&here(rest), name, rtype, false).await;
        assert_eq!(served.is_err(), falls, "{rest} {name}");
    }
}

#[tokio::test]
async fn names_in_records_are_compressed_and_whole() {
    let db = Db::new("whole", ZONE);
    let reply = asked_of(&db.plugin("example.org"), "c1.example.org", RecordType::A, false).await.unwrap();
    let message = reply.answer.message();
    assert!(Message::parse(message.wire()).is_ok() && message.wire().len() < 180, "{}", message.wire().len());
}

/// A small generator of numbers (Knuth's MMIX constants), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn whatever_a_file_says_it_is_read_or_refused() {
    let words = [
        "@",
        "a",
        "*",
        "*.a",
        "b.a",
        "x.other.",
        ".",
        "1",
        "5m",
        "IN",
        "A",
        "192.0.2.1",
        "NS",
        "CNAME",
        "DNAME",
        "MX",
        "SOA",
        "TXT",
        "RRSIG",
        "NSEC",
        "SVCB",
        "alpn=",
        "\"t\"",
        "\\000",
        "(",
        ")",
        ";",
        "\n",
        "\n",
        "\n ",
        "$ORIGIN",
        "$TTL",
        "AQ==",
        r"\#",
        "00",
        "\u{fc}",
        "\"",
    ];
    let templates = ["a 1 CNAME @", "a 1 DNAME b.a", "@ 1 NS a", "b.a 1 MX 1 a", "*.a 1 CNAME *.a", "a 1 NS b.a"];
    let origin = Name::parse("example.org").unwrap();
    let (mut numbers, mut read) = (Numbers(1), 0);
    for round in 0..4_000 {
        let mut text = "@ 1 SOA a b 1 1 1 1 1\n".to_owned();
        for _ in 0..numbers.below(6) {
            text += templates[numbers.below(templates.len())];
            text += "\n";
        }
        for _ in 0..numbers.below(if round % 2 == 0 { 1 } else { 12 }) {
            text += words[numbers.below(words.len())];
            text += [" ", ""][usize::from(numbers.below(8) == 0)];
        }
        let mut files = crate::stamps::Stamps::default();
        let zone = crate::zone::Zone::read(&PathBuf::from("db"), text.as_bytes(), &origin, None, &mut files);
        let Ok(Some(zone)) = zone else { continue };
        read += 1;
        for name in ["example.org", "a.example.org", "b.a.example.org", "c.b.a.example.org", r"\000.example.org"] {
            let name = Name::parse(name).unwrap();
            for (rtype, dnssec_ok) in [(RecordType::A, true), (RecordType::MX, false), (RecordType::NS, true)] {
                let found = zone.look_up(crate::lookup::Asked { name: &name, rtype, dnssec_ok });
                assert!(found.answer.len() < 64, "{text}");
            }
        }
    }
    assert!(read > 2_000, "{read} of them are zones");
}

#[test]
fn mistakes_have_a_place() {
    for (wrong, place, word) in [
        ("file", "Corefile:2:5: error", "zone file"),
        ("file db a..b", "Corefile:2:9: error", "empty label"),
        ("file db {\n relod 1m\n}", "Corefile:3:2: error", "`reload`?"),
        ("file db {\n reload\n}", "Corefile:3:8: error", "duration"),
        ("file db {\n reload 10\n}", "Corefile:3:9: error", "duration"),
        ("file db {\n reload_by_mtime x\n}", "Corefile:3:18: error", "unexpected"),
        ("file db {\n fallthrough a..b\n}", "Corefile:3:14: error", "empty label"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    let (spec, report) = checked("file db {\n upstream 192.0.2.1\n reload 1ms\n}");
    assert!(spec.is_some() && report.matches(": warning").count() == 2, "{report}");
    let spec = checked("file db example.org 10.0.0.0/8 {\n reload 0\n reload_by_mtime\n fallthrough\n}").0.unwrap();
    assert_eq!(spec.files[0].zones.len(), 2);
    assert!(spec.files[0].reload.is_none() && spec.files[0].by_mtime && spec.fallthrough == Some(vec![Name::root()]));
    assert_eq!(checked("file db").0.unwrap().files[0].reload, Some(Duration::from_secs(60)));
}
