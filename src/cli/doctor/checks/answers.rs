//! `answers`: the daemon says what its upstream says.

use std::net::SocketAddr;

use futures_util::future::join_all;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use super::super::ask::{Over, Reply, ask, question};
use super::super::patient::Patient;
use super::super::second::{self, Opinion};
use super::super::upstreams::Upstream;
use super::super::verdict::Finding;
use super::{NOBODY, dig};

/// Zones that are compared.
const COMPARED_MAX: usize = 4;
/// Room for a reply, octets.
const ROOM: u16 = 1_232;
/// Extended DNS Errors that blame whoever was asked: no reachable authority, network error.
const OF_UPSTREAM: [u16; 2] = [22, 23];

/// Asks both.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(door) = patient.doors().first().copied() else {
        return Finding::skip("no address to ask the daemon at: see `address` and `corefile`");
    };
    let name = patient.flags.name.as_deref();
    let compared = patient.others().take(COMPARED_MAX).map(|upstream| one(door, upstream, name));
    Finding::worst(join_all(compared).await, NOBODY)
}

async fn one(door: SocketAddr, upstream: &Upstream, name: Option<&str>) -> Finding {
    let (name, rtype) = name.map_or((upstream.zone.as_str(), RecordType::NS), |name| (name, RecordType::A));
    let theirs = match second::ask(upstream.address, Over::Udp, name, rtype).await {
        Ok(theirs) => Ok(theirs),
        Err(_) => second::ask(upstream.address, Over::Tcp, name, rtype).await,
    };
    let Ok(theirs) = theirs else {
        return Finding::skip(format!("{} does not answer: see `upstreams`", upstream.address));
    };
    match of_daemon(door, name, rtype).await {
        Ok(ours) => judge(&format!("{name} {rtype}"), door, upstream.address, &ours, &theirs, rtype),
        Err(_) => Finding::skip(format!("{door} does not answer: see `daemon`")),
    }
}

async fn of_daemon(door: SocketAddr, name: &str, rtype: RecordType) -> Result<Reply, String> {
    let absolute = format!("{}.", name.trim_end_matches('.'));
    let question = question(&absolute, rtype, ROOM, false)?;
    let reply = ask(&question, door, Over::Udp).await?;
    match reply.message.metadata.truncation {
        true => ask(&question, door, Over::Tcp).await,
        false => Ok(reply),
    }
}

fn judge(what: &str, door: SocketAddr, at: SocketAddr, ours: &Reply, theirs: &Opinion, rtype: RecordType) -> Finding {
    let see = format!("nearpath explain {what}; {} {what}; {} {what}", dig(door), dig(at));
    let rcode = ours.rcode();
    if rcode == ResponseCode::ServFail && ours.errors().iter().any(|code| OF_UPSTREAM.contains(code)) {
        return Finding::skip(format!("{what}: the daemon says that its upstream does not answer: see `upstreams`"));
    }
    if rcode != theirs.rcode {
        let reason = format!("{what}: the daemon says {rcode}, {at} says {}", theirs.rcode);
        return match rcode {
            ResponseCode::ServFail => Finding::fail(reason, see),
            _ => Finding::warn(reason, see),
        };
    }
    let records = ours.records(rtype);
    match records == theirs.records {
        true => Finding::ok(format!("{what} is the same from the daemon and from {at}")),
        false => Finding::warn(
            format!("{what}: the daemon says {}, {at} says {}", records.join(" "), theirs.records.join(" ")),
            see,
        ),
    }
}
