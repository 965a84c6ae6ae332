//! Texts and numbers as expressions have them.

use crate::Wrong;
use crate::lexer::{Kind, is_letter};

/// The text that begins here, and how many octets it takes with its quotes.
pub(crate) fn text(rest: &str, at: usize) -> Result<(String, usize), Wrong> {
    let quote = rest.chars().next().expect("a quote stands here");
    let (mut value, mut index) = (String::new(), 1);
    while let Some(c) = rest[index..].chars().next() {
        index += c.len_utf8();
        match c {
            // in backquotes nothing is an escape but the quote itself, doubled
            '`' if quote == '`' && rest[index..].starts_with('`') => {
                value.push('`');
                index += 1;
            }
            c if c == quote => return Ok((value, index)),
            '\n' if quote != '`' => break,
            '\\' if quote != '`' => {
                let (c, length) = escaped(&rest[index..], quote).ok_or_else(|| {
                    let expected = r"`\\` for a backslash, as in 'example\\.com'";
                    Wrong::new(at + index - 1, "a backslash that escapes nothing", expected)
                })?;
                value.push(c);
                index += length;
            }
            c => value.push(c),
        }
    }
    Err(Wrong::new(at, "a text that does not end", format!("its closing `{quote}`")))
}

/// The character that stands behind a backslash, and how many octets it takes.
fn escaped(rest: &str, quote: char) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    let plain = match first {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        c if c == quote => c,
        'u' if rest[1..].starts_with('{') => {
            let end = rest.find('}').filter(|end| (3..=8).contains(end))?;
            return Some((coded(&rest[2..end], 16)?, end + 1));
        }
        'x' => return Some((coded(rest.get(1..3)?, 16)?, 3)),
        'u' => return Some((coded(rest.get(1..5)?, 16)?, 5)),
        'U' => return Some((coded(rest.get(1..9)?, 16)?, 9)),
        '0'..='3' => return Some((coded(rest.get(..3)?, 8)?, 3)),
        _ => return None,
    };
    Some((plain, 1))
}

fn coded(digits: &str, base: u32) -> Option<char> {
    let value = digits.chars().try_fold(0_u32, |value, c| value.checked_mul(base)?.checked_add(c.to_digit(base)?))?;
    char::from_u32(value)
}

/// The number that begins here, and how many octets it takes.
pub(crate) fn number(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let run = |from: usize, digits: &str| {
        let behind = &rest[from..];
        from + behind.find(|c| !digits.contains(c)).unwrap_or(behind.len())
    };
    let prefix = rest.get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
    let (base, mut end) = match prefix.as_str() {
        "0x" => (16, run(2, "0123456789abcdefABCDEF_")),
        "0o" => (8, run(2, "01234567_")),
        "0b" => (2, run(2, "01_")),
        _ => (10, run(0, "0123456789_")),
    };
    let mut is_whole = true;
    if base == 10 {
        // `1..3` is a range
        if rest[end..].starts_with('.') && !rest[end..].starts_with("..") {
            (is_whole, end) = (false, run(end + 1, "0123456789_"));
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            (is_whole, end) = (false, run(end + 1 + sign, "0123456789_"));
        }
    }
    let wrong = || Wrong::new(at, "a number that is none", "one such as `512`, `0x1f` or `0.5`");
    if rest[end..].starts_with(is_letter) {
        return Err(wrong());
    }
    let digits = rest[if base == 10 { 0 } else { 2 }..end].replace('_', "");
    let kind = match is_whole {
        true => Kind::Int(i64::from_str_radix(&digits, base).map_err(|_| wrong())?),
        false => Kind::Float(digits.parse().map_err(|_| wrong())?),
    };
    Ok((kind, end))
}
