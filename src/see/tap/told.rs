//! A sighting in words, for people.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::Sighting;
use contract::wire::Name;

use crate::see::api::Sighted;

pub(super) fn sighted(sighting: &Sighting<'_>, pod: &dyn Fn(IpAddr) -> Option<Arc<str>>) -> Sighted {
    let ip = sighting.client.ip();
    Sighted {
        at: rfc3339(sighting.at),
        client: ip.to_string(),
        pod: pod(ip).map(|pod| pod.to_string()),
        transport: sighting.client.transport.label().to_owned(),
        name: name(sighting.name),
        rtype: sighting.question.0.to_string(),
        rcode: sighting.rcode.to_string(),
        way: sighting.way.label().to_owned(),
        took_s: sighting.took.as_secs_f64(),
        weight: sighting.weight,
    }
}

/// A name in wire form as people write it: without the last dot, unless it is the root.
pub(in crate::see) fn name(wire: &[u8]) -> String {
    let Some(name) = Name::from_wire(wire) else { return String::new() };
    let text = name.to_string();
    match name.is_root() {
        true => text,
        false => text.strip_suffix('.').unwrap_or(&text).to_owned(),
    }
}

/// A moment of the clock on the wall, UTC, in milliseconds (RFC 3339 5.6).
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default(); // before 1970 no clock is right
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of a number of days since 1970 in the Gregorian calendar. Years are taken to begin in March, so that a leap
/// day is the last of one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 1 March of the year 0
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_are_those_of_the_calendar() {
        let at = |seconds: u64| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_767_225_599), "2025-12-31T23:59:59.000Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(1_234)), "1970-01-01T00:00:01.234Z");
    }

    #[test]
    fn names_are_written_without_the_last_dot() {
        assert_eq!(name(b"\x03www\x07example\0"), "www.example");
        assert_eq!(name(b"\0"), ".");
    }
}
