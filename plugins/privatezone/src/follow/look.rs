//! A look at one name: what memory has, and then what the zone's resolver says.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use contract::wire::{Class, Flags, Name, RecordType, ede};
use contract::{Blocks, Client, Clock, Query, Reply, Scope, Served, Transport};

use super::data::View;
use super::pursuit::{Look, Seen};
use super::pursuits::is_wildcard;

/// Where our own questions come from.
const OURSELVES: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
/// DO and CD: what one resolver says is memorised for each on its own.
const VARIANTS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// True if memory has one of these types of the name, so that somebody here has asked for it.
pub(super) fn is_remembered(blocks: &dyn Blocks, clock: &dyn Clock, name: &Name, types: &[RecordType]) -> bool {
    types.iter().any(|rtype| variants(name, *rtype, clock).any(|query| blocks.remembered(&query).is_some()))
}

/// Asks for each type that memory has, one after the other; in all types for a wildcard, as memory has the names below it, and
/// where answers rest on the name (`is_linked`).
pub(super) async fn look(
    blocks: &dyn Blocks,
    clock: &dyn Clock,
    name: Name,
    types: Vec<RecordType>,
    is_linked: bool,
) -> (Name, Look) {
    let mut look = Look { began: clock.now(), is_linked, types: Vec::with_capacity(types.len()) };
    for rtype in types {
        let known: Vec<Reply> =
            variants(&name, rtype, clock).filter_map(|query| Some(blocks.remembered(&query)?.reply)).collect();
        let memory = match (is_wildcard(&name), known.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) if !is_linked => continue,
            (false, _) => known.iter().filter_map(|reply| View::of(&reply.answer, &name, rtype)).collect(),
        };
        let served = blocks.renew(question(&name, rtype, clock)).await;
        look.types.push(Seen { rtype, memory, shown: news(&served, &name, rtype) });
    }
    (name, look)
}

/// What the resolver says; `None` if it failed, or if somebody else speaks in its place: an answer past its end, one that is kept
/// for a name that has vanished, one that was made.
fn news(served: &Served, name: &Name, rtype: RecordType) -> Option<View> {
    let reply = served.as_ref().ok().filter(|reply| !reply.is_stale())?;
    let in_place = [ede::STALE_ANSWER, ede::STALE_NXDOMAIN, ede::SYNTHESIZED];
    let mut said = [reply.ede.as_ref(), reply.answer.ede()].into_iter().flatten();
    if said.any(|one| in_place.contains(&one.code)) {
        return None;
    }
    View::of(&reply.answer, name, rtype)
}

fn variants(name: &Name, rtype: RecordType, clock: &dyn Clock) -> impl Iterator<Item = Query> {
    let plain = question(name, rtype, clock);
    VARIANTS.into_iter().map(move |(dnssec_ok, checking_disabled)| Query {
        dnssec_ok,
        checking_disabled,
        ..plain.clone()
    })
}

fn question(name: &Name, rtype: RecordType, clock: &dyn Clock) -> Query {
    Query {
        name: name.clone(),
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client { address: OURSELVES, local: OURSELVES, transport: Transport::Udp },
        edns: None,
        header: (0, Flags::RD),
        arrived: clock.now(),
        reentries: 0,
        refresh: true,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    }
}

#[cfg(test)]
mod tests {
    use contract::Source;
    use contract::wire::Ede;

    use super::*;
    use crate::follow::tests::world::{answer, name};

    #[test]
    fn who_speaks_in_the_zone_s_place_brings_no_news() {
        let asked = name("www.corp.example");
        let said = || answer(&asked, RecordType::A, &[(RecordType::A, "192.0.2.1")], true);
        let is_news = |reply: Reply| news(&Ok(reply), &asked, RecordType::A).is_some();
        let source = Source::Upstream("192.0.2.53:53".parse().unwrap());
        assert!(is_news(Reply::fresh(said(), source)));
        for (code, expected) in [(3, false), (19, false), (29, false), (4, true), (0, true)] {
            let one = Ede::new(code, "told");
            assert_eq!(is_news(Reply::fresh(said().with_ede(one.clone()), source)), expected, "{code} of the answer");
            let told = Reply { ede: Some(one.clone()), ..Reply::fresh(said(), source) };
            assert_eq!(is_news(told), expected, "{code} of the reply");
            let both = Reply { ede: Some(Ede::new(0, "other")), ..Reply::fresh(said().with_ede(one), source) };
            assert_eq!(is_news(both), expected, "{code} of the answer beside another one");
        }
        assert!(!is_news(Reply { age: contract::Age::Stale, ..Reply::fresh(said(), source) }));
    }
}
