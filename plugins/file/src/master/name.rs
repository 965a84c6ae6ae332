//! Names as zone files write them, and escapes (RFC 1035 5.1). Case is kept: RDATA is told as it was written.

use contract::wire::NAME_MAX;

/// The longest label, octets (RFC 1035 2.3.4).
const LABEL_MAX: usize = 63;

/// The wire form of a name; without a final dot it is below `origin`, which is in wire form.
pub(super) fn absolute(text: &[u8], origin: &[u8]) -> Result<Vec<u8>, String> {
    let shown = || text.escape_ascii();
    if text == b"@" {
        return Ok(origin.to_vec());
    }
    if text == b"." {
        return Ok(vec![0]);
    }
    let (mut wire, mut start, mut at, mut is_absolute) = (vec![0u8], 0, 0, false);
    if text.is_empty() {
        return Err("an empty name".to_owned());
    }
    while at < text.len() {
        is_absolute = text[at] == b'.';
        if is_absolute {
            if wire.len() == start + 1 {
                return Err(format!("`{}`: a label is empty", shown()));
            }
            start = wire.len();
            wire.push(0);
            at += 1;
            continue;
        }
        let (octet, taken) = octet(&text[at..]).ok_or_else(|| format!("`{}`: a wrong escape", shown()))?;
        wire.push(octet);
        at += taken;
        let length = wire.len() - start - 1;
        if length > LABEL_MAX {
            return Err(format!("`{}`: a label is longer than {LABEL_MAX} octets", shown()));
        }
        wire[start] = length as u8;
    }
    if !is_absolute {
        wire.extend_from_slice(origin);
    }
    if wire.len() > NAME_MAX {
        return Err(format!("`{}`: the name is longer than {NAME_MAX} octets", shown()));
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

/// A character string without its escapes; at most 255 octets unless `most` says otherwise.
pub(super) fn string(text: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let (mut octets, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let (one, taken) = octet(&text[at..]).ok_or_else(|| format!("`{}`: a wrong escape", text.escape_ascii()))?;
        octets.push(one);
        at += taken;
    }
    if octets.len() > most {
        return Err(format!("a text of {} octets, more than {most}", octets.len()));
    }
    Ok(octets)
}
