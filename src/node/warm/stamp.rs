//! The clocks that outlive the process, read in one place.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use cache::warm::Stamp;

/// This moment. A clock that cannot be read is as one of another boot.
pub(super) fn now() -> Stamp {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().and_then(|text| boot(&text));
    let up = fs::read_to_string("/proc/uptime").ok().and_then(|text| up(&text));
    let (boot, up) = boot.zip(up).unwrap_or_default();
    Stamp { wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), boot, up }
}

/// The 32 digits of a boot's id.
fn boot(text: &str) -> Option<u128> {
    u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
}

/// Milliseconds, of seconds with a fraction.
fn up(text: &str) -> Option<u64> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1_000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(boot("0000000a-0000-0000-0000-000000000001\n"), Some((10 << 96) + 1));
        assert_eq!(boot("none"), None);
        assert_eq!(up("35729.41 12.3\n"), Some(35_729_410));
        assert_eq!((up(""), up("-1 2"), up("inf 1")), (None, None, None));
        let (first, second) = (now(), now());
        assert!(second.since(&first).is_some_and(|passed| passed < 60_000), "{first:?} {second:?}");
    }
}
