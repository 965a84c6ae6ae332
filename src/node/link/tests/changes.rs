//! Changes of ours are noticed, those of others are not, and an overflow counts as one.

use super::*;

/// What is done to ours after it was made as a bridge.
const OURS: [&str; 6] = [
    "link set nodelocaldns down",
    "link set nodelocaldns up",
    "addr del 10.96.0.10/32 dev nodelocaldns",
    "link set nodelocaldns name elsewhere",
    "link del elsewhere",
    "addr add 169.254.20.10/32 dev lo",
];

/// Waits for a change; a bound on what would otherwise hang.
async fn next(changes: &mut Changes) -> bool {
    tokio::time::timeout(Duration::from_secs(10), changes.next()).await.is_ok()
}

#[test]
fn what_is_done_to_ours_is_noticed() {
    in_own_network("changes", || {
        ensure(&link(&[Kind::Bridge]));
        with_netlink(async |_| {
            let mut changes = Changes::watch(&[NAME], &own()).unwrap();
            for words in OURS {
                ip(words);
                assert!(next(&mut changes).await, "{words}");
            }
        });
    });
}

#[test]
fn what_others_do_is_not() {
    in_own_network("changes of others", || {
        with_netlink(async |_| {
            let mut changes = Changes::watch(&[NAME], &own()).unwrap();
            ip("link add pod type veth peer name other");
            ip("addr add 192.0.2.1/24 dev pod");
            ip("link del pod");
            ip("link add nodelocaldns type bridge");
            // whatever was told of the others came before
            assert!(next(&mut changes).await);
            let idle = tokio::time::timeout(Duration::from_millis(200), changes.next()).await;
            assert!(idle.is_err(), "what came together is one change");
        });
    });
}

#[test]
fn an_overflow_counts_as_a_change_and_is_got_over() {
    in_own_network("more changes than can be taken in", || {
        ip("link add pod type bridge");
        with_netlink(async |_| {
            let mut changes = Changes::watch(&[NAME], &own()).unwrap();
            let mut batch = String::new();
            for _ in 0..4_000 {
                batch.push_str("link set pod up\nlink set pod down\n");
            }
            let file = std::env::temp_dir().join(format!("nearpath-link-changes-{}", std::process::id()));
            std::fs::write(&file, batch).unwrap();
            ip(&format!("-batch {}", file.display()));
            std::fs::remove_file(file).unwrap();
            assert!(next(&mut changes).await, "none of it is ours, but some of what was lost may be");
            ip("link add nodelocaldns type bridge");
            assert!(next(&mut changes).await);
        });
    });
}
