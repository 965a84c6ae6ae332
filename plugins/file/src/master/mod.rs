//! Zone files (RFC 1035 5): entries, the owner, TTL and class that they take over from earlier ones, and directives.
//!
//! ```text
//!   octets --records::Lexer--> entries (words, where they stand) --Reader--> owner, TTL, type, data in wire form
//!                                                                 '--$INCLUDE--> another file, one level deeper
//! ```

mod generate;

use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::limits::{ZONE_FILE_MAX, ZONE_INCLUDES_MAX, ZONE_OCTETS_MAX, ZONE_RECORDS_MAX};
use contract::wire::{Class, Name, RecordType};
use records::{Entry, Head, Lexer, name, names, rdata, seconds};

use crate::stamps::Stamps;
use generate::Template;

/// The TTL of generated records without one, seconds; CoreDNS's, which does not look at `$TTL` there.
const GENERATED_TTL: u32 = 3_600;

/// The types whose names are told in lower case, as CoreDNS has it; those of others keep their case.
const LOWER: [RecordType; 6] =
    [RecordType::NS, RecordType::CNAME, RecordType::SOA, RecordType::MX, RecordType::SVCB, RecordType::HTTPS];

/// A record of a zone file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) owner: Name,
    pub(crate) rtype: RecordType,
    /// Seconds.
    pub(crate) ttl: u32,
    /// Uncompressed.
    pub(crate) rdata: Vec<u8>,
}

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {reason}", file.display())]
pub(crate) struct BadZone {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Takes a record. It may refuse it with a reason, or break off: then no more is read.
type Take<'t> = dyn FnMut(Parsed) -> Result<ControlFlow<()>, String> + 't;

/// Reads one zone file and what it includes, which is noted; each record goes to `take`.
pub(crate) fn read(
    path: &Path,
    octets: &[u8],
    origin: &Name,
    files: &mut Stamps,
    take: &mut Take<'_>,
) -> Result<ControlFlow<()>, BadZone> {
    let mut reader = Reader { default: None, records: 0, room: ZONE_OCTETS_MAX, octets: octets.len(), files, take };
    reader.file(path, octets, origin.as_wire().to_vec(), 0)
}

/// What is taken over from entry to entry, whichever file they stand in.
struct Reader<'r, 't> {
    default: Option<Ttl>,
    records: usize,
    /// Octets of owners and RDATA that there may still be.
    room: usize,
    /// Of the files so far.
    octets: usize,
    files: &'r mut Stamps,
    take: &'r mut Take<'t>,
}

/// The TTL of records without one.
#[derive(Clone, Copy)]
struct Ttl {
    seconds: u32,
    /// `$TTL` said so: explicit TTLs do not change it (RFC 2308 4).
    is_fixed: bool,
}

impl Reader<'_, '_> {
    fn file(
        &mut self,
        path: &Path,
        octets: &[u8],
        mut origin: Vec<u8>,
        depth: usize,
    ) -> Result<ControlFlow<()>, BadZone> {
        let mut lexer = Lexer::new(octets);
        let mut owner: Option<Name> = None;
        loop {
            let bad = |line, reason| BadZone { file: path.to_owned(), line, reason };
            let Some(entry) = lexer.entry().map_err(|wrong| bad(wrong.line, wrong.reason))? else {
                return Ok(ControlFlow::Continue(()));
            };
            let (first, line) = (entry.words.first().expect("an entry has a word"), entry.line);
            let mut flow = ControlFlow::Continue(());
            match first.octets.to_ascii_uppercase().as_slice() {
                b"$INCLUDE" if !first.is_quoted => {
                    let (path, inner) = include(&entry, path, &origin).map_err(|reason| bad(line, reason))?;
                    if depth == ZONE_INCLUDES_MAX {
                        return Err(bad(line, format!("files include one another more than {depth} deep")));
                    }
                    let octets = self.included(&path).map_err(|reason| bad(line, reason))?;
                    flow = self.file(&path, &octets, inner, depth + 1)?;
                }
                b"$ORIGIN" => origin = only_name(&entry, &origin).map_err(|reason| bad(line, reason))?,
                b"$TTL" => self.default = Some(directive_ttl(&entry).map_err(|reason| bad(line, reason))?),
                b"$GENERATE" if !first.is_quoted => {
                    flow = self.generated(&entry, &origin).map_err(|reason| bad(line, reason))?;
                }
                word if word.starts_with(b"$") && !first.is_quoted && !entry.starts_blank => {
                    let word = String::from_utf8_lossy(word).into_owned();
                    let reason = format!("`{word}` is not known; `$ORIGIN`, `$TTL`, `$INCLUDE` and `$GENERATE` are");
                    return Err(bad(line, reason));
                }
                _ => flow = self.record(&entry, &mut owner, &origin).map_err(|reason| bad(line, reason))?,
            }
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    /// The octets of an included file, within what one zone may have.
    fn included(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        self.files.note(path);
        let octets = slurp(path, ZONE_FILE_MAX - self.octets).map_err(|reason| {
            self.files.void();
            format!("{}: {reason}", path.display())
        })?;
        self.octets += octets.len();
        Ok(octets)
    }

    /// The records of `$GENERATE`. What is taken over from entry to entry is not changed by them.
    fn generated(&mut self, entry: &Entry, origin: &[u8]) -> Result<ControlFlow<()>, String> {
        let template = Template::parse(entry)?;
        let before = self.default;
        let mut owner = None;
        for entry in template.entries() {
            self.default = Some(Ttl { seconds: GENERATED_TTL, is_fixed: false });
            if self.record(&entry?, &mut owner, origin)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.default = before;
        Ok(ControlFlow::Continue(()))
    }

    /// `[OWNER] [TTL] [CLASS] TYPE RDATA`, TTL and class in any order.
    fn record(&mut self, entry: &Entry, owner: &mut Option<Name>, origin: &[u8]) -> Result<ControlFlow<()>, String> {
        let mut words = entry.words.as_slice();
        if !entry.starts_blank {
            *owner = Name::from_wire(&name(&words[0], origin)?);
            words = &words[1..];
        }
        let owner = owner.as_ref().ok_or("a record without an owner, and none before it")?;
        let Head { ttl, class, rtype, data } = Head::read(words)?;
        if let Some(class) = class.filter(|class| *class != Class::IN) {
            return Err(format!("class {class}: only IN is served"));
        }
        let mut rdata = rdata(rtype, data, origin)?;
        if LOWER.contains(&rtype) {
            let names = names(rtype, &rdata).expect("what was read has the form of its type");
            names.into_iter().for_each(|name| rdata[name].make_ascii_lowercase());
        }
        let ttl = self.ttl(ttl, rtype, &rdata)?;
        self.records += 1;
        if self.records > ZONE_RECORDS_MAX {
            return Err(format!("more than {ZONE_RECORDS_MAX} records"));
        }
        let room = self.room.checked_sub(owner.as_wire().len() + rdata.len());
        self.room = room.ok_or_else(|| format!("owners and data of more than {ZONE_OCTETS_MAX} octets"))?;
        (self.take)(Parsed { owner: owner.clone(), rtype, ttl, rdata })
    }

    /// The record's own TTL, `$TTL`'s, the last one's, or an SOA's MINIMUM.
    fn ttl(&mut self, explicit: Option<u32>, rtype: RecordType, rdata: &[u8]) -> Result<u32, String> {
        if let Some(seconds) = explicit {
            if self.default.is_none_or(|default| !default.is_fixed) {
                self.default = Some(Ttl { seconds, is_fixed: false });
            }
            return Ok(seconds);
        }
        if self.default.is_none()
            && rtype == RecordType::SOA
            && let Some(minimum) = rdata.last_chunk::<4>()
        {
            self.default = Some(Ttl { seconds: u32::from_be_bytes(*minimum), is_fixed: false });
        }
        let default = self.default.ok_or("a record without a TTL, and no `$TTL` or TTL before it")?;
        Ok(default.seconds)
    }
}

fn directive_ttl(entry: &Entry) -> Result<Ttl, String> {
    let [_, word] = entry.words.as_slice() else { return Err("expected `$TTL SECONDS`".to_owned()) };
    let seconds = word.text().and_then(seconds).ok_or_else(|| format!("`{word}` is no TTL"))?;
    Ok(Ttl { seconds, is_fixed: true })
}

fn only_name(entry: &Entry, origin: &[u8]) -> Result<Vec<u8>, String> {
    let [_, word] = entry.words.as_slice() else { return Err("expected `$ORIGIN NAME`".to_owned()) };
    name(word, origin)
}

/// Where the file is, beside the one that includes it unless its path is whole, and the origin it starts with.
fn include(entry: &Entry, from: &Path, origin: &[u8]) -> Result<(PathBuf, Vec<u8>), String> {
    let (file, inner) = match entry.words.as_slice() {
        [_, file] => (file, origin.to_vec()),
        [_, file, inner] => (file, name(inner, origin)?),
        _ => return Err("expected `$INCLUDE FILE [ORIGIN]`".to_owned()),
    };
    let beside = from.parent().unwrap_or(Path::new(""));
    let file = file.text().ok_or_else(|| format!("`{file}` is no UTF-8"))?;
    Ok((beside.join(file), inner))
}

/// A file's octets, `most` of them at most.
pub(crate) fn slurp(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !kind.is_file() {
        return Err("it is no file".to_owned()); // opening a pipe would wait for its writer
    }
    let too_large = || format!("the zone is larger than {ZONE_FILE_MAX} octets");
    if kind.len() > most as u64 {
        return Err(too_large());
    }
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(most as u64 + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if octets.len() > most {
        return Err(too_large()); // it grew meanwhile
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
