//! What a process took, as the kernel tells it: CPU time of all its threads, and resident memory.

use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::ClockId;
use nix::unistd::Pid;

/// Ticks of the times in `/proc/PID/stat` within a second: fixed on Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time, seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl CpuTime {
    /// What a process has taken so far, ended threads included.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("the server is gone ({path})"))?;
        parse_stat(&text).with_context(|| format!("reading {path}"))
    }

    /// User and system together.
    pub(crate) fn all(self) -> f64 {
        self.user + self.system
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { user: self.user - other.user, system: self.system - other.system }
    }
}

/// CPU time of a process by its own clock, seconds: finer than that of `/proc`, and not split.
pub(crate) fn cpu_clock(process: u32) -> Result<f64> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process.cast_signed())).context("the server is gone")?;
    Ok(Duration::from(clock.now().context("reading its CPU clock")?).as_secs_f64())
}

/// Fields 14 and 15; the name in field 2 may hold spaces and parentheses (proc_pid_stat(5)).
fn parse_stat(text: &str) -> Option<CpuTime> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some(CpuTime { user: seconds()?, system: seconds()? })
}

/// Resident memory, octets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Memory {
    /// `VmRSS`: pages in memory, shared ones in full.
    pub(crate) resident: f64,
    /// `Pss`: pages in memory, each shared one divided by how many share it.
    pub(crate) proportional: f64,
    /// `VmHWM`: the most that was ever resident.
    pub(crate) peak: f64,
}

impl Memory {
    /// What a process has in memory now.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let read = |file: &str, key: &str| {
            let path = format!("/proc/{process}/{file}");
            let text = std::fs::read_to_string(&path).with_context(|| format!("the server is gone ({path})"))?;
            kibibytes(&text, key).with_context(|| format!("{key} in {path}"))
        };
        Ok(Self {
            resident: read("status", "VmRSS")?,
            proportional: read("smaps_rollup", "Pss")?,
            peak: read("status", "VmHWM")?,
        })
    }
}

/// `KEY:   123 kB` as octets.
fn kibibytes(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let number: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "4077 (a b) c) R 3 1 1 0 -1 4194304 100 200 0 0 312 1045 7 8 20 0 1 0 9 10 11";
        assert_eq!(parse_stat(line), Some(CpuTime { user: 3.12, system: 10.45 }));
        assert_eq!(parse_stat("4077 (x) R 3"), None);
    }

    #[test]
    fn a_difference_is_taken_part_by_part() {
        let spent = CpuTime { user: 3.0, system: 5.0 } - CpuTime { user: 1.0, system: 2.5 };
        assert_eq!((spent, spent.all()), (CpuTime { user: 2.0, system: 2.5 }, 4.5));
    }

    #[test]
    fn memory_is_told_in_octets() {
        let text = "Name:\tx\nVmRSS:\t   12 kB\nRssAnon: 3 kB\n";
        assert_eq!(kibibytes(text, "VmRSS"), Some(12_288.0));
        assert_eq!(kibibytes(text, "Pss"), None);
    }

    #[test]
    fn this_process_has_both() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident > 100_000.0 && memory.proportional <= memory.resident * 1.1, "{memory:?}");
        assert!(CpuTime::of(std::process::id()).unwrap().all() >= 0.0);
        assert!(cpu_clock(std::process::id()).unwrap() > 0.0);
    }
}
