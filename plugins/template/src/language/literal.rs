//! Texts and numbers as Go writes them.

use super::Wrong;

/// The text that begins here, in quotes or in backquotes, and how many octets it takes.
pub(super) fn text(rest: &str, at: usize) -> Result<(String, usize), Wrong> {
    let unclosed = || Wrong::new(at, "a text that does not end", "its closing quote");
    if let Some(raw) = rest.strip_prefix('`') {
        let length = raw.find('`').ok_or_else(unclosed)?;
        return Ok((raw[..length].replace('\r', ""), length + 2));
    }
    let (mut value, mut index) = (String::new(), 1);
    while let Some(c) = rest[index..].chars().next() {
        match c {
            '"' => return Ok((value, index + 1)),
            '\n' => break,
            '\\' => {
                let (c, length) = escaped(&rest[index + 1..]).ok_or_else(|| {
                    Wrong::new(at + index, "a backslash that escapes nothing", r#"`\n`, `\t`, `\"`, `\\` or `\u00e9`"#)
                })?;
                value.push(c);
                index += 1 + length;
            }
            c => {
                value.push(c);
                index += c.len_utf8();
            }
        }
    }
    Err(unclosed())
}

/// The character that stands behind a backslash, and how many octets it takes.
fn escaped(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    let plain = match first {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' | '"' => first,
        'x' => return numbered(rest, 1, 2, 16).filter(|(c, _)| c.is_ascii()),
        'u' => return numbered(rest, 1, 4, 16),
        'U' => return numbered(rest, 1, 8, 16),
        '0'..='7' => return numbered(rest, 0, 3, 8).filter(|(c, _)| c.is_ascii()),
        _ => return None,
    };
    Some((plain, 1))
}

fn numbered(rest: &str, from: usize, digits: usize, base: u32) -> Option<(char, usize)> {
    let digits = rest.get(from..from + digits)?;
    let value = digits.chars().try_fold(0_u32, |value, c| Some(value * base + c.to_digit(base)?))?;
    Some((char::from_u32(value)?, from + digits.len()))
}

/// The whole number that begins here, and how many octets it takes: decimal, or with `0x`, `0o`, `0` or `0b`.
pub(super) fn number(rest: &str, at: usize) -> Result<(i128, usize), Wrong> {
    let wrong = |message: String| Wrong::new(at, message, "a whole number such as `10` or `0x1f`");
    let sign = usize::from(rest.starts_with(['+', '-']));
    let body = &rest[sign..];
    let length = body.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(body.len());
    let written = &rest[..sign + length];
    let value = whole(&body[..length]).ok_or_else(|| wrong(format!("`{written}` is no whole number")))?;
    let value = if rest.starts_with('-') { -value } else { value };
    if i64::try_from(value).is_err() && u64::try_from(value).is_err() {
        return Err(wrong(format!("`{written}` is too large")));
    }
    Ok((value, written.len()))
}

/// A number as Go reads one whose base is not given.
pub(super) fn whole(text: &str) -> Option<i128> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    let is_placed = !digits.ends_with('_') && !digits.contains("__") && (base != 10 || !digits.starts_with('_'));
    let digits = digits.replace('_', "");
    let is_plain = digits.chars().all(|c| c.is_digit(base));
    if is_placed && is_plain && !digits.is_empty() { i128::from_str_radix(&digits, base).ok() } else { None }
}
