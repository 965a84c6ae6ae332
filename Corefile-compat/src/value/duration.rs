//! Lengths of time as Go writes them, because every Corefile does.

use std::time::Duration;

use super::number;

/// The longest duration that Go's nanoseconds in 63 bits can say: about 292 years.
const NANOSECONDS_MAX: u128 = i64::MAX as u128;

/// Digits behind the point that still matter; more are read and dropped.
const FRACTION_DIGITS_MAX: usize = 18;

/// Units, longer names first where one begins another.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration: `300ms`, `1h30m`, `1.5s`, `0`. Not negative, because no setting of ours can be.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" || text == "+0" || text == "-0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err("a negative duration".to_owned());
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err("not a duration".to_owned());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, behind) = part(rest)?;
        total = total.saturating_add(nanoseconds);
        rest = behind;
    }
    if total > NANOSECONDS_MAX {
        return Err("too long a duration".to_owned());
    }
    let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| "too long a duration".to_owned())?;
    let nanoseconds = u32::try_from(total % 1_000_000_000).map_err(|_| "too long a duration".to_owned())?;
    Ok(Duration::new(seconds, nanoseconds))
}

/// A duration; a bare number is a count of seconds.
pub fn duration_or_seconds(text: &str) -> Result<Duration, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return number::<u32>(text).map(|seconds| Duration::from_secs(seconds.into()));
    }
    duration(text)
}

/// A duration longer than nothing.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a duration of nothing".to_owned()),
        longer => Ok(longer),
    }
}

/// One number with its unit, in nanoseconds, and what stands behind it.
fn part(text: &str) -> Result<(u128, &str), String> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(behind) => digits(behind),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err("not a duration".to_owned());
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, behind) = rest.split_at(end);
    if unit.is_empty() {
        return Err(format!("a duration without a unit, as in `{text}s`"));
    }
    let nanoseconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanoseconds)| *nanoseconds);
    let nanoseconds = nanoseconds.ok_or_else(|| format!("no unit of time is called `{unit}`"))?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| "too long a duration".to_owned())? };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let share = fraction.parse::<u128>().map_or(0, |parts| {
        let scale = fraction.bytes().fold(1u128, |scale, _| scale * 10);
        parts * nanoseconds / scale
    });
    Ok((whole.saturating_mul(nanoseconds).saturating_add(share), behind))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_go() {
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration(".5s"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.s"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("2\u{b5}s3ns"), Ok(Duration::from_nanos(2003)));
        assert_eq!(duration("1m1m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn what_is_none_says_why() {
        for (wrong, reason) in [
            ("5", "without a unit"),
            ("", "not a duration"),
            ("+", "not a duration"),
            ("s", "not a duration"),
            (".s", "not a duration"),
            ("-5s", "negative"),
            ("5x", "`x`"),
            ("5 s", "` s`"),
            ("99999999999h", "too long"),
            ("99999999999999999999999999999999999999999999999h", "too long"),
        ] {
            assert!(duration(wrong).unwrap_err().contains(reason), "{wrong}");
        }
    }

    #[test]
    fn a_bare_number_is_seconds_where_that_is_allowed() {
        assert_eq!(duration_or_seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration_or_seconds("30ms"), Ok(Duration::from_millis(30)));
        assert!(duration_or_seconds("99999999999").is_err());
        assert!(duration_or_seconds("").is_err());
        assert!(positive_duration("0s").is_err());
    }
}
