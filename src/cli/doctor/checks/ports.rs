//! `port`: no other program has the port that pods ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::super::patient::Patient;
use super::super::system::owners::{self, Owner};
use super::super::system::sockets::{self, Row};
use super::super::verdict::Finding;

/// Looks at who has sockets there.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    if patient.endpoints.is_empty() {
        return Finding::skip("where it would serve is not known: see `corefile`");
    }
    let (rows, owners) = (sockets::all(), owners::all());
    if rows.iter().all(|row| !owners.contains_key(&row.inode)) && !rows.is_empty() {
        return Finding::skip(
            "whose sockets they are cannot be seen: run it as root, on the node (hostPID) or in the pod",
        );
    }
    judge(&rows, &owners, &patient.endpoints, &patient.pids)
}

fn judge(rows: &[Row], owners: &BTreeMap<u64, Owner>, endpoints: &[SocketAddr], ours: &[u32]) -> Finding {
    let is_ours = |row: &Row| owners.get(&row.inode).is_some_and(|owner| ours.contains(&owner.pid));
    let foreign = rows.iter().filter(|row| !is_ours(row));
    let findings = foreign.filter_map(|row| {
        let (ip, port) = (row.local.ip(), row.local.port());
        let as_wild = |ours: &SocketAddr| ours.port() == port && ours.ip().is_unspecified() && ip.is_unspecified();
        let takes = endpoints.contains(&row.local) || endpoints.iter().any(as_wild);
        let is_wild = ip.is_unspecified() && endpoints.iter().any(|ours| ours.port() == port);
        let who = match owners.get(&row.inode) {
            Some(owner) => format!("{} (process {})", owner.name, owner.pid),
            None => "a program that is not seen from here".to_owned(),
        };
        let what = format!("{who} has {:?} {}", row.kind, row.local);
        let stop = match owners.get(&row.inode) {
            Some(owner) => format!("stop it, or give it another address: ps -fp {}", owner.pid),
            None => format!("find and stop it: ss -lnpu 'sport = {port}'; ss -lnpt 'sport = {port}'"),
        };
        match (takes, is_wild) {
            (true, _) => Some(Finding::fail(what, stop)),
            (_, true) => Some(Finding::warn(format!("{what}, and keeps a daemon from starting"), stop)),
            _ => None,
        }
    });
    Finding::worst(findings.chain([Finding::ok("no other program has it")]), "")
}

#[cfg(test)]
mod tests {
    use super::super::super::system::sockets::Kind;
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn another_program_is_named() {
        let row =
            |local: &str, inode| Row { kind: Kind::Udp, local: local.parse().unwrap(), queued: 0, inode, drops: 0 };
        let owner = |pid, name: &str| Owner { pid, name: name.to_owned() };
        let owners = BTreeMap::from([(1, owner(7, "nearpath")), (2, owner(8, "dnsmasq"))]);
        let ours = ["169.254.20.10:53".parse().unwrap()];
        for (local, inode, state) in [
            ("169.254.20.10:53", 1, State::Ok),
            ("169.254.20.10:53", 2, State::Fail),
            ("169.254.20.10:53", 3, State::Fail),
            ("0.0.0.0:53", 2, State::Warn),
            ("127.0.0.53:53", 2, State::Ok),
            ("0.0.0.0:5353", 2, State::Ok),
        ] {
            let found = judge(&[row(local, inode)], &owners, &ours, &[7]);
            assert_eq!(found.state, state, "{local} {inode}: {}", found.reason);
        }
        let found = judge(&[row("127.0.0.53:53", 2)], &owners, &["[::]:53".parse().unwrap()], &[7]);
        assert_eq!(found.state, State::Ok, "an address of its own beside our wildcard");
        let found = judge(&[row("169.254.20.10:53", 2)], &owners, &ours, &[7]);
        assert!(found.reason.contains("dnsmasq (process 8)"), "{}", found.reason);
    }
}
