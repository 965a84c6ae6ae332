//! The date at which rules of iptables end, as its match `time` reads it: UTC, whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that the match knows.
const LAST: u64 = i32::MAX as u64;

/// `YYYY-MM-DDTHH:MM:SS`, a while after now.
pub(super) fn in_iptables(now: SystemTime, after: Duration) -> String {
    // a clock before 1970 is none that rules could go by; they then end at once, which is safe
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.saturating_add(after).as_secs().min(LAST);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + u64::from(is_leap(year)) {
        rest -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds: u64| in_iptables(UNIX_EPOCH + Duration::from_secs(seconds), Duration::ZERO);
        assert_eq!(at(0), "1970-01-01T00:00:00");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(at(1_767_225_599), "2025-12-31T23:59:59");
        assert_eq!(at(1_795_285_800), "2026-11-21T18:30:00");
        assert_eq!(at(u64::from(u32::MAX)), "2038-01-19T03:14:07");
    }

    #[test]
    fn a_while_is_added() {
        assert_eq!(in_iptables(UNIX_EPOCH, Duration::from_secs(86_400)), "1970-01-02T00:00:00");
    }
}
