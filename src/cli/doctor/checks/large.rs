//! `large answers`: datagrams of the sizes that are used arrive whole: path MTU and fragments on the way from upstreams.

use futures_util::future::{join_all, join3};
use hickory_resolver::proto::rr::RecordType;

use super::super::ask::{Over, Reply, ask, question};
use super::super::patient::Patient;
use super::super::upstreams::Upstream;
use super::super::verdict::Finding;
use super::NOBODY;

/// Upstreams that are asked.
const ASKED_MAX: usize = 4;
/// What we ask for (RFC 9715), and what older stubs ask for, octets.
const USUAL: u16 = 1_232;
const OLD: u16 = 4_096;
/// What fits any way (RFC 1035): an answer of this size is not lost for its size.
const SMALL: usize = 512;
/// A smaller answer would come through any tunnel: that it arrives proves nothing.
const PROVES: usize = 1_200;
/// Less is a link that IPv6 does not know, where a reply of [`USUAL`] octets needs fragments.
const MTU_MIN: u32 = 1_280;

/// Asks for something large in three ways.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let (name, rtype) = match &patient.flags.large_name {
        Some(name) => (format!("{}.", name.trim_end_matches('.')), RecordType::TXT),
        None => (".".to_owned(), RecordType::DNSKEY),
    };
    let asked = patient.others().take(ASKED_MAX).map(|upstream| one(upstream, &name, rtype));
    Finding::worst(join_all(asked).await, NOBODY)
}

async fn one(upstream: &Upstream, name: &str, rtype: RecordType) -> Finding {
    let at = upstream.address;
    let with_room = |room| question(name, rtype, room, true);
    let (Ok(usual), Ok(old), Ok(small)) =
        (with_room(USUAL), with_room(OLD), question(&absolute(&upstream.zone), RecordType::NS, USUAL, false))
    else {
        return Finding::skip(format!("{name} is no name that can be asked for"));
    };
    let (usual, old, stream) =
        join3(ask(&usual, at, Over::Udp), ask(&old, at, Over::Udp), ask(&old, at, Over::Tcp)).await;
    // is it the size, or does nothing come at all?
    let none_by_udp = usual.is_err() && old.is_err();
    if none_by_udp && ask(&small, at, Over::Udp).await.is_err() {
        return Finding::skip(format!("{at} does not answer over UDP: see `upstreams`"));
    }
    judge(at, &usual, &old, &stream)
}

fn absolute(zone: &str) -> String {
    format!("{}.", zone.trim_end_matches('.'))
}

type Came = Result<Reply, String>;

fn judge(at: std::net::SocketAddr, usual: &Came, old: &Came, stream: &Came) -> Finding {
    let ip = at.ip();
    let way = format!(
        "look for a link with a small MTU and a filter of fragments or ICMP: tracepath {ip}; ip link; nft list ruleset"
    );
    let size = |came: &Came| came.as_ref().map_or(0, |reply| reply.size);
    let is_large = size(stream) > SMALL;
    match (usual, old) {
        (Err(_), _) | (_, Err(_)) if !is_large => {
            Finding::skip(format!("{at} gives no large answer to be looked at: name one by --large-name"))
        }
        (Err(_), _) => Finding::fail(
            format!("answers of up to {USUAL} octets do not arrive from {at} by UDP; small ones do"),
            format!("write `force_tcp` in its `forward`, or {way}"),
        ),
        (Ok(_), Err(_)) => Finding::warn(
            format!(
                "answers in fragments do not arrive from {at}: {} octets were asked for; the daemon asks for {USUAL}, others may not",
                size(stream)
            ),
            way,
        ),
        (Ok(usual), Ok(_)) => {
            let largest = size(old).max(usual.size);
            match usual.mtu {
                Some(mtu) if mtu < MTU_MIN => Finding::warn(format!("the path MTU to {at} is {mtu} only"), way),
                _ if largest < PROVES => Finding::skip(format!(
                    "the largest answer of {at} has {largest} octets, which proves nothing: name a TXT of more than {PROVES} by --large-name"
                )),
                Some(mtu) => Finding::ok(format!("{largest} octets came from {at} by UDP; path MTU {mtu}")),
                None => Finding::ok(format!("{largest} octets came from {at} by UDP")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::Message;

    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn only_what_is_large_is_lost_for_its_size() {
        let came = |size, mtu| Ok(Reply { message: Message::query(), size, mtu });
        let lost = || Err("no reply".to_owned());
        for (usual, old, stream, state) in [
            (came(1_100, Some(1_500)), came(1_600, Some(1_500)), came(1_600, None), State::Ok),
            (came(1_100, None), came(1_600, None), came(1_600, None), State::Ok),
            (came(28, Some(1_500)), came(28, Some(1_500)), came(28, None), State::Skip),
            (came(28, None), came(1_199, None), came(1_199, None), State::Skip),
            (came(28, None), came(1_200, None), came(1_200, None), State::Ok),
            (came(1_100, Some(700)), came(1_100, Some(700)), came(1_100, None), State::Warn),
            (came(1_100, Some(1_500)), lost(), came(1_600, None), State::Warn),
            (lost(), lost(), came(1_600, None), State::Fail),
            (lost(), lost(), came(78, None), State::Skip),
            (lost(), lost(), lost(), State::Skip),
        ] {
            let found = judge("10.0.0.1:53".parse().unwrap(), &usual, &old, &stream);
            assert_eq!(found.state, state, "{usual:?} {old:?} {stream:?}: {}", found.reason);
            assert!(state != State::Skip || found.reason.contains("--large-name"), "{}", found.reason);
        }
    }
}
