//! What a rule looks for in a name, and what it puts in its place.

use contract::Pattern;

/// What is looked for in a name's text.
#[derive(Clone, Debug)]
pub(crate) enum Find {
    /// The whole name.
    Exact(String),
    /// The whole name, or its end from a dot on: the name and all below it.
    Below(String),
    /// How it begins.
    Prefix(String),
    /// How it ends; the end of a label will do.
    Suffix(String),
    /// Anything in it.
    Substring(String),
    /// What the pattern finds, anywhere in it unless it says otherwise.
    Regex(Pattern),
}

impl Find {
    /// True if it is found.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Exact(name) => text == name,
            Self::Below(name) => is_below(text, name),
            Self::Prefix(part) => text.starts_with(part.as_str()),
            Self::Suffix(part) => text.ends_with(part.as_str()),
            Self::Substring(part) => text.contains(part.as_str()),
            Self::Regex(pattern) => pattern.is_match(text),
        }
    }
}

fn is_below(text: &str, name: &str) -> bool {
    text.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What is found, and what takes its place.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub(crate) find: Find,
    pub(crate) to: Template,
}

impl Swap {
    /// A swap whose replacement has no groups.
    pub(crate) fn plain(find: Find, to: &str) -> Self {
        Self { find, to: Template(vec![Piece::Text(to.to_owned())]) }
    }

    /// The text with what was found replaced; `None` if it was not found.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        match &self.find {
            Find::Exact(name) => (text == name).then(|| self.plainly()),
            Find::Below(name) => {
                is_below(text, name).then(|| text[..text.len() - name.len()].to_owned() + &self.plainly())
            }
            Find::Prefix(part) => text.strip_prefix(part.as_str()).map(|rest| self.plainly() + rest),
            Find::Suffix(part) => text.strip_suffix(part.as_str()).map(|rest| rest.to_owned() + &self.plainly()),
            Find::Substring(part) => text.contains(part.as_str()).then(|| text.replace(part.as_str(), &self.plainly())),
            Find::Regex(pattern) => {
                let groups = pattern.captures(text.as_bytes())?;
                let group = |number| groups.get(number).map_or(&b""[..], |group| group.as_bytes());
                // an ASCII pattern finds whole characters in ASCII
                Some(self.to.filled(|number| std::str::from_utf8(group(number)).unwrap_or_default()))
            }
        }
    }

    fn plainly(&self) -> String {
        self.to.filled(|_| "")
    }
}

/// A replacement with places for groups: `{1}.service.{2}.consul.`. `{0}` is all that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// The highest number of a group that CoreDNS looks for when it counts them.
const COUNTED_MAX: usize = 100;

impl Template {
    /// Reads a replacement for a pattern with so many groups.
    pub(crate) fn parse(text: &str, groups: usize) -> Result<Self, String> {
        let stands = |number: &usize| text.contains(&format!("{{{number}}}"));
        if let Some(number) = (groups + 1..=COUNTED_MAX).find(stands) {
            return Err(format!("`{{{number}}}` stands for a group, and the pattern has {groups}"));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some(at) = rest.find('{') {
            let group =
                rest[at + 1..].split_once('}').and_then(|(number, behind)| Some((group(number, groups)?, behind)));
            match group {
                Some((number, behind)) => {
                    plain.push_str(&rest[..at]);
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Group(number));
                    rest = behind;
                }
                None => {
                    plain.push_str(&rest[..=at]);
                    rest = &rest[at + 1..];
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// How many of the groups that CoreDNS counts stand in a text.
    pub(crate) fn counted(text: &str) -> usize {
        (0..=COUNTED_MAX).filter(|number| text.contains(&format!("{{{number}}}"))).count()
    }

    /// In one pass: what a group holds is never read as a place for another one.
    fn filled<'g>(&self, group: impl Fn(usize) -> &'g str) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            text.push_str(match piece {
                Piece::Text(plain) => plain,
                Piece::Group(number) => group(*number),
            });
        }
        text
    }
}

/// The number of a group as it is written between braces; `None` if that is none of the pattern's.
fn group(written: &str, groups: usize) -> Option<usize> {
    let number: usize = written.parse().ok()?;
    (number <= groups && number.to_string() == written).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Find {
        Find::Regex(Pattern::parse(text).unwrap())
    }

    #[test]
    fn each_kind_finds_and_replaces() {
        let exact = || Find::Exact("a.b.".into());
        for (find, to, text, becomes) in [
            (exact(), "x.", "a.b.", Some("x.")),
            (exact(), "x.", "c.a.b.", None),
            (Find::Below("a.b.".into()), "x.", "a.b.", Some("x.")),
            (Find::Below("a.b.".into()), "x.", "c.a.b.", Some("c.x.")),
            (Find::Below("a.b.".into()), "x.", "ca.b.", None),
            (Find::Prefix("a.".into()), "x.y.", "a.b.", Some("x.y.b.")),
            (Find::Prefix("a.".into()), "x.", "aa.b.", None),
            (Find::Suffix("b.".into()), "x.", "a.b.", Some("a.x.")),
            (Find::Suffix("b.".into()), "x.", "ab.", Some("ax.")),
            (Find::Suffix("b.".into()), "x.", "b.a.", None),
            (Find::Substring("b.".into()), "x.", "b.ab.c.", Some("x.ax.c.")),
            (Find::Substring("b.".into()), "x.", "a.", None),
        ] {
            assert_eq!(Swap::plain(find.clone(), to).apply(text).as_deref(), becomes, "{find:?} in {text}");
            assert_eq!(find.is_in(text), becomes.is_some());
        }
    }

    #[test]
    fn groups_are_put_where_they_are_named() {
        for (found, to, text, becomes) in [
            (
                r"(.*)-(us-west-1)\.example\.org",
                "{1}.service.{2}.consul.",
                "ftp-us-west-1.example.org.",
                Some("ftp.service.us-west-1.consul."),
            ),
            (r"(.*)-(us-west-1)\.example\.org", "{1}.", "example.org.", None),
            ("^(a)|^(b)", "{1}-{2}-{0}.", "c.", None),
            ("^(?:(a)|(b))", "{1}-{2}-{0}.", "b.", Some("-b-b.")),
            ("(.*)", "{{1}}{x}{01}.", "a.", Some("{a.}{x}{01}.")),
            ("(.)(.*)", "{1}{2}.", "{2}x.", Some("{2}x..")),
        ] {
            let to = Template::parse(to, pattern_groups(found)).unwrap();
            let swap = Swap { find: pattern(found), to };
            assert_eq!(swap.apply(text).as_deref(), becomes, "{found} in {text}");
        }
    }

    fn pattern_groups(text: &str) -> usize {
        Pattern::parse(text).unwrap().groups().count() - 1
    }

    #[test]
    fn a_group_that_the_pattern_lacks_is_told() {
        assert_eq!(Template::parse("{2}.x.", 1).unwrap_err(), "`{2}` stands for a group, and the pattern has 1");
        assert_eq!(Template::counted("{0}{1}{1}{101}{a}"), 2);
    }
}
