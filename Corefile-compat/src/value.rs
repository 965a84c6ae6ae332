//! Turns one word into a value, with a reason when it is none: the forms that Corefiles use for the same kinds of
//! values everywhere.
//!
//! Every function has the shape that [`Reader::value`](crate::Reader::value) takes: text in, value or reason out.

mod address;
mod duration;
mod name;

use std::fmt::Display;
use std::ops::RangeBounds;
use std::str::FromStr;

pub use address::{address, ip, listen_address, prefix};
pub use duration::{duration, duration_or_seconds, positive_duration};
pub use name::{name, zone};

/// A whole number of the type's range.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    let digits = !text.is_empty() && text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err("not a whole number".to_owned());
    }
    text.parse().map_err(|_| "a number out of range".to_owned())
}

/// A whole number within the range.
pub fn number_in<T: FromStr + PartialOrd + Display>(range: impl RangeBounds<T>) -> impl Fn(&str) -> Result<T, String> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    move |text| {
        let value = number::<T>(text)?;
        if range.contains(&value) {
            return Ok(value);
        }
        let low = match range.start_bound() {
            Included(low) => format!(", at least {low}"),
            Excluded(low) => format!(", more than {low}"),
            Unbounded => String::new(),
        };
        let high = match range.end_bound() {
            Included(high) => format!(", at most {high}"),
            Excluded(high) => format!(", less than {high}"),
            Unbounded => String::new(),
        };
        Err(format!("out of range{low}{high}"))
    }
}

/// `on` or `off`.
pub fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("neither `on` nor `off`".to_owned()),
    }
}

/// Hundredths with their sign, `10%`: from 0 to 100.
pub fn percentage(text: &str) -> Result<u8, String> {
    let digits = text.strip_suffix('%').ok_or_else(|| "a percentage ends with `%`".to_owned())?;
    number_in(0..=100)(digits)
}

/// The word itself: for values whose form only their user can judge.
pub fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_within_their_range() {
        assert_eq!(number::<u16>("65535"), Ok(65535));
        assert!(number::<u16>("65536").is_err());
        assert!(number::<u32>("+5").is_err());
        assert!(number::<u32>("5s").is_err());
        assert!(number::<u32>("").is_err());
        assert_eq!(number::<i32>("-5"), Ok(-5));
        assert_eq!(number_in(512..=4096u16)("1232"), Ok(1232));
        assert_eq!(number_in(512..=4096u16)("100"), Err("out of range, at least 512, at most 4096".to_owned()));
        assert_eq!(number_in(1u32..)("0"), Err("out of range, at least 1".to_owned()));
    }

    #[test]
    fn switches_and_percentages() {
        assert_eq!(on_off("on"), Ok(true));
        assert!(on_off("yes").is_err());
        assert_eq!(percentage("10%"), Ok(10));
        assert!(percentage("10").is_err());
        assert!(percentage("101%").is_err());
        assert!(percentage("%").is_err());
    }
}
