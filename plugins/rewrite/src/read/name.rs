//! `name [exact|prefix|suffix|substring|regex] FROM TO [answer ...]`.

use contract::corefile::{Reader, Word};

use super::kind::{self, Kind};
use crate::rule::{Action, Change, NameRule};
use crate::swap::{Find, Swap};
use crate::text;

const EXPECTED: &str = "`[exact|prefix|suffix|substring|regex] FROM TO`";
const ANSWERS: &str = "`auto`, `name FROM TO` or `value FROM TO`";

pub(super) fn read(words: &mut Reader<'_, '_>) -> Option<Action> {
    let (kind, rest) = kind::kind(words, (2, true), EXPECTED)?;
    let [from, to, options @ ..] = rest else { return None };
    let swap = match kind {
        Kind::Regex => kind::swap([from, to], words),
        _ => plain(kind, [from, to], words),
    };
    let (is_auto, mut changes) = if options.is_empty() { (false, Vec::new()) } else { answers(options, words)? };
    let swap = swap?;
    let mut restores = is_auto || kind == Kind::Exact;
    if let (Kind::Suffix, true) = (kind, is_auto) {
        let [from, to] = [from, to].map(|word| text::normal(&word.text));
        let back = Swap::plain(Find::Suffix(to), &from);
        changes.splice(0..0, [Change::Owner(back.clone()), Change::Value(back)]);
        restores = false;
    }
    Some(Action::Name(NameRule { swap, restores, changes }))
}

fn plain(kind: Kind, [from, to]: [&Word; 2], words: &mut Reader<'_, '_>) -> Option<Swap> {
    let replacement = text::normal(&to.text);
    if kind == Kind::Exact {
        // CoreDNS takes the new name for a pattern, and refuses what is none
        let pattern = kind::pattern(to, &replacement, words)?;
        if !kind::is_counted_enough(from, kind::groups(&pattern), words) {
            return None;
        }
        if text::name(&replacement).is_none() {
            let warning = words.report().warning(to.span, format!("`{to}` is no domain name"));
            warning.help("every question that this rule finds is answered SERVFAIL");
        }
    }
    Some(Swap::plain(kind.find(from, words)?, &replacement))
}

/// `answer (auto|name FROM TO|value FROM TO) [[answer] ...]`: whether it is `auto`, and what else.
fn answers(options: &[Word], words: &mut Reader<'_, '_>) -> Option<(bool, Vec<Change>)> {
    let (mut is_auto, mut changes) = (false, Vec::new());
    let mut rest = options;
    let mut is_first = true;
    while let [word, behind @ ..] = rest {
        let has_keyword = *word == "answer";
        if is_first && !has_keyword {
            let error = words.report().error(word.span, format!("unexpected argument `{word}`"));
            error.expected("`answer`, or nothing more").nearest(&word.text, ["answer"]);
            return None;
        }
        is_first = false;
        let [what, behind @ ..] = (if has_keyword { behind } else { rest }) else {
            words.missing(ANSWERS);
            return None;
        };
        rest = match (what.as_str(), behind) {
            ("auto", behind) => {
                is_auto = true;
                behind
            }
            ("name" | "value", [from, to, behind @ ..]) => {
                let swap = answer([from, to], words)?;
                changes.push(if *what == "name" { Change::Owner(swap) } else { Change::Value(swap) });
                behind
            }
            ("name" | "value", _) => {
                words.missing("a pattern, and the name that takes the place of what it finds");
                return None;
            }
            _ => {
                let error =
                    words.report().error(what.span, format!("`{what}` is nothing that an answer is rewritten by"));
                error.expected(ANSWERS).nearest(&what.text, ["auto", "name", "value"]);
                return None;
            }
        };
    }
    if is_auto && changes.iter().any(|change| matches!(change, Change::Owner(_))) {
        let error = words.report().error(options[0].span, "`answer auto` and `answer name` exclude each other");
        error.help("keep one of them");
        return None;
    }
    Some((is_auto, changes))
}

fn answer([from, to]: [&Word; 2], words: &mut Reader<'_, '_>) -> Option<Swap> {
    if *from == "auto" && *to == "answer" {
        let warning =
            words.report().warning(from.span, "`auto` is a pattern here, and `answer` the name that replaces it");
        warning.help("write `answer auto`, without `name`, for the best effort");
    }
    kind::swap([from, to], words)
}
