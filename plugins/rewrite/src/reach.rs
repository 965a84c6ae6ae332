//! Which questions the rules touch: found in a few steps, however many rules there are.
//!
//! A question that no rule finds as it was asked is found by none later: so the first look decides, in no order.

use std::collections::HashSet;

use contract::Pattern;
use contract::wire::{Class, RecordType};

use crate::rule::{Action, Rule};
use crate::swap::Find;
use crate::text;

/// What the rules of a server block look for.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// A rule touches every question.
    is_all: bool,
    types: Vec<RecordType>,
    classes: Vec<Class>,
    names: HashSet<Box<str>>,
    /// No one begins with another one; sorted.
    prefixes: Vec<Box<str>>,
    /// Each backwards, as [`Reach::prefixes`].
    suffixes: Vec<Box<str>>,
    substrings: Vec<Box<str>>,
    patterns: Vec<Pattern>,
}

impl Reach {
    /// Of these rules. Options that are said to upstreams for all alike touch nothing: they are said inside of memory too.
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let mut reach = Self::default();
        for rule in rules {
            match &rule.action {
                Action::Name(rule) => reach.add(&rule.swap.find),
                Action::Reply { find, .. } => reach.add(find),
                Action::Type { from, .. } => reach.types.push(*from),
                Action::Class { from, .. } => reach.classes.push(*from),
                Action::Every { .. } => reach.is_all = true,
                Action::Edns(edns) => reach.is_all |= edns.is_personal(),
            }
        }
        shortest(&mut reach.prefixes);
        shortest(&mut reach.suffixes);
        reach
    }

    fn add(&mut self, find: &Find) {
        match find {
            Find::Exact(name) => {
                self.names.insert(name.as_str().into());
            }
            Find::Below(name) => self.suffixes.push(backwards(name)), // more than it finds: what is touched goes the long way
            Find::Prefix(part) => self.prefixes.push(part.as_str().into()),
            Find::Suffix(part) => self.suffixes.push(backwards(part)),
            Find::Substring(part) => self.substrings.push(part.as_str().into()),
            Find::Regex(pattern) => self.patterns.push(pattern.clone()),
        }
    }

    /// True if a rule finds the question. `name` is in wire form and lower case.
    pub(crate) fn touches(&self, name: &[u8], rtype: RecordType, class: Class) -> bool {
        if self.is_all || self.types.contains(&rtype) || self.classes.contains(&class) {
            return true;
        }
        let looks_at_names = !(self.names.is_empty()
            && self.prefixes.is_empty()
            && self.suffixes.is_empty()
            && self.substrings.is_empty()
            && self.patterns.is_empty());
        looks_at_names && self.finds(&text::of_wire(name))
    }

    fn finds(&self, text: &str) -> bool {
        self.names.contains(text)
            || begins_with_one(&self.prefixes, text)
            || !self.suffixes.is_empty() && begins_with_one(&self.suffixes, &backwards(text))
            || self.substrings.iter().any(|part| text.contains(part.as_ref()))
            || self.patterns.iter().any(|pattern| pattern.is_match(text))
    }
}

fn backwards(text: &str) -> Box<str> {
    text.chars().rev().collect()
}

/// Sorts, and leaves out what begins with another one.
fn shortest(texts: &mut Vec<Box<str>>) {
    texts.sort_unstable();
    texts.dedup_by(|later, kept| later.starts_with(kept.as_ref()));
}

/// Whether the text begins with one of these, which [`shortest`] has put in order: that one stands right before it.
fn begins_with_one(sorted: &[Box<str>], text: &str) -> bool {
    let behind = sorted.partition_point(|one| one.as_ref() <= text);
    behind.checked_sub(1).is_some_and(|before| text.starts_with(sorted[before].as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_is_found_as_if_all_were_tried() {
        let mut parts: Vec<Box<str>> = Vec::new();
        for number in 0..300_u32 {
            parts.push(format!("{:o}", number * 7).into());
        }
        let all = parts.clone();
        shortest(&mut parts);
        assert!(parts.len() < all.len());
        for number in 0..5_000_u32 {
            let text = format!("{number:o}");
            let tried = all.iter().any(|part| text.starts_with(part.as_ref()));
            assert_eq!(begins_with_one(&parts, &text), tried, "{text}");
        }
        assert!(!begins_with_one(&[], "x"));
    }
}
