//! Whether anybody behind the daemon answers: asked by the daemon itself after its start, because questions of clients may be
//! long in coming, and readiness waits for it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::wire::{Class, Flags, Name, RecordType};
use contract::{Client, Query, Scope, Transport};

use crate::admin::Pending;
use crate::serve::entrance::Entrance;
use crate::serve::zones::Shared;

/// Nobody waits longer than this for the first word: then stale answers, and the failures of the others, are still better
/// than none.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two rounds of questions, and between two looks at whether somebody was answered.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Where our own questions come from.
const OURSELVES: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Asks every zone for its name servers until a question has got an answer, from whichever upstream, or time is over. Then
/// `pending` is dropped.
pub async fn hear(entrances: Vec<Entrance>, shared: Arc<Shared>, pending: Pending) {
    let zones: Vec<(usize, Name)> = entrances
        .iter()
        .enumerate()
        .flat_map(|(index, entrance)| entrance.zones().cloned().map(|zone| (index, zone)).collect::<Vec<_>>())
        .collect();
    let asking = async {
        loop {
            for (index, zone) in &zones {
                if shared.heard.load(Ordering::Relaxed) {
                    return;
                }
                let _ = entrances[*index].probe(question(zone.clone(), &shared)).await; // an answer sets the flag
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    };
    let clients = async {
        while !shared.heard.load(Ordering::Relaxed) {
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    };
    let heard = async {
        tokio::select! { () = asking => {}, () = clients => {} }
    };
    if tokio::time::timeout(PATIENCE, heard).await.is_err() {
        tracing::warn!("no upstream has answered within {} s; ready all the same", PATIENCE.as_secs());
    }
    drop(pending);
}

fn question(name: Name, shared: &Shared) -> Query {
    Query {
        name,
        rtype: RecordType::NS,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client { address: OURSELVES, local: OURSELVES, transport: Transport::Udp },
        edns: None,
        header: (rand::random(), Flags::RD),
        arrived: shared.clock.now(),
        reentries: 0,
        refresh: false,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    }
}
