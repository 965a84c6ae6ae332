//! The notation of a question and its answer in an example, as `plugins/README.md` describes it.
//!
//! ```text
//!   # dig -b 127.0.0.9 www.example.org A +tcp -> NOERROR 192.0.2.1
//!         '------------ Asked -------------'    '--- Expected ---'
//! ```

use std::net::IpAddr;

use contract::wire::RecordType;
use nearpath_tests::{Ask, ask};

use super::expected::Expected;

/// How a question is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    #[default]
    Udp,
    Tcp,
    Tls,
}

/// A question, from whom, and to which of the example's addresses and ports; the first one unless said.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub ask: Ask,
    pub transport: Transport,
    pub client: Option<IpAddr>,
    pub server: Option<String>,
    pub port: Option<String>,
}

/// A line of an example.
#[derive(Debug)]
pub(super) struct Line {
    /// In the README.
    pub number: usize,
    /// As it stands there, without its `#`.
    pub text: String,
    pub asked: Asked,
    pub expected: Expected,
}

impl Line {
    /// What is expected, as it stands in the README.
    pub(super) fn wanted(&self) -> &str {
        self.text.split_once(" -> ").map_or("", |(_, wanted)| wanted)
    }
}

/// The questions of an example whose fence stands at `fence`.
///
/// # Errors
/// A line is none that could be asked, or there is none. With its place.
pub(super) fn questions(readme: &str, fence: usize, example: &str) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    for (offset, line) in example.lines().enumerate() {
        let Some(text) = line.trim().strip_prefix('#').map(str::trim) else { continue };
        if text.split_whitespace().next() != Some("dig") {
            continue;
        }
        let number = fence + 1 + offset;
        let (asked, expected) =
            parse(text).map_err(|error| format!("{readme}:{number}: {text}\n  this cannot be asked: {error}"))?;
        found.push(Line { number, text: text.to_owned(), asked, expected });
    }
    match found.is_empty() {
        true => {
            Err(format!("{readme}:{fence}: the example says no question and answer: `# dig NAME TYPE -> RCODE DATA`"))
        }
        false => Ok(found),
    }
}

fn parse(text: &str) -> Result<(Asked, Expected), String> {
    let (asked, expected) = text.split_once(" -> ").ok_or("no ` -> ` with what is expected")?;
    Ok((Asked::parse(asked)?, Expected::parse(expected)?))
}

impl Asked {
    fn parse(text: &str) -> Result<Self, String> {
        let (mut name, mut rtype, mut class) = (None, None, 1);
        let mut asked = Self { ask: ask(".", "A"), transport: Transport::Udp, client: None, server: None, port: None };
        let mut words = text.split_whitespace().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("nothing behind `{word}`"));
            match word {
                "-b" => asked.client = Some(client(value()?)?),
                "-p" => asked.port = Some(value()?.to_owned()),
                "-x" => {
                    name = Some(reverse(address(value()?)?));
                    rtype = Some(RecordType::PTR);
                }
                "CH" => class = 3,
                _ if word.starts_with('@') => asked.server = Some(word[1..].to_owned()),
                _ if word.starts_with('+') => asked.flag(&word[1..])?,
                _ if word.starts_with('-') => return Err(format!("`{word}` is not known")),
                _ if name.is_none() => name = Some(word.to_owned()),
                _ if rtype.is_none() => rtype = Some(RecordType::parse(word).ok_or(format!("`{word}` is no type"))?),
                _ => return Err(format!("`{word}` is one word too many")),
            }
        }
        asked.ask.name = ask(&name.ok_or("no name")?, "A").name;
        asked.ask.rtype = rtype.unwrap_or(RecordType::A).0;
        asked.ask.class = class;
        Ok(asked)
    }

    fn flag(&mut self, flag: &str) -> Result<(), String> {
        let asked = self.ask.clone();
        self.ask = match flag.split_once('=').unwrap_or((flag, "")) {
            ("tcp", "") => {
                self.transport = Transport::Tcp;
                asked
            }
            ("tls", "") => {
                self.transport = Transport::Tls;
                asked
            }
            ("dnssec", "") => asked.dnssec(),
            ("edns", "") => asked.edns(1232),
            ("bufsize", size) => asked.edns(size.parse().map_err(|_| format!("`{size}` is no size"))?),
            ("nsid", "") => asked.option(3, &[]),
            ("cdflag", "") => asked.flag(0x0010),
            ("adflag", "") => asked.flag(0x0020),
            ("norecurse", "") => Ask { flags: asked.flags & !0x0100, ..asked },
            _ => return Err(format!("`+{flag}` is not known")),
        };
        Ok(())
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address"))
}

/// A client's address: one of this machine.
fn client(text: &str) -> Result<IpAddr, String> {
    match address(&super::stage::client(text))? {
        client if client.is_loopback() => Ok(client),
        client => Err(format!("nobody asks from {client} here: clients are in 127.0.0.0/8 or 192.168.0.0/16, or ::1")),
    }
}

fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa."
        }
    }
}

#[test]
fn what_cannot_be_asked_has_its_place() {
    for (line, wanted) in [
        ("", "p:7: the example says no question"),
        ("# dig a.example A", "p:9: dig a.example A\n  this cannot be asked: no ` -> `"),
        ("# dig a.example B -> NOERROR", "`B` is no type"),
        ("# dig a.example A A -> NOERROR", "one word too many"),
        ("# dig -> NOERROR", "no name"),
        ("# dig a.example +quick -> NOERROR", "`+quick` is not known"),
        ("# dig -b 198.51.100.1 a.example -> NOERROR", "nobody asks from 198.51.100.1"),
        ("# dig a.example -> NOHOW", "`NOHOW` is no RCODE"),
        ("# dig a.example -> NOERROR 192.0.2.1,", "an empty record"),
        ("# dig a.example -> NOERROR ttl soon", "`soon` is no number"),
    ] {
        let error = questions("p", 7, &format!(". {{\n{line}\n}}\n")).expect_err(line);
        assert!(error.contains(wanted), "{line}: {error}");
    }
}

#[test]
fn a_question_is_read_as_dig_reads_it() {
    let asked = |text: &str| Asked::parse(text).expect(text);
    let all = asked("dig -b 192.168.7.7 @127.0.0.2 -p 5300 a.example TXT +tls +dnssec");
    assert_eq!((all.client, all.transport), ("127.168.7.7".parse().ok(), Transport::Tls));
    assert_eq!((all.server.as_deref(), all.port.as_deref()), (Some("127.0.0.2"), Some("5300")));
    assert_eq!((all.ask.rtype, all.ask.edns.map(|edns| edns.2)), (16, Some(0x8000)));
    assert_eq!(asked("dig -x 192.0.2.1").ask.name, ask("1.2.0.192.in-addr.arpa", "A").name);
    let v6 = asked("dig -x 2001:db8::1").ask;
    assert!(v6.name.starts_with(&[1, b'1', 1, b'0']) && v6.name.len() == 32 * 2 + 10 && v6.rtype == 12);
}
