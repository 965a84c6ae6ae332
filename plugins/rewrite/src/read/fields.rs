//! The other fields: `type`, `class`, `cname`, `ttl` and `rcode`.

use contract::corefile::{Reader, Word};
use contract::wire::{Class, Rcode, RecordType};

use super::kind::{self, Kind};
use crate::rule::{Action, Change};
use crate::swap::{Find, Swap};

/// Types that CoreDNS knows beside those with names of ours.
const OTHER_TYPES: [(&str, u16); 27] = [
    ("X25", 19),
    ("ISDN", 20),
    ("RT", 21),
    ("NSAP-PTR", 23),
    ("PX", 26),
    ("GPOS", 27),
    ("NXT", 30),
    ("EID", 31),
    ("NIMLOC", 32),
    ("ATMA", 34),
    ("NINFO", 56),
    ("RKEY", 57),
    ("TALINK", 58),
    ("UINFO", 100),
    ("UID", 101),
    ("GID", 102),
    ("UNSPEC", 103),
    ("NID", 104),
    ("L32", 105),
    ("L64", 106),
    ("LP", 107),
    ("NXNAME", 128),
    ("AVC", 258),
    ("AMTRELAY", 260),
    ("RESINFO", 261),
    ("TA", 32_768),
    ("DLV", 32_769),
];

/// Types that are about the exchange of messages: no upstream is asked for them.
const EXCHANGES: [RecordType; 5] =
    [RecordType::OPT, RecordType::TKEY, RecordType::TSIG, RecordType::IXFR, RecordType::AXFR];

const CLASSES: [(&str, u16); 6] = [("IN", 1), ("CS", 2), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

/// RCODEs by the names that CoreDNS knows.
const RCODES: [(&str, u16); 20] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("DSOTYPENI", 11),
    ("BADSIG", 16),
    ("BADKEY", 17),
    ("BADTIME", 18),
    ("BADMODE", 19),
    ("BADNAME", 20),
    ("BADALG", 21),
    ("BADTRUNC", 22),
    ("BADCOOKIE", 23),
];
const RCODE_MAX: u16 = 23;

/// `type FROM TO`
pub(super) fn rtype(words: &mut Reader<'_, '_>) -> Option<Action> {
    let from = words.value("a type such as `AAAA`", type_of);
    let place = words.span();
    let to = words.value("a type such as `HTTPS`", type_of);
    let left = words.rest();
    super::superfluous(left, words);
    if let Some(to) = to.filter(|to| EXCHANGES.contains(to)) {
        let error = words.report().error(place, format!("{to} is no type that upstreams are asked for"));
        error.expected("a type of records, or `ANY`");
    }
    Some(Action::Type { from: from?, to: to? })
}

fn type_of(text: &str) -> Result<RecordType, String> {
    let upper = text.to_uppercase();
    let other = OTHER_TYPES.iter().find(|(name, _)| *name == upper).map(|(_, number)| RecordType(*number));
    // CoreDNS knows names alone, and this one not
    let ours = || RecordType::parse(&upper).filter(|rtype| rtype.to_string() == upper && *rtype != RecordType::WKS);
    let ours = || ours().filter(|_| !upper.starts_with("TYPE"));
    other.or_else(ours).ok_or_else(|| "no type is called so".to_owned())
}

/// `class FROM TO`
pub(super) fn class(words: &mut Reader<'_, '_>) -> Option<Action> {
    let expected = "a class: `IN`, `CS`, `CH`, `HS`, `NONE` or `ANY`";
    let from = words.value(expected, class_of);
    let to = words.value(expected, class_of);
    let left = words.rest();
    super::superfluous(left, words);
    Some(Action::Class { from: from?, to: to? })
}

fn class_of(text: &str) -> Result<Class, String> {
    let upper = text.to_uppercase();
    let found = CLASSES.iter().find(|(name, _)| *name == upper);
    found.map(|(_, number)| Class(*number)).ok_or_else(|| "no class is called so".to_owned())
}

/// `cname [exact|prefix|suffix|substring|regex] FROM TO`, all in lower case; only `exact` completes its names.
pub(super) fn cname(words: &mut Reader<'_, '_>) -> Option<Action> {
    let (kind, rest) = kind::kind(words, (2, false), "`[exact|prefix|suffix|substring|regex] FROM TO`")?;
    let [from, to] = rest else { return None };
    if let Some(empty) = rest.iter().find(|word| word.text.is_empty()) {
        words.report().error(empty.span, "nothing is looked for, or put in its place").expected("a part of a name");
        return None;
    }
    let target = to.text.to_lowercase();
    let swap = match kind {
        Kind::Exact => Swap::plain(kind.find(from, words)?, &crate::text::normal(&to.text)),
        Kind::Regex => {
            let pattern = kind::pattern(from, &lowered(from, words)?, words)?;
            let to = kind::template(to, &target, kind::groups(&pattern), words)?;
            Swap { find: Find::Regex(pattern), to }
        }
        kind => {
            if kind == Kind::Suffix && !from.text.ends_with('.') {
                let warning = words.report().warning(from.span, format!("no target of a CNAME ends with `{from}`"));
                warning.help(format!("write it with the final dot: `{from}.`"));
            }
            Swap::plain(kind.plain(from.text.to_lowercase()), &target)
        }
    };
    Some(Action::Every { change: Change::Target(swap) })
}

/// CoreDNS puts this pattern in lower case, which makes other classes of characters of some.
fn lowered(pattern: &Word, words: &mut Reader<'_, '_>) -> Option<String> {
    let is_class = |pair: &&[u8]| pair[0] == b'\\' && pair[1].is_ascii_uppercase();
    if let Some(pair) = pattern.text.as_bytes().windows(2).find(is_class) {
        let letter = char::from(pair[1]);
        let message = format!(
            "this pattern is put in lower case, so `\\{letter}` would mean `\\{}`",
            letter.to_ascii_lowercase()
        );
        words.report().error(pattern.span, message).help("say it with brackets, such as `[^0-9]` for what is no digit");
        return None;
    }
    Some(pattern.text.to_lowercase())
}

/// `ttl [exact|prefix|suffix|substring|regex] STRING SECONDS|MIN-MAX`
pub(super) fn ttl(words: &mut Reader<'_, '_>) -> Option<Action> {
    let (kind, rest) = kind::kind(
        words,
        (2, false),
        "`[exact|prefix|suffix|substring|regex] STRING SECONDS`, or `MIN-MAX` for `SECONDS`",
    )?;
    let [name, range] = rest else { return None };
    let find = kind.find(name, words);
    let Some((min, max)) = range_of(&range.text) else {
        let error = words.report().error(range.span, format!("`{range}` is no TTL"));
        error.expected("seconds such as `30`, or a range such as `30-300`, `-300` or `30-`");
        return None;
    };
    Some(Action::Reply { find: find?, change: Change::Ttl { min, max } })
}

/// The largest TTL (RFC 2181 8), seconds: where a range has no end.
const TTL_MAX: u32 = (1 << 31) - 1;

fn range_of(text: &str) -> Option<(u32, u32)> {
    let Some((min, max)) = text.split_once('-') else {
        let seconds = number(text)?;
        return Some((seconds, seconds));
    };
    let range = match (min, max) {
        ("", "") => return None,
        ("", max) => (0, number(max)?),
        (min, "") => (number(min)?, TTL_MAX),
        (min, max) => (number(min)?, number(max)?),
    };
    (range.0 <= range.1).then_some(range)
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `rcode [exact|prefix|suffix|substring|regex] STRING FROM TO`
pub(super) fn rcode(words: &mut Reader<'_, '_>) -> Option<Action> {
    let (kind, rest) = kind::kind(words, (3, false), "`[exact|prefix|suffix|substring|regex] STRING FROM TO`")?;
    let [name, from, to] = rest else { return None };
    let find = kind.find(name, words);
    let [from, to] = [from, to].map(|word| {
        let known = rcode_of(&word.text);
        if known.is_none() {
            let error = words.report().error(word.span, format!("`{word}` is no RCODE"));
            error.expected("a name such as `SERVFAIL`, or a number up to 23");
            error.nearest(&word.text.to_uppercase(), RCODES.map(|(name, _)| name));
        }
        known
    });
    Some(Action::Reply { find: find?, change: Change::Rcode { from: from?, to: to? } })
}

fn rcode_of(text: &str) -> Option<Rcode> {
    if let Some(number) = number(text).filter(|number| *number <= RCODE_MAX) {
        return Some(Rcode(number));
    }
    let upper = text.to_uppercase();
    RCODES.iter().find(|(name, _)| *name == upper).map(|(_, number)| Rcode(*number))
}
