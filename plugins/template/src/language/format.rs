//! `print`, `println` and `printf`.

use super::Failed;
use super::value::{Value, bounded};

/// The values one after the other; a blank stands between two of which neither is a text.
pub(super) fn print(values: &[Value<'_>]) -> Result<String, Failed> {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            out.push(' ');
        }
        out = bounded(out + &present(value, "print")?)?;
    }
    Ok(out)
}

/// The values with blanks between them.
pub(super) fn spaced(values: &[Value<'_>]) -> Result<String, Failed> {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        out.push_str(if index > 0 { " " } else { "" });
        out = bounded(out + &present(value, "println")?)?;
    }
    Ok(out)
}

fn present(value: &Value<'_>, of: &'static str) -> Result<String, Failed> {
    if *value == Value::Missing {
        return Err(Failed::Missing { of });
    }
    Ok(value.printed()?.into_owned())
}

/// A piece of a format.
#[derive(Debug, PartialEq, Eq)]
enum Part<'f> {
    Text(&'f str),
    Verb(Verb),
}

/// `%`, flags, width, precision and a letter.
#[derive(Debug, PartialEq, Eq)]
struct Verb {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

/// Widths and precisions that a format may ask for.
const WIDTH_MAX: usize = 255;

const VERBS: &str = "dsvqxXobtc";

/// What is wrong with a format, if anything, and how many values it takes.
pub(super) fn check(format: &str) -> Result<usize, (usize, String)> {
    let verbs = parts(format)?.into_iter().filter(|part| matches!(part, Part::Verb(_)));
    Ok(verbs.count())
}

fn parts(format: &str) -> Result<Vec<Part<'_>>, (usize, String)> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(percent) = rest.find('%') {
        parts.push(Part::Text(&rest[..percent]));
        let at = format.len() - rest.len() + percent;
        rest = &rest[percent + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            parts.push(Part::Text("%"));
            rest = behind;
            continue;
        }
        let mut verb = Verb { left: false, zeros: false, plus: false, width: 0, precision: None, letter: ' ' };
        while let Some(flag) = rest.chars().next().filter(|c| "-0+".contains(*c)) {
            verb.left |= flag == '-';
            verb.zeros |= flag == '0';
            verb.plus |= flag == '+';
            rest = &rest[1..];
        }
        verb.width = number(&mut rest);
        if let Some(behind) = rest.strip_prefix('.') {
            rest = behind;
            verb.precision = Some(number(&mut rest));
        }
        let letter = rest.chars().next().ok_or_else(|| (at, "a `%` without a verb".to_owned()))?;
        if !VERBS.contains(letter) {
            return Err((at, format!("the verb `%{letter}` is not known here")));
        }
        if verb.width > WIDTH_MAX || verb.precision.is_some_and(|precision| precision > WIDTH_MAX) {
            return Err((at, format!("a width above {WIDTH_MAX}")));
        }
        verb.letter = letter;
        rest = &rest[letter.len_utf8()..];
        parts.push(Part::Verb(verb));
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

fn number(rest: &mut &str) -> usize {
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let value = rest[..length].parse().unwrap_or(if length == 0 { 0 } else { usize::MAX });
    *rest = &rest[length..];
    value
}

/// The format with its verbs replaced.
pub(super) fn printf(format: &str, values: &[Value<'_>]) -> Result<String, Failed> {
    let of = "printf";
    let parts = parts(format).map_err(|_| Failed::Kind { of, wanted: "a format whose verbs are known" })?;
    let mut values = values.iter();
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Verb(verb) => {
                let value = values.next().ok_or(Failed::Missing { of })?;
                out.push_str(&verb.write(value)?);
            }
        }
        out = bounded(out)?;
    }
    if values.next().is_some() {
        return Err(Failed::Kind { of, wanted: "a value for each verb and no more" });
    }
    Ok(out)
}

impl Verb {
    fn write(&self, value: &Value<'_>) -> Result<String, Failed> {
        let of = "printf";
        let body = match (self.letter, value) {
            (_, Value::Missing) => return Err(Failed::Missing { of }),
            ('d' | 'v', Value::Int(number)) => self.digits(*number, number.unsigned_abs().to_string()),
            ('x', Value::Int(number)) => self.digits(*number, format!("{:x}", number.unsigned_abs())),
            ('X', Value::Int(number)) => self.digits(*number, format!("{:X}", number.unsigned_abs())),
            ('o', Value::Int(number)) => self.digits(*number, format!("{:o}", number.unsigned_abs())),
            ('b', Value::Int(number)) => self.digits(*number, format!("{:b}", number.unsigned_abs())),
            ('c', Value::Int(number)) => {
                u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('t' | 'v', Value::Bool(_)) | ('v' | 's', Value::List(_)) => value.printed()?.into_owned(),
            ('s' | 'v', Value::Text(text)) => self.cut(text).to_owned(),
            ('q', Value::Text(text)) => format!("\"{}\"", self.cut(text).replace('\\', r"\\").replace('"', "\\\"")),
            ('x', Value::Text(text)) => self.cut(text).bytes().map(|octet| format!("{octet:02x}")).collect(),
            ('X', Value::Text(text)) => self.cut(text).bytes().map(|octet| format!("{octet:02X}")).collect(),
            _ => return Err(Failed::Kind { of, wanted: "values that their verbs are for" }),
        };
        let missing = self.width.saturating_sub(body.chars().count());
        let pad = if self.zeros && !self.left { "0" } else { " " };
        Ok(if self.left { body + &pad.repeat(missing) } else { pad.repeat(missing) + &body })
    }

    /// A number's digits with its sign, filled up with zeros inside the sign.
    fn digits(&self, number: i128, digits: String) -> String {
        let sign = match (number < 0, self.plus) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let by_width = if self.zeros && !self.left && self.precision.is_none() {
            self.width.saturating_sub(sign.len())
        } else {
            0
        };
        let zeros = by_width.max(self.precision.unwrap_or(0)).saturating_sub(digits.len());
        format!("{sign}{}{digits}", "0".repeat(zeros))
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self.precision.and_then(|most| text.char_indices().nth(most)).map_or(text.len(), |(at, _)| at);
        &text[..end]
    }
}
