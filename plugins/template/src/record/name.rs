//! Names and character strings of zone files in wire form.

use contract::wire::Name;

use super::NoRecord;

/// A name in wire form, its case kept; without a final dot it is below the root, as with one.
pub(super) fn wire(text: &str) -> Result<Vec<u8>, NoRecord> {
    if text == "@" {
        return Ok(vec![0]);
    }
    let checked = Name::parse(text).map_err(|reason| NoRecord::new(format!("`{text}` is no name: {reason}")))?;
    if text.is_empty() {
        return Err(NoRecord::new("an empty name"));
    }
    let mut wire = checked.as_wire().to_vec();
    // the same octets in the same order; only letters may differ in case
    let mut places = letters_at(&wire);
    let mut rest = text.as_bytes();
    while let Some((octet, is_dot, behind)) = octet(rest) {
        rest = behind;
        if !is_dot && let Some(at) = places.next() {
            wire[at] = octet;
        }
    }
    Ok(wire)
}

/// Where the octets of labels stand in a name in wire form.
fn letters_at(wire: &[u8]) -> std::vec::IntoIter<usize> {
    let mut places = Vec::with_capacity(wire.len());
    let mut at = 0;
    while wire[at] != 0 {
        let end = at + 1 + usize::from(wire[at]);
        places.extend(at + 1..end);
        at = end;
    }
    places.into_iter()
}

/// The octets of a text with its escapes resolved.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, NoRecord> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, _, behind)) = octet(rest) {
        octets.push(octet);
        rest = behind;
    }
    match rest.is_empty() {
        true => Ok(octets),
        false => Err(NoRecord::new(format!("`{}` begins with what is no escape", String::from_utf8_lossy(rest)))),
    }
}

/// The first octet, whether it is a dot that is not escaped, and what stands behind it. `None` at the end, or at what is
/// no escape.
fn octet(text: &[u8]) -> Option<(u8, bool, &[u8])> {
    match text {
        [b'\\', a @ b'0'..=b'9', rest @ ..] => {
            let [b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = rest else { return None };
            let value = [a, b, c].iter().fold(0_u16, |value, digit| value * 10 + u16::from(**digit - b'0'));
            Some((u8::try_from(value).ok()?, false, rest))
        }
        [b'\\', escaped, rest @ ..] => Some((*escaped, false, rest)),
        [b'\\'] | [] => None,
        [first, rest @ ..] => Some((*first, *first == b'.', rest)),
    }
}
