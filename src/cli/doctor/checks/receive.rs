//! `receive buffer`: questions that found no room in the daemon's sockets, or wait there and are not read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::patient::Patient;
use super::super::system::diag::{self, Memory};
use super::super::system::owners;
use super::super::system::sockets::{self, Kind, Row};
use super::super::verdict::Finding;

/// Between the two looks.
const BETWEEN: Duration = Duration::from_millis(1_000);
/// Less room than the kernel's usual one loses bursts; octets as the kernel counts them, twice what is asked for.
const ROOM_MIN: u64 = 2 * (208 << 10);
/// One question in so many may have been lost in a burst without being worth a word.
const LOST_ONE_OF: u64 = 100_000;

const LOSES: &str = "the daemon gets too little CPU, or bursts are larger than the buffer: raise its CPU limit or -threads; sysctl -w net.core.rmem_max=8388608";
const STANDS: &str =
    "the daemon does not read: see `daemon`; its CPU limit (cpu.stat, nr_throttled), a stopped process (ps -o stat)";

/// What the sockets show at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    /// Octets that wait, in the fullest.
    queued: u64,
    /// The smallest room, where it is known.
    room: Option<u64>,
    /// Questions lost since the sockets were opened.
    drops: u64,
}

/// Looks twice.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(process) = &patient.process else { return Finding::skip("no daemon serves: see `daemon`") };
    let ports: Vec<u16> = patient.endpoints.iter().map(std::net::SocketAddr::port).collect();
    let look = || {
        let inodes = owners::inodes_of(process.pid);
        let rows: Vec<Row> = sockets::all()
            .into_iter()
            .filter(|row| row.kind == Kind::Udp && inodes.contains(&row.inode) && ports.contains(&row.local.port()))
            .collect();
        look_at(&rows, &diag::memory())
    };
    let Some(before) = look() else {
        return Finding::skip("its sockets cannot be seen: run it as root, on the node (hostPID) or in the pod");
    };
    tokio::time::sleep(BETWEEN).await;
    let Some(after) = look() else { return Finding::skip("its sockets have gone: it has just ended") };
    judge(before, after, patient.overview.as_ref().ok().map(|overview| overview.queries))
}

fn look_at(rows: &[Row], memory: &BTreeMap<u64, Memory>) -> Option<Look> {
    let memory = |row: &Row| memory.get(&row.inode);
    let queued = rows.iter().map(|row| memory(row).map_or(row.queued, |memory| memory.queued.into())).max()?;
    let room = rows.iter().filter_map(memory).map(|memory| u64::from(memory.room)).min();
    let drops = rows.iter().map(|row| memory(row).map_or(row.drops, |memory| u64::from(memory.drops).max(row.drops)));
    Some(Look { queued, room, drops: drops.sum() })
}

fn judge(before: Look, after: Look, queries: Option<u64>) -> Finding {
    let lost = after.drops.saturating_sub(before.drops);
    let half = after.room.unwrap_or(ROOM_MIN) / 2;
    if before.queued > half && after.queued > half {
        return Finding::fail(format!("{} octets of questions wait and are not read", after.queued), STANDS);
    }
    if lost > 0 {
        return Finding::fail(format!("{lost} questions were lost within a second: no room in the sockets"), LOSES);
    }
    if after.drops > queries.unwrap_or(0) / LOST_ONE_OF {
        return Finding::warn(
            format!("{} questions were lost since the start: no room in the sockets", after.drops),
            LOSES,
        );
    }
    match after.room {
        Some(room) if room < ROOM_MIN => Finding::warn(
            format!("room for {room} octets only in a socket"),
            "give the daemon NET_ADMIN, or: sysctl -w net.core.rmem_max=8388608",
        ),
        Some(room) => {
            Finding::ok(format!("room for {room} octets in each socket, nothing waits, {} lost", after.drops))
        }
        None => Finding::ok(format!("nothing waits, {} lost", after.drops)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn lost_waiting_or_well() {
        let of = |queued, room, drops| Look { queued, room, drops };
        let large = Some(16 << 20);
        for (before, after, queries, state) in [
            (of(0, large, 0), of(0, large, 0), None, State::Ok),
            (of(9 << 20, large, 0), of(9 << 20, large, 0), None, State::Fail),
            (of(9 << 20, large, 0), of(0, large, 0), None, State::Ok),
            (of(0, large, 5), of(0, large, 6), Some(u64::MAX), State::Fail),
            (of(0, large, 5), of(0, large, 5), None, State::Warn),
            (of(0, large, 5), of(0, large, 5), Some(1_000_000), State::Ok),
            (of(0, Some(4_096), 0), of(0, Some(4_096), 0), None, State::Warn),
            (of(0, None, 0), of(0, None, 0), None, State::Ok),
        ] {
            let found = judge(before, after, queries);
            assert_eq!(found.state, state, "{before:?} {after:?}: {}", found.reason);
        }
    }

    #[test]
    fn what_the_kernel_tells_goes_before_what_proc_shows() {
        let row =
            |inode, queued, drops| Row { kind: Kind::Udp, local: ([0, 0, 0, 0], 53).into(), queued, inode, drops };
        let memory = BTreeMap::from([(1, Memory { queued: 70, room: 100, drops: 3 })]);
        assert_eq!(look_at(&[], &memory), None);
        let look = look_at(&[row(1, 7, 3), row(2, 8, 4)], &memory).unwrap();
        assert_eq!(look, Look { queued: 70, room: Some(100), drops: 7 });
    }
}
