//! `$GENERATE START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE RDATA`: one record for each number of a range, as BIND has it.
//!
//! `$` stands for the number, `${OFFSET,WIDTH,BASE}` for the number with an offset, in so many digits of `d`, `o`, `x` or `X`, and
//! `\$` and `$$` for the sign itself.

use contract::limits::ZONE_GENERATED_MAX;
use records::{Entry, Word, number};

/// A record that is written once for many numbers.
pub(super) struct Template<'e> {
    entry: &'e Entry,
    words: &'e [Word],
    first: u32,
    last: u32,
    step: u32,
}

impl<'e> Template<'e> {
    /// Reads the directive.
    pub(super) fn parse(entry: &'e Entry) -> Result<Self, String> {
        let [_, range, words @ ..] = entry.words.as_slice() else {
            return Err("expected `$GENERATE START-STOP[/STEP] OWNER TYPE RDATA`".to_owned());
        };
        let wrong = || format!("`{range}` is no range such as `1-20` or `0-20/2`");
        let (first, last, step) = range.text().and_then(bounds).ok_or_else(wrong)?;
        if (last - first) / step > ZONE_GENERATED_MAX {
            return Err(format!("more than {ZONE_GENERATED_MAX} steps"));
        }
        Ok(Self { entry, words, first, last, step })
    }

    /// The entries, one for each number.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Entry, String>> {
        (self.first..=self.last).step_by(self.step as usize).map(|number| {
            let words = self.words.iter().map(|word| filled(word, number)).collect::<Result<Vec<_>, _>>()?;
            match words.is_empty() {
                true => Err("a record without an owner and a type".to_owned()),
                false => Ok(Entry { line: self.entry.line, starts_blank: false, words }),
            }
        })
    }
}

/// `START-STOP[/STEP]`.
fn bounds(text: &str) -> Option<(u32, u32, u32)> {
    let (bounds, step) = text.split_once('/').unwrap_or((text, "1"));
    let (first, last) = bounds.split_once('-')?;
    let (first, last, step) = (number(first)?, number(last)?, number(step)?);
    (step > 0 && first <= last && last <= i32::MAX as u32).then_some((first, last, step))
}

/// A word with the number in its places.
fn filled(word: &Word, number: u32) -> Result<Word, String> {
    let (mut octets, mut rest) = (Vec::with_capacity(word.octets.len()), word.octets.as_slice());
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, rest.first()) {
            (b'\\', Some(b'$')) | (b'$', Some(b'$')) => {
                octets.push(b'$');
                rest = &rest[1..];
            }
            (b'\\', Some(&other)) => {
                octets.extend([b'\\', other]);
                rest = &rest[1..];
            }
            (b'$', Some(b'{')) => {
                let end = rest.iter().position(|&octet| octet == b'}').ok_or("`${` is never closed")?;
                octets.extend(modified(&rest[1..end], number)?);
                rest = &rest[end + 1..];
            }
            (b'$', _) => octets.extend(number.to_string().into_bytes()),
            _ => octets.push(octet),
        }
    }
    Ok(Word { octets, is_quoted: word.is_quoted })
}

/// The number as `OFFSET[,WIDTH[,BASE]]` wants it.
fn modified(text: &[u8], number: u32) -> Result<Vec<u8>, String> {
    let text = str::from_utf8(text).map_err(|_| "a modifier is no UTF-8")?;
    let wrong = || format!("`${{{text}}}` is no modifier such as `${{0,3,d}}`");
    let parts: Vec<&str> = text.split(',').collect();
    let (offset, width, base) = match parts[..] {
        [offset] => (offset, "0", "d"),
        [offset, width] => (offset, width, "d"),
        [offset, width, base] => (offset, width, base),
        _ => return Err(wrong()),
    };
    let offset: i64 = offset.parse().map_err(|_| wrong())?;
    let width = usize::from(width.parse::<u8>().map_err(|_| wrong())?);
    let number =
        u32::try_from(i64::from(number).saturating_add(offset)).ok().filter(|&number| number <= i32::MAX as u32);
    let number = number.ok_or_else(|| format!("`${{{text}}}` leads out of the numbers from 0 to 2147483647"))?;
    let written = match base {
        "d" => format!("{number:0width$}"),
        "o" => format!("{number:0width$o}"),
        "x" => format!("{number:0width$x}"),
        "X" => format!("{number:0width$X}"),
        _ => return Err(wrong()),
    };
    Ok(written.into_bytes())
}
