//! Why a name gets the answer that it gets, as it is told: who asks, the block, the walk, each step, the reply.
//!
//! ```text
//!   Wish --whose--> client, search list --Entrance::why--> Why --> Explained
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use contract::limits::MESSAGE_MAX;
use contract::wire::{Ede, ede};
use contract::{
    Asker, Client, Plain, Query, Recall, Recalled, Reply, Resident, Source, Standing, Step, Transport, What,
};
use hickory_resolver::proto::op::Message;

use super::api::{Asked, ClientAs, Explained, StepTold, Told, Walked};
use super::door::{Refused, Whose, Wish};
use crate::serve::block::Block;
use crate::serve::entrance::Entrance;
use crate::serve::why::{Typed, Who, Why};
use crate::wiring::DIRECTIVES;

/// Asks the server blocks of one listener what somebody would get, and tells how it came about. Of several listeners it is the
/// first that knows whoever it is about, else the first.
///
/// # Errors
/// Nobody is known of whom it is asked.
pub async fn explained(entrances: &[Entrance], wish: &Wish) -> Result<Explained, Refused> {
    let (entrance, ip, who) = found(entrances, &wish.whose)?;
    let client = Client {
        address: SocketAddr::new(ip.unwrap_or(Ipv4Addr::LOCALHOST.into()), 0),
        local: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53),
        transport: Transport::Udp,
    };
    let typed =
        Typed { name: wish.name.clone(), rtype: wish.rtype, is_absolute: wish.is_absolute, dnssec_ok: wish.dnssec_ok };
    let why = entrance.why(client, who, &typed).await;
    Ok(told(entrance, ip, &why))
}

/// Whom it is about.
fn found<'e>(entrances: &'e [Entrance], whose: &Whose) -> Result<(&'e Entrance, Option<IpAddr>, Who), Refused> {
    let indexes = || entrances.iter().flat_map(|entrance| entrance.0.indexes().map(move |index| (entrance, index)));
    let first = || entrances.first().ok_or_else(|| Refused::busy("no server block is served at this moment"));
    let with_autopath = || indexes().next().map(|(entrance, _)| entrance).map_or_else(first, Ok);
    match whose {
        Whose::Nobody => Ok((with_autopath()?, None, Who::Itself)),
        Whose::Ip(ip) => {
            let known = indexes().find(|(_, index)| index.at(*ip, |_| ()).is_ok()).map(|(entrance, _)| entrance);
            Ok((known.map_or_else(with_autopath, Ok)?, Some(*ip), Who::Itself))
        }
        Whose::Pod(pod) => {
            let at = indexes().find_map(|(entrance, index)| Some((entrance, *index.addresses_of(pod).first()?)));
            let unknown = || {
                let hint = "`nearpath explain` with --ip or --search does without";
                Refused::unknown(&format!("no pod '{pod}' with an address of its own is known on this node; {hint}"))
            };
            let (entrance, ip) = at.ok_or_else(unknown)?;
            Ok((entrance, Some(ip), Who::Itself))
        }
        Whose::Search { domains, ndots } => {
            let entrance = with_autopath()?;
            let list = entrance.0.shared().lists.intern(domains);
            Ok((entrance, None, Who::List(Resident { pod: None, list, ndots: *ndots })))
        }
    }
}

fn told(entrance: &Entrance, ip: Option<IpAddr>, why: &Why) -> Explained {
    let (steps, left_out) = why.story.steps();
    let standings: Vec<Standing> = {
        let plugins = entrance.blocks().flat_map(|block| block.chain.iter());
        plugins.flat_map(|plugin| plugin.standings()).collect()
    };
    let walk = why.walk().into_iter().map(|one| Walked {
        position: one.position,
        of: one.of,
        name: one.name.to_string(),
        result: one.result,
    });
    Explained {
        asked: Asked { name: why.query.name.to_string(), rtype: why.query.rtype.to_string() },
        client: client(ip, why),
        block: why.block.as_ref().map(|block| block.label()).unwrap_or_default(),
        chain: why.block.as_ref().map(|block| chain(block)).unwrap_or_default(),
        walk: walk.collect(),
        steps: steps.iter().map(|one| step(one, &standings)).collect(),
        left_out,
        reply: reply(why),
    }
}

fn chain(block: &Block) -> Vec<String> {
    let mut names: Vec<String> = block.chain.iter().map(|plugin| plugin.name().to_owned()).collect();
    if block.store.is_some() {
        // a setting of the block's, which stands in the way of a query all the same
        let place = |name: &str| DIRECTIVES.iter().position(|row| row.name == name);
        let at = names.iter().position(|name| place(name) > place("cache")).unwrap_or(names.len());
        names.insert(at, "cache".to_owned());
    }
    names
}

fn client(ip: Option<IpAddr>, why: &Why) -> ClientAs {
    let resident = why.resident.as_ref();
    let list = resident.map(|resident| resident.list.domains.iter().map(ToString::to_string).collect());
    ClientAs {
        ip: ip.map(|ip| ip.to_string()),
        pod: resident.and_then(|resident| resident.pod.as_deref()).map(str::to_owned),
        search: list.unwrap_or_default(),
        ndots: resident.map_or(0, |resident| resident.ndots),
        plain: why.plain.or(why.absent).as_ref().map(Plain::to_string),
    }
}

fn step(step: &Step, standings: &[Standing]) -> StepTold {
    let (kind, text) = match &step.what {
        What::Block { zones } => ("block", zones.clone()),
        What::Gate { verdict } => ("gate", format!("acl says {}", format!("{verdict:?}").to_lowercase())),
        What::Remembered(recall) => ("memory", remembered(recall)),
        What::Coalesced => ("coalesced", "somebody else asked the same, and was waited for".to_owned()),
        What::Plugin { name, text } => ("plugin", format!("{name}: {text}")),
        What::Candidate { position, of, name, result } => ("candidate", format!("{position} of {of}: {name} {result}")),
        What::Asked { upstream, protocol, hedge, outcome } => {
            let hedge = if *hedge { ", because another one was slow" } else { "" };
            let outcome = match outcome {
                Ok(rcode) => format!("said {rcode}"),
                Err(reason) => format!("no answer: {reason}"),
            };
            ("upstream", format!("{protocol} {upstream}{hedge}: {outcome}{}", standing(standings, *upstream)))
        }
    };
    StepTold {
        name: step.name.to_string(),
        rtype: step.rtype.to_string(),
        depth: step.depth,
        begun_s: step.begun.as_secs_f64(),
        took_s: step.took.as_secs_f64(),
        kind: kind.to_owned(),
        text,
    }
}

/// How whoever was asked is doing.
fn standing(standings: &[Standing], upstream: SocketAddr) -> String {
    let Some(standing) = standings.iter().find(|standing| standing.address == upstream) else { return String::new() };
    let mut text = if standing.is_up { "; up" } else { "; down" }.to_owned();
    if let Some(since) = standing.since {
        text.push_str(&format!(" for {} s", since.as_secs()));
    }
    if let Some(usual) = standing.round_trip {
        text.push_str(&format!(", usually {}", milliseconds(usual)));
    }
    text
}

fn remembered(recall: &Recall) -> String {
    let what = match recall.state {
        Recalled::Fresh => "told",
        Recalled::Stale => "told past its end",
        Recalled::Kept => "past its end; upstream is asked first",
        Recalled::Failed => "a failure that is not asked for again yet",
    };
    let from = match recall.source {
        Source::Store => String::new(),
        Source::Upstream(address) => format!(", from {address}"),
        Source::Plugin(name) => format!(", made by {name}"),
    };
    let (age, life) = (recall.age.as_secs(), recall.life.as_secs());
    // of whole seconds, so that age and rest are the whole
    format!("{what}: {age} s of {life}, {} s left{from}", life.saturating_sub(age))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", 1e3 * time.as_secs_f64())
}

fn reply(why: &Why) -> Told {
    let (rcode, records, ede) = match &why.served {
        Ok(reply) => (reply.answer.rcode(), records(&why.query, reply), ede_of(reply)),
        Err(failure) => {
            let (rcode, ede) = failure.told();
            (rcode, Vec::new(), Some(text(&ede)))
        }
    };
    Told {
        rcode: rcode.to_string(),
        records,
        ede: ede.into_iter().collect(),
        took_s: why.took.as_secs_f64(),
        way: why.way(),
    }
}

fn ede_of(reply: &Reply) -> Option<String> {
    let own = reply.ede.as_ref().or(reply.answer.ede()).map(text);
    own.or_else(|| reply.is_stale().then(|| text(&Ede::new(ede::STALE_ANSWER, "past its end"))))
}

fn text(ede: &Ede) -> String {
    format!("{}: {}", ede.code, ede.text)
}

/// The records of answer and authority with the TTLs that a client would see, in the form of zone files.
fn records(query: &Query, reply: &Reply) -> Vec<String> {
    let question = [query.name.as_wire(), &query.rtype.0.to_be_bytes(), &query.class.0.to_be_bytes()].concat();
    let mut out = vec![0; MESSAGE_MAX];
    let asker = Asker { id: 0, flags: 0, question: &question, edns: None, nsid: None, way: None, limit: MESSAGE_MAX };
    let length = reply.answer.write(&asker, reply.age, None, &mut out);
    match Message::from_vec(&out[..length]) {
        Ok(message) => message.answers.iter().chain(&message.authorities).map(ToString::to_string).collect(),
        Err(error) => vec![format!("; {length} octets that cannot be shown: {error}")],
    }
}
