//! Names as text, as rules see them: the presentation form that CoreDNS's library writes, final dot included. What it escapes
//! decides what a pattern finds.

use contract::wire::Name;

/// The text of a name in uncompressed wire form, spelled as it stands there.
pub(crate) fn of_wire(wire: &[u8]) -> String {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((&length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, behind) = tail.split_at(usize::from(length).min(tail.len()));
        for &octet in label {
            push(octet, &mut text);
        }
        text.push('.');
        rest = behind;
    }
    if text.is_empty() {
        text.push('.');
    }
    text
}

fn push(octet: u8, text: &mut String) {
    match octet {
        b'.' | b' ' | b'\'' | b'@' | b';' | b'(' | b')' | b'"' | b'\\' => {
            text.push('\\');
            text.push(char::from(octet));
        }
        0x21..=0x7e => text.push(char::from(octet)),
        _ => {
            text.push('\\');
            for digit in [octet / 100, octet / 10 % 10, octet % 10] {
                text.push(char::from(b'0' + digit));
            }
        }
    }
}

/// The name that a text is; `None` if it is none.
pub(crate) fn name(text: &str) -> Option<Name> {
    Name::parse(text).ok().filter(|_| !text.is_empty())
}

/// A name of the Corefile as CoreDNS compares it: in lower case, and with its final dot.
pub(crate) fn normal(written: &str) -> String {
    let mut text = written.to_lowercase();
    if !is_complete(&text) {
        text.push('.');
    }
    text
}

/// True if it ends with a dot that is not escaped.
fn is_complete(text: &str) -> bool {
    let Some(front) = text.strip_suffix('.') else { return false };
    (front.len() - front.trim_end_matches('\\').len()).is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_coredns_does() {
        for (wire, text) in [
            (&b"\0"[..], "."),
            (b"\x03www\x02De\0", "www.De."),
            (b"\x02a.\0", r"a\.."),
            (b"\x03' @\0", r"\'\ \@."),
            (b"\x04_\x00$\xff\0", r"_\000$\255."),
        ] {
            assert_eq!(of_wire(wire), text);
            let name = Name::parse(text).unwrap();
            assert_eq!(name.as_wire(), wire.to_ascii_lowercase(), "it reads back");
        }
    }

    #[test]
    fn a_name_of_the_corefile_gets_its_dot() {
        for (written, text) in
            [("", "."), (".", "."), ("A.b", "a.b."), ("a.", "a."), (r"a\.", r"a\.."), (r"a\\.", r"a\\.")]
        {
            assert_eq!(normal(written), text);
        }
    }
}
