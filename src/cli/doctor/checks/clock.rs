//! `clock`: certificates and the API server need the right time, and each question reads a clock.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::patient::Patient;
use super::super::verdict::Finding;

/// No clock that is right shows an earlier time than this program's: 2025-01-01, or a later one than 2100-01-01, seconds.
const EARLIEST: u64 = 1_735_689_600;
const LATEST: u64 = 4_102_444_800;
/// Where systemd-timesyncd tells whether it has set the clock.
const TIMESYNC: &str = "/run/systemd/timesync";
const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// Sources that take a system call, or longer, for each look at the clock.
const SLOW: [&str; 4] = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];

const SET: &str = "timedatectl set-ntp true; chronyc makestep";

/// Looks at the time, whether somebody keeps it right, and what it runs on.
pub(in super::super) async fn check(_: &Patient) -> Finding {
    let program = std::fs::metadata("/proc/self/exe").and_then(|file| file.modified()).ok();
    let folder = Path::new(TIMESYNC);
    let synchronized = folder.is_dir().then(|| folder.join("synchronized").exists());
    let source = std::fs::read_to_string(SOURCE).unwrap_or_default();
    judge(SystemTime::now(), program, synchronized, source.trim())
}

fn judge(now: SystemTime, program: Option<SystemTime>, synchronized: Option<bool>, source: &str) -> Finding {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let mut findings = vec![Finding::ok(match source {
        "" => "the time is plausible".to_owned(),
        source => format!("the time is plausible; it runs on {source}"),
    })];
    // a day of grace: an image may be built where it is later
    let behind =
        program.is_some_and(|made| made.duration_since(now).is_ok_and(|ahead| ahead > Duration::from_secs(86_400)));
    if !(EARLIEST..LATEST).contains(&since) || behind {
        findings.push(Finding::fail(
            format!("{since} s since 1970 cannot be the time: certificates will not be trusted"),
            SET,
        ));
    }
    if synchronized == Some(false) {
        findings.push(Finding::warn("systemd-timesyncd has not set the clock yet", SET));
    }
    if SLOW.contains(&source) {
        findings.push(Finding::warn(
            format!("the clock runs on {source}, and each look at it is slow"),
            "echo tsc >/sys/devices/system/clocksource/clocksource0/current_clocksource, if the machine has it",
        ));
    }
    Finding::worst(findings, "")
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn times_that_can_be_and_cannot() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let made = Some(at(1_780_000_000));
        for (now, synchronized, source, state) in [
            (at(1_790_000_000), None, "tsc", State::Ok),
            (at(1_790_000_000), Some(true), "", State::Ok),
            (at(1_790_000_000), Some(false), "tsc", State::Warn),
            (at(1_790_000_000), None, "hpet", State::Warn),
            (at(1_779_990_000), None, "tsc", State::Ok),
            (at(1_750_000_000), None, "tsc", State::Fail),
            (at(100), None, "tsc", State::Fail),
            (at(5_000_000_000), None, "tsc", State::Fail),
        ] {
            let found = judge(now, made, synchronized, source);
            assert_eq!(found.state, state, "{now:?} {source}: {}", found.reason);
        }
    }
}
