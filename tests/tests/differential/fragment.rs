//! Fragments: pieces of Corefiles with what is asked of them, as `Corefile-compat/differential/README.md` describes the files.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use nearpath_tests::message::{Ask, ask};

/// The zone that names without a final dot are in.
pub(crate) const ORIGIN: &str = "plain.example.";

/// One Corefile and what happens to it.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// `FILE:LINE`.
    pub place: String,
    /// What is shown.
    pub title: String,
    /// The whole Corefile, with placeholders.
    pub corefile: String,
    /// Files that are there before the start.
    pub files: Vec<(String, String)>,
    /// What happens after it, in order.
    pub steps: Vec<Step>,
    /// The order of records is not compared.
    pub any_order: bool,
    /// TTLs are not compared.
    pub any_ttl: bool,
    /// Metrics are compared at the end.
    pub metrics: bool,
    /// How long a reply is waited for.
    pub patience: Duration,
    /// The address that both servers are asked at, if it is not one of their own.
    pub at: Option<IpAddr>,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Step {
    /// These are asked, in each pass in this order.
    Ask(Vec<Question>),
    /// Time passes.
    Wait(Duration),
    /// A file gets another text.
    Write(String, String),
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// As the fragment has it.
    pub text: String,
    /// The message.
    pub ask: Ask,
    /// Who asks.
    pub from: IpAddr,
    /// Over this transport only.
    pub only: Option<Transport>,
    /// In the first pass only.
    pub once: bool,
}

/// UDP or TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// What every fragment is asked, unless it says `- no defaults`.
const DEFAULTS: &[&str] = &[
    "www A",
    "www AAAA +edns=1232",
    "www MX",
    "one A +cd",
    "mixed A +edns=4096",
    "c1 A",
    "c1 AAAA +dnssec",
    "cgone A",
    "cout A",
    "x.wild A",
    "y.wild TXT +edns=1232",
    "x.redirected A",
    "big TXT",
    "big2 TXT +edns=4096",
    "many A +edns=1232",
    "missing A",
    "gone AAAA +dnssec",
    "ent A",
    "large TXT +edns=4096",
    "srv SRV",
    "MX.Plain.Example. MX",
    "www.signed.example. A +dnssec",
    "missing.signed.example. A +dnssec",
    "elsewhere.invalid. A",
    "1.2.0.192.in-addr.arpa. PTR",
];

/// The fragments of a folder's files, in the order of their names.
#[track_caller]
pub(crate) fn read(folder: &Path) -> Vec<Fragment> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == "fragment"));
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        all.extend(parse(&name, &text));
    }
    all
}

/// The fragments of one file's text.
#[track_caller]
pub(crate) fn parse(name: &str, text: &str) -> Vec<Fragment> {
    let mut pieces: Vec<(usize, Vec<&str>)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("= ") {
            Some(title) => pieces.push((number + 1, vec![title])),
            None => match pieces.last_mut() {
                Some((_, lines)) => lines.push(line),
                None => assert!(line.is_empty() || line.starts_with('#'), "{name}:{}: before any `=`", number + 1),
            },
        }
    }
    pieces.into_iter().map(|(line, lines)| one(name, line, &lines)).collect()
}

#[track_caller]
fn one(name: &str, line: usize, lines: &[&str]) -> Fragment {
    let body: Vec<&str> = lines[1..].iter().take_while(|line| !line.starts_with("- ")).copied().collect();
    let mut fragment = Fragment {
        place: format!("{name}.fragment:{line}"),
        title: lines[0].to_owned(),
        corefile: body.join("\n") + "\n",
        files: Vec::new(),
        steps: Vec::new(),
        any_order: false,
        any_ttl: false,
        metrics: false,
        patience: Duration::from_secs(7),
        at: None,
    };
    let (mut defaults, mut whole) = (true, false);
    let mut rest = &lines[1 + body.len()..];
    while let [first, after @ ..] = rest {
        let words: Vec<&str> = first[2..].split_whitespace().collect();
        let length = after.iter().take_while(|line| !line.starts_with("- ")).count();
        let (text, next) = after.split_at(length);
        rest = next;
        match words[..] {
            ["whole"] => whole = true,
            ["no", "defaults"] => defaults = false,
            ["any", "order"] => fragment.any_order = true,
            ["any", "ttl"] => fragment.any_ttl = true,
            ["metrics"] => fragment.metrics = true,
            ["patience", time] => fragment.patience = seconds(time),
            ["at", address] => fragment.at = Some(address.parse().expect("an address")),
            ["wait", time] => fragment.steps.push(Step::Wait(seconds(time))),
            ["file", file] => fragment.takes(file, text.join("\n") + "\n"),
            ["ask", ..] => fragment.asks(question(&words[1..].join(" "))),
            ["again"] => fragment.asks_again(),
            _ => panic!("{}: what is `{first}`?", fragment.place),
        }
    }
    if !whole {
        fragment.corefile = format!(".:{{port}} {{\nbind {{ip}}\n{}}}\n", fragment.corefile);
    }
    if defaults {
        let mut all: Vec<Question> = DEFAULTS.iter().map(|text| question(text)).collect();
        if let Some(Step::Ask(first)) = fragment.steps.first_mut() {
            all.append(first);
            *first = all;
        } else {
            fragment.steps.insert(0, Step::Ask(all));
        }
    }
    fragment
}

impl Fragment {
    fn takes(&mut self, file: &str, text: String) {
        match self.steps.is_empty() {
            true => self.files.push((file.to_owned(), text)),
            false => self.steps.push(Step::Write(file.to_owned(), text)),
        }
    }

    fn asks(&mut self, question: Question) {
        match self.steps.last_mut() {
            Some(Step::Ask(group)) => group.push(question),
            _ => self.steps.push(Step::Ask(vec![question])),
        }
    }

    /// Asks once more what was asked so far by the fragment itself.
    fn asks_again(&mut self) {
        let all = self.steps.iter().filter_map(|step| match step {
            Step::Ask(group) => Some(group.clone()),
            _ => None,
        });
        let all = all.flatten().collect();
        self.steps.push(Step::Ask(all));
    }
}

#[track_caller]
fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.trim_end_matches('s').parse().expect("seconds"))
}

/// Reads `NAME TYPE [+FLAG...] [from ADDRESS]`.
#[track_caller]
pub(crate) fn question(text: &str) -> Question {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, rtype, rest @ ..] = words.as_slice() else { panic!("not NAME TYPE: {text}") };
    let name = if name.ends_with('.') { (*name).to_owned() } else { format!("{name}.{ORIGIN}") };
    let mut found = Question {
        text: text.to_owned(),
        ask: ask(&name, rtype),
        from: IpAddr::from([127, 0, 0, 1]),
        only: None,
        once: false,
    };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let asked = found.ask.clone();
        found.ask = match word.split_once('=').unwrap_or((word, "")) {
            ("+dnssec", _) => asked.dnssec(),
            ("+edns", size) => asked.edns(size.parse().expect("a size")),
            ("+cd", _) => asked.flag(0x0010),
            ("+ad", _) => asked.flag(0x0020),
            ("+norec", _) => Ask { flags: asked.flags & !0x0100, ..asked },
            ("+nsid", _) => asked.option(3, &[]),
            ("+cookie", _) => asked.option(10, b"12345678"),
            ("+subnet", _) => asked.option(8, &[0, 1, 24, 0, 192, 0, 2]),
            ("+chaos", _) => asked.class(3),
            ("+class", number) => asked.class(number.parse().expect("a number")),
            ("+once", _) => {
                found.once = true;
                asked
            }
            ("+udp", _) => with(&mut found, Transport::Udp, asked),
            ("+tcp", _) => with(&mut found, Transport::Tcp, asked),
            ("from", _) => {
                found.from = rest.next().and_then(|text| text.parse().ok()).expect("an address");
                asked
            }
            _ => panic!("what is `{word}` in: {text}"),
        };
    }
    found
}

fn with(found: &mut Question, transport: Transport, asked: Ask) -> Ask {
    found.only = Some(transport);
    asked
}
