//! `edns0 local|nsid|subnet set|append|replace|unset ... [revert]`.

use contract::corefile::{Reader, Word};
use contract::labels::LABELS;
use contract::limits::SENT_OPTIONS_MAX;

use super::superfluous;
use crate::edns::{Act, Data, EdnsRule, NSID, SUBNET};
use crate::rule::Action;

const ACTS: [(&str, Act); 4] =
    [("set", Act::Set), ("append", Act::Append), ("replace", Act::Replace), ("unset", Act::Unset)];
const OPTIONS: [&str; 3] = ["local", "nsid", "subnet"];

pub(super) fn read(words: &mut Reader<'_, '_>) -> Option<Action> {
    let option = words.word("`local`, `nsid` or `subnet`")?;
    let written = words.word("`set`, `append`, `replace` or `unset`")?;
    let lower = written.text.to_lowercase();
    let Some((_, act)) = ACTS.into_iter().find(|(name, _)| *name == lower) else {
        let error = words.report().error(written.span, format!("`{written}` is nothing to do with an option"));
        error.expected("`set`, `append`, `replace` or `unset`").nearest(&written.text, ACTS.map(|(name, _)| name));
        return None;
    };
    let mut rest = words.rest();
    if let ([front @ .., last], true) = (rest, act != Act::Unset)
        && *last == "revert"
    {
        rest = front; // no reply has such options here
    }
    let rule = match option.text.to_lowercase().as_str() {
        "local" => local(act, rest, words),
        "nsid" => {
            superfluous(rest, words);
            Some(EdnsRule { act, code: NSID, data: Data::Fixed(Box::default()) })
        }
        "subnet" => subnet(act, rest, words),
        _ => {
            let error = words.report().error(option.span, format!("`{option}` is no option that can be rewritten"));
            error.expected("`local`, `nsid` or `subnet`").nearest(&option.text, OPTIONS);
            None
        }
    };
    rule.map(Action::Edns)
}

/// `local ACT CODE DATA`, and without DATA for `unset`.
fn local(act: Act, rest: &[Word], words: &mut Reader<'_, '_>) -> Option<EdnsRule> {
    let takes = if act == Act::Unset { 1 } else { 2 };
    if rest.len() < takes {
        words.missing(if rest.is_empty() {
            "a code such as `0xffee`"
        } else {
            "octets such as `0x61626364`, a text, or a variable"
        });
        return None;
    }
    superfluous(&rest[takes..], words);
    let code = number(&rest[0], u64::from(u16::MAX), "a code such as `0xffee`", words);
    let data = match rest.get(1).filter(|_| takes == 2) {
        Some(word) => data(word, words)?,
        None => Data::Fixed(Box::default()),
    };
    Some(EdnsRule { act, code: u16::try_from(code?).ok()?, data })
}

fn data(word: &Word, words: &mut Reader<'_, '_>) -> Option<Data> {
    if let Some(variable) = word.text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return self::variable(variable, word, words);
    }
    let octets = match word.text.strip_prefix("0x") {
        None => Some(word.text.clone().into_bytes()),
        Some(digits) => hexadecimal(digits),
    };
    let Some(octets) = octets else {
        words
            .report()
            .error(word.span, format!("`{word}` are no octets"))
            .expected("two hexadecimal digits for each octet");
        return None;
    };
    if octets.len() + 4 > SENT_OPTIONS_MAX {
        let error = words.report().error(word.span, format!("{} octets are too many for an option", octets.len()));
        error.expected(format!("up to {}", SENT_OPTIONS_MAX - 4));
        return None;
    }
    Some(Data::Fixed(octets.into()))
}

fn variable(name: &str, word: &Word, words: &mut Reader<'_, '_>) -> Option<Data> {
    const KNOWN: [(&str, Data); 7] = [
        ("qname", Data::QName),
        ("qtype", Data::QType),
        ("client_ip", Data::ClientIp),
        ("client_port", Data::ClientPort),
        ("protocol", Data::Protocol),
        ("server_ip", Data::ServerIp),
        ("server_port", Data::ServerPort),
    ];
    let is_label = name.split_once('/').is_some_and(|(plugin, label)| !plugin.is_empty() && !label.is_empty());
    let found = KNOWN.into_iter().find(|(known, _)| *known == name).map(|(_, data)| data);
    let found = found.or_else(|| is_label.then(|| Data::Label(name.to_owned())));
    if found.is_none() {
        let error = words.report().error(word.span, format!("`{word}` is no variable"));
        let names = KNOWN.map(|(known, _)| format!("`{{{known}}}`")).join(", ");
        error.expected(format!("{names}, or a label such as `{{view/name}}`"));
        error.nearest(name, KNOWN.map(|(known, _)| known));
    }
    if let Some(Data::Label(label)) = &found
        && !LABELS.contains(&label.as_str())
    {
        let warning =
            words.report().warning(word.span, format!("nobody knows the label `{label}`, so this rule does nothing"));
        warning.nearest(label, LABELS);
    }
    found
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(nibble(&pair[0])? << 4 | nibble(&pair[1])?)).collect()
}

/// `subnet ACT BITS-OF-IPV4 BITS-OF-IPV6`, and `subnet unset`.
fn subnet(act: Act, rest: &[Word], words: &mut Reader<'_, '_>) -> Option<EdnsRule> {
    if act == Act::Unset {
        superfluous(rest, words);
        return Some(EdnsRule { act, code: SUBNET, data: Data::Subnet(0, 0) });
    }
    let [v4, v6, left @ ..] = rest else {
        words.missing("the lengths of the networks of an IPv4 and of an IPv6 address, such as `24 56`");
        return None;
    };
    superfluous(left, words);
    let v4 = number(v4, 32, "a length up to 32", words);
    let v6 = number(v6, 128, "a length up to 128", words);
    let data = Data::Subnet(u8::try_from(v4?).ok()?, u8::try_from(v6?).ok()?);
    Some(EdnsRule { act, code: SUBNET, data })
}

/// A number as Go writes one: `0x`, `0o`, `0b` and a leading zero say its base, and `_` may stand between digits.
fn number(word: &Word, most: u64, expected: &str, words: &mut Reader<'_, '_>) -> Option<u64> {
    let found = go_number(&word.text).filter(|number| *number <= most);
    if found.is_none() {
        words.report().error(word.span, format!("wrong value `{word}`")).expected(expected);
    }
    found
}

fn go_number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // behind what says the base a `_` may stand too
    let digits = if digits.len() < lower.len() { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    let is_apart = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let plain = digits.replace('_', "");
    let is_number = is_apart && !plain.is_empty() && plain.chars().all(|digit| digit.is_digit(base));
    u64::from_str_radix(&plain, base).ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, number) in [
            ("65518", Some(65_518)),
            ("0xffee", Some(0xffee)),
            ("0XFFEE", Some(0xffee)),
            ("0x_ff_ee", Some(0xffee)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("0_17", Some(15)),
            ("0", Some(0)),
            ("1_0", Some(10)),
            ("08", None),
            ("0x", None),
            ("_1", None),
            ("1__0", None),
            ("1_", None),
            ("+1", None),
            ("-1", None),
            ("", None),
            ("ff", None),
        ] {
            assert_eq!(go_number(text), number, "{text}");
        }
    }

    #[test]
    fn octets_are_two_digits_each() {
        assert_eq!(hexadecimal("6162fF"), Some(b"ab\xff".to_vec()));
        assert_eq!(hexadecimal(""), Some(Vec::new()));
        assert_eq!((hexadecimal("6"), hexadecimal("6g")), (None, None));
    }
}
