//! How a rule finds a name: `[exact|prefix|suffix|substring|regex] STRING`.

use contract::Pattern;
use contract::corefile::{Reader, Word};

use crate::swap::{Find, Swap, Template};
use crate::text;

/// How it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exact,
    Prefix,
    Suffix,
    Substring,
    Regex,
}

const KINDS: [(&str, Kind); 5] = [
    ("exact", Kind::Exact),
    ("prefix", Kind::Prefix),
    ("suffix", Kind::Suffix),
    ("substring", Kind::Substring),
    ("regex", Kind::Regex),
];

const EXPECTED: &str = "`exact`, `prefix`, `suffix`, `substring` or `regex`";

impl Kind {
    /// What is looked for, as CoreDNS compares it: patterns as they are written, all else in lower case with a final dot.
    pub(super) fn find(self, written: &Word, words: &mut Reader<'_, '_>) -> Option<Find> {
        match self {
            Self::Regex => pattern(written, &written.text, words).map(Find::Regex),
            kind => Some(kind.plain(text::normal(&written.text))),
        }
    }

    /// What is looked for, if it is no pattern.
    pub(super) fn plain(self, text: String) -> Find {
        match self {
            Self::Exact => Find::Exact(text),
            Self::Prefix => Find::Prefix(text),
            Self::Suffix => Find::Suffix(text),
            Self::Substring | Self::Regex => Find::Substring(text),
        }
    }

    fn named(word: &Word) -> Option<Self> {
        let lower = word.text.to_lowercase();
        KINDS.into_iter().find(|(name, _)| *name == lower).map(|(_, kind)| kind)
    }
}

/// The kind, and the words behind it. Without it `exact` is meant: then there are just `plain` words. `more`: others may follow.
pub(super) fn kind<'s>(
    words: &mut Reader<'s, '_>,
    (plain, more): (usize, bool),
    expected: &str,
) -> Option<(Kind, &'s [Word])> {
    let rest = words.rest();
    let Some(first) = rest.first().filter(|_| rest.len() >= plain) else {
        words.missing(expected);
        return None;
    };
    let kind = Kind::named(first);
    if rest.len() == plain {
        if kind.is_some() {
            let error = words.report().error(first.span, format!("behind `{first}` something is missing"));
            error.expected(expected).help(format!("a name that is called so is written `{first}.`"));
            return None;
        }
        return Some((Kind::Exact, rest));
    }
    let Some(kind) = kind else {
        let error = words.report().error(first.span, format!("`{first}` says no way to find a name"));
        error.expected(EXPECTED).nearest(&first.text, KINDS.map(|(name, _)| name));
        return None;
    };
    if rest.len() > plain + 1 && !more {
        super::superfluous(&rest[plain + 1..], words);
        return None;
    }
    Some((kind, &rest[1..]))
}

/// The pattern that a text is; `written` is where it stands.
pub(super) fn pattern(written: &Word, text: &str, words: &mut Reader<'_, '_>) -> Option<Pattern> {
    Pattern::parse(text)
        .inspect_err(|reason| {
            let error = words.report().error(written.span, format!("`{written}` is no regular expression: {reason}"));
            error.expected("a regular expression such as `(.*)\\.example\\.org`");
        })
        .ok()
}

/// How many groups it has, the whole not counted.
pub(super) fn groups(pattern: &Pattern) -> usize {
    pattern.groups().count() - 1
}

/// A pattern and what takes the place of the whole name, as rules for questions and answers write it.
pub(super) fn swap([from, to]: [&Word; 2], words: &mut Reader<'_, '_>) -> Option<Swap> {
    let pattern = pattern(from, &from.text, words)?;
    let groups = groups(&pattern);
    if !is_counted_enough(to, groups, words) {
        return None;
    }
    let to = template(to, &text::normal(&to.text), groups, words)?;
    Some(Swap { find: Find::Regex(pattern), to })
}

/// CoreDNS counts the groups that a replacement has, whichever they are, and reports more than the pattern has.
pub(super) fn is_counted_enough(to: &Word, groups: usize, words: &mut Reader<'_, '_>) -> bool {
    let counted = Template::counted(&to.text);
    if counted > groups {
        let message = format!("`{to}` has {counted} groups, and its pattern {groups}");
        words.report().error(to.span, message).help("put what is wanted of the name in parentheses");
    }
    counted <= groups
}

/// What takes the place of what was found, with these groups.
pub(super) fn template(written: &Word, text: &str, groups: usize, words: &mut Reader<'_, '_>) -> Option<Template> {
    Template::parse(text, groups)
        .inspect_err(|reason| {
            words
                .report()
                .error(written.span, reason.clone())
                .help("groups count from `{1}` on; `{0}` is all that was found");
        })
        .ok()
}
