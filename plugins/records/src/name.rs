//! Names and character strings as they are written, and escapes (RFC 1035 5.1). Case is kept.

use contract::wire::NAME_MAX;

use crate::lexer::{Word, shown};

/// The longest label, octets (RFC 1035 2.3.4).
const LABEL_MAX: usize = 63;

/// The wire form of a name; without a final dot it is below `origin`, which is in wire form and which `@` stands for.
pub fn name(word: &Word, origin: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = |reason: &str| format!("`{word}` is no name: {reason}");
    if word.is_quoted {
        return Err(wrong("it stands in quotes"));
    }
    let text = word.octets.as_slice();
    if text == b"@" {
        return Ok(origin.to_vec());
    }
    if text == b"." {
        return Ok(vec![0]);
    }
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    let (mut wire, mut start, mut at, mut is_absolute) = (vec![0u8], 0, 0, false);
    while at < text.len() {
        is_absolute = text[at] == b'.';
        if is_absolute {
            if wire.len() == start + 1 {
                return Err(wrong("a label is empty"));
            }
            start = wire.len();
            wire.push(0);
            at += 1;
            continue;
        }
        let (octet, taken) = octet(&text[at..]).ok_or_else(|| wrong("a wrong escape"))?;
        wire.push(octet);
        at += taken;
        let length = wire.len() - start - 1;
        if length > LABEL_MAX {
            return Err(wrong(&format!("a label is longer than {LABEL_MAX} octets")));
        }
        wire[start] = length as u8;
    }
    if !is_absolute {
        wire.extend_from_slice(origin);
    }
    if wire.len() > NAME_MAX {
        return Err(wrong(&format!("the name is longer than {NAME_MAX} octets")));
    }
    Ok(wire)
}

/// The first octet of a text, and how many octets it is written with.
fn octet(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', digits @ ..] if digits.first()?.is_ascii_digit() => {
            let digits = digits.first_chunk::<3>()?;
            let value: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
            Some((u8::try_from(value).ok()?, 4))
        }
        [b'\\', other, ..] => Some((*other, 2)),
        [b'\\'] => None,
        [other, ..] => Some((*other, 1)),
        [] => None,
    }
}

/// A text without its escapes.
pub(crate) fn unescaped(text: &[u8]) -> Result<Vec<u8>, String> {
    let (mut octets, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let wrong = || format!("`{}`: a wrong escape", shown(text));
        let (one, taken) = octet(&text[at..]).ok_or_else(wrong)?;
        octets.push(one);
        at += taken;
    }
    Ok(octets)
}
