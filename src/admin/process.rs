//! What the kernel says of this process, under the names that every client library of Prometheus has; and what its sockets lost.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::metrics::write_head;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike as _;

/// State of a UDP socket without a peer, as /proc/net/udp says it: those that take queries.
const WITHOUT_PEER: &str = "07";

/// Writes what can be had; what cannot is left out.
pub(super) fn write(out: &mut String) {
    let mut say = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            write_head(out, name, kind, help);
            let _ = writeln!(out, "{name} {value}");
        }
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = |key: &str| kibibytes(&status, key).map(|value| value * 1024.0);
    say("process_cpu_seconds_total", "counter", "Processor time of user and system, seconds.", processor_seconds());
    say("process_resident_memory_bytes", "gauge", "Resident memory, octets.", memory("VmRSS:"));
    say("process_virtual_memory_bytes", "gauge", "Virtual memory, octets.", memory("VmSize:"));
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    say("process_open_fds", "gauge", "File descriptors that are open.", descriptors);
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft as f64);
    say("process_max_fds", "gauge", "File descriptors that may be open.", limit);
    say("process_start_time_seconds", "gauge", "When the process began, seconds since 1970.", began());
    let lost = "Datagrams that the kernel dropped because they were not taken in time, by the sockets of now.";
    say("nearpath_udp_receive_drops_total", "counter", lost, receive_drops().map(|count| count as f64));
}

/// The figure of a line such as `VmRSS:   1234 kB`.
fn kibibytes(status: &str, key: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn processor_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

/// The process's own folder in /proc is as old as the process.
fn began() -> Option<f64> {
    let since_boot = ticks_since_boot(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    // whole tenths: the two looks are not at the same moment
    Some(((now - uptime + since_boot) * 10.0).round() / 10.0)
}

/// The 22nd field, of which the second may have spaces in it. Its unit is 1/100 s on every Linux there is (`USER_HZ`).
fn ticks_since_boot(stat: &str) -> Option<f64> {
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks / 100.0)
}

fn receive_drops() -> Option<u64> {
    let own: BTreeSet<String> = fs::read_dir("/proc/self/fd")
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    Some(tables.iter().map(|table| drops(table, |inode| own.contains(inode))).sum())
}

/// The last column of the sockets that take queries.
fn drops(table: &str, is_own: impl Fn(&str) -> bool) -> u64 {
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row.get(3) == Some(&WITHOUT_PEER) && row.get(9).is_some_and(|inode| is_own(inode)));
    ours.filter_map(|row| row.last()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_those_of_own_sockets_without_a_peer() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 111 2 0000000000000000 7\n\
             2: 0100007F:8000 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 112 2 0000000000000000 5\n\
             3: 0100007F:0036 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 113 2 0000000000000000 3\n";
        assert_eq!(drops(table, |inode| inode != "113"), 7);
        assert_eq!(drops("", |_| true), 0);
    }

    #[test]
    fn the_kernel_tells_of_this_process() {
        let mut out = String::new();
        write(&mut out);
        for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"] {
            let sample = out.lines().find_map(|line| line.strip_prefix(&format!("process_{name} ")));
            assert!(sample.is_some_and(|value| value.parse::<f64>().unwrap() > 0.0), "{name}: {out}");
        }
        assert!(out.contains("nearpath_udp_receive_drops_total "), "{out}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let began = began().unwrap();
        assert!(began <= now + 1.0 && began > now - 86_400.0, "{began} {now}");
    }

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat =
            format!("7 (a) b) S {} 4200 1", (1..=18).map(|number| number.to_string()).collect::<Vec<_>>().join(" "));
        assert_eq!(ticks_since_boot(&stat), Some(42.0));
    }
}
