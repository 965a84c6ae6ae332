//! What a reply must be: its RCODE, exactly the records of its answer section, and what else is said.

use contract::wire::Rcode;
use nearpath_tests::Reply;

/// How much a TTL may have run down in memory since the answer came, seconds.
const AGED: u32 = 15;

/// Flags of the header by their names in `dig`.
const FLAGS: [(&str, u16); 6] =
    [("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x0080), ("ad", 0x0020), ("cd", 0x0010)];

/// The sections by the words that begin them.
const SECTIONS: [&str; 3] = ["answer", "authority", "additional"];

/// What is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// `no reply`
    Silence,
    /// Anything else.
    Reply(Wanted),
}

/// A reply as it must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    rcode: u16,
    set: u16,
    clear: u16,
    ttl: Option<u32>,
    ede: Option<u16>,
    nsid: Option<String>,
    bufsize: Option<u16>,
    sections: Vec<(usize, Records)>,
}

/// The records of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Records {
    /// Words of each, quotes left out: `[[OWNER] TYPE] RDATA`, or TYPE alone; `*` is any word.
    patterns: Vec<Vec<String>>,
    /// Others may stand there too (`...`).
    open: bool,
    /// In this order, from the first record on (`then`).
    ordered: bool,
}

impl Expected {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "no reply" {
            return Ok(Self::Silence);
        }
        let mut sections = text.split(';').map(words);
        let first = sections.next().unwrap_or_default();
        let (rcode, rest) = first.split_first().ok_or("nothing is expected")?;
        let mut wanted =
            Wanted { rcode: Rcode::parse(rcode).ok_or(format!("`{rcode}` is no RCODE"))?.0, ..Wanted::default() };
        let records = wanted.properties(rest)?;
        wanted.sections.push((0, Records::parse(records)?));
        for section in sections {
            let (name, records) = section.split_first().ok_or("an empty section")?;
            let at = SECTIONS.iter().position(|section| section == name).ok_or(format!("`{name}` is no section"))?;
            wanted.sections.push((at, Records::parse(records)?));
        }
        Ok(Self::Reply(wanted))
    }
}

impl Wanted {
    /// Takes the properties before the records, and gives what follows them.
    fn properties<'w>(&mut self, mut words: &'w [String]) -> Result<&'w [String], String> {
        loop {
            let two = |number: &str| number.parse::<u32>().map_err(|_| format!("`{number}` is no number"));
            words = match words {
                [name, value, rest @ ..] if name == "ttl" => {
                    self.ttl = Some(two(value)?);
                    rest
                }
                [name, value, rest @ ..] if name == "ede" => {
                    self.ede = Some(two(value)?.try_into().map_err(|_| format!("`{value}` is no code"))?);
                    rest
                }
                [name, value, rest @ ..] if name == "bufsize" => {
                    self.bufsize = Some(two(value)?.try_into().map_err(|_| format!("`{value}` is no size"))?);
                    rest
                }
                [name, value, rest @ ..] if name == "nsid" => {
                    self.nsid = Some(value.clone());
                    rest
                }
                [word, rest @ ..] if word.starts_with(['+', '-']) => {
                    let bit =
                        FLAGS.iter().find(|(name, _)| *name == &word[1..]).ok_or(format!("`{word}` is no flag"))?.1;
                    if word.starts_with('+') {
                        self.set |= bit
                    } else {
                        self.clear |= bit
                    }
                    rest
                }
                rest => return Ok(rest),
            }
        }
    }

    /// What is wrong with a reply; `None` if it is as expected.
    pub(super) fn misses(&self, reply: &Reply) -> Option<String> {
        let flags = reply.flags;
        if reply.rcode != self.rcode {
            return Some(format!("the RCODE is {}", Rcode(reply.rcode)));
        }
        if flags & self.set != self.set || flags & self.clear != 0 {
            let set: Vec<_> = FLAGS.iter().filter(|(_, bit)| flags & bit != 0).map(|(name, _)| *name).collect();
            return Some(format!("the flags are {}", set.join(" ")));
        }
        if self.ede.is_some_and(|code| !reply.edes().contains(&code)) {
            return Some(format!("the Extended DNS Errors are {:?}", reply.edes()));
        }
        let mut options = reply.opt.iter().flat_map(|opt| &opt.options);
        let nsid = options.find(|(code, _)| *code == 3).map(|(_, octets)| String::from_utf8_lossy(octets).into_owned());
        if self.nsid.is_some() && nsid != self.nsid {
            return Some(format!("the name server's id is {nsid:?}"));
        }
        let bufsize = reply.opt.as_ref().map(|opt| opt.size);
        if self.bufsize.is_some() && bufsize != self.bufsize {
            return Some(format!("the size in OPT is {bufsize:?}"));
        }
        let answers = || reply.lines.iter().filter(|line| line.section == 0);
        if let Some(ttl) = self.ttl
            && (answers().next().is_none()
                || !answers().all(|line| (ttl.saturating_sub(AGED)..=ttl).contains(&line.ttl)))
        {
            return Some(format!(
                "the TTLs of the answer are {:?}",
                answers().map(|line| line.ttl).collect::<Vec<_>>()
            ));
        }
        self.sections.iter().find_map(|(section, records)| {
            let lines = reply.lines.iter().filter(|line| line.section == *section);
            let texts: Vec<_> = lines.map(|line| words(&line.text)).collect();
            (!records.fit(texts)).then(|| format!("other records in the {} section", SECTIONS[*section]))
        })
    }
}

impl Records {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut found = Self::default();
        if words.is_empty() {
            return Ok(found);
        }
        found.ordered = words.iter().any(|word| word == "then");
        for pattern in words.split(|word| word == "," || word == "then") {
            match pattern {
                [] => return Err("an empty record".to_owned()),
                [word] if word == "..." => found.open = true,
                _ => found.patterns.push(pattern.to_vec()),
            }
        }
        Ok(found)
    }

    /// Each pattern has a record of its own, and no record is left over.
    fn fit(&self, mut texts: Vec<Vec<String>>) -> bool {
        if texts.len() < self.patterns.len() || !self.open && texts.len() > self.patterns.len() {
            return false;
        }
        if self.ordered {
            return self.patterns.iter().zip(&texts).all(|(pattern, text)| fits(pattern, text));
        }
        self.patterns.iter().all(|pattern| {
            let at = texts.iter().position(|text| fits(pattern, text));
            at.map(|at| texts.remove(at)).is_some()
        })
    }
}

/// True if a record, `OWNER TYPE RDATA`, is what a pattern says of it.
fn fits(pattern: &[String], record: &[String]) -> bool {
    let same = |record: &[String]| {
        record.len() == pattern.len()
            && record.iter().zip(pattern).all(|(found, wanted)| wanted == "*" || found.eq_ignore_ascii_case(wanted))
    };
    (0..3.min(record.len())).any(|from| same(&record[from..])) || record.get(1..2).is_some_and(same)
}

/// The words of a text: quotes left out, commas on their own.
fn words(text: &str) -> Vec<String> {
    text.replace(", ", " , ").replace('"', "").trim_end_matches(' ').split(' ').fold(Vec::new(), |mut words, word| {
        if let Some(bare) = word.strip_suffix(',').filter(|bare| !bare.is_empty()) {
            words.extend([bare.to_owned(), ",".to_owned()]);
        } else if !word.is_empty() {
            words.push(word.to_owned());
        }
        words
    })
}

#[test]
fn records_fit_as_a_set_or_in_order() {
    let records = |text: &str| Records::parse(&words(text)).expect(text);
    let texts = || vec![words("a.example. A 192.0.2.1"), words("a.example. A 192.0.2.2"), words("a.example. TXT x y")];
    for good in [
        "192.0.2.2, 192.0.2.1, \"x y\"",
        "A 192.0.2.1, a.example. A 192.0.2.2, TXT",
        "A, A, TXT \"x\" \"y\"",
        "192.0.2.1 then 192.0.2.2 then TXT",
        "192.0.2.2, ...",
        "192.0.2.1 then A then ...",
        "A 192.0.2.1, A *, TXT x *",
    ] {
        assert!(records(good).fit(texts()), "{good}");
    }
    for bad in
        ["", "A, A", "A, A, A", "192.0.2.1, 192.0.2.1, TXT", "192.0.2.2 then 192.0.2.1 then TXT", "MX, ...", "A, A, y"]
    {
        assert!(!records(bad).fit(texts()), "{bad}");
    }
}
