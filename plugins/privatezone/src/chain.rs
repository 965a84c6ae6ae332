//! CNAMEs that lead out of a private zone: where a chain has to be followed, and how the rest is joined to it. The zone's own
//! servers follow a chain only inside of what they serve.

use std::sync::Arc;

use contract::limits::{self, CHASED_LINKS_MAX};
use contract::told;
use contract::wire::{Composer, Ede, Name, Rcode, RecordType, Section, ede};
use contract::{Age, Answer, Bound, Decided, Failure, Query, Reply, Served, Source};

/// A CNAME of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) owner: Name,
    pub(crate) target: Name,
}

/// The chain of an answer, from QNAME on. An error if it comes back to a name that was passed, or is longer than may be.
pub(crate) fn links(query: &Query, answer: &Answer) -> Result<Vec<Link>, Failure> {
    let mut links: Vec<Link> = Vec::new();
    if matches!(query.rtype, RecordType::CNAME | RecordType::ANY) {
        return Ok(links);
    }
    let message = answer.message();
    let passed = query.chased.as_deref().unwrap_or_default();
    let mut at = query.name.clone();
    loop {
        let here = message.section(Section::Answer).find(|record| {
            record.rtype == RecordType::CNAME && message.name(record.owner).is_some_and(|owner| owner == at)
        });
        let Some(target) = here.and_then(|record| message.name(record.rdata)) else { return Ok(links) };
        let owner = std::mem::replace(&mut at, target.clone());
        links.push(Link { owner, target });
        if passed.contains(&at) || links.iter().any(|link| link.owner == at) {
            return Err(Failure::CnameLoop { at: at.to_string() });
        }
        if passed.len() + links.len() > CHASED_LINKS_MAX {
            return Err(Failure::CnameTooLong { most: CHASED_LINKS_MAX });
        }
    }
}

/// Whom the target of a CNAME belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The zone that was asked.
    Here,
    /// Another private zone.
    Private,
    /// Another server block that the configuration names, such as the cluster's.
    Block,
    /// The rest of the world.
    Outside,
}

/// Tells whose a name is, and whether two names enter the same server block.
pub(crate) trait Places: Sync {
    fn place(&self, name: &Name) -> Place;

    fn is_same_block(&self, one: &Name, other: &Name) -> bool;
}

/// The link behind which the chain has to be followed by us, among those from `known` on; `None`: the answer is whole. The links
/// before `known` were followed by us already, and what stands behind them is the word of whoever answers for the last target.
pub(crate) fn open_end(answer: &Answer, links: &[Link], known: usize, places: &dyn Places) -> Option<usize> {
    match known.checked_sub(1) {
        None => open_end_of_zone(answer, links, places),
        Some(last) => {
            let by = &links[last].target;
            let is_anothers = |target: &Name| match places.place(target) {
                Place::Here | Place::Private => true,
                Place::Block => !places.is_same_block(by, target),
                Place::Outside => false,
            };
            links.iter().skip(known).position(|link| is_anothers(&link.target)).map(|at| known + at)
        }
    }
}

/// The same for what the zone's own server said: nobody else is to be believed about a target that another zone of ours has, and
/// one that lies outside is followed unless the server came to records there.
fn open_end_of_zone(answer: &Answer, links: &[Link], places: &dyn Places) -> Option<usize> {
    let leaves = links.iter().position(|link| places.place(&link.target) != Place::Here);
    let Some(leaves) = leaves else {
        // a denial from inside the zone has its SOA; without one nobody has looked behind the last link
        let is_open = answer.is_nodata() && answer.negative_ttl().is_none();
        return is_open.then(|| links.len().checked_sub(1)).flatten();
    };
    let is_ours = |target: &Name| matches!(places.place(target), Place::Private | Place::Block);
    let back = |at: usize, target: &Name| at > leaves && places.place(target) == Place::Here;
    let ours =
        links.iter().enumerate().skip(leaves).find(|(at, link)| is_ours(&link.target) || back(*at, &link.target));
    ours.map(|(at, _)| at).or_else(|| answer.is_negative().then_some(leaves))
}

/// The links up to an open end, and what was found behind it: one answer to the query. TTLs of the links are made of `ttl`.
pub(crate) fn join(query: &Query, answer: &Answer, links: &[Link], rest: &Reply, ttl: impl Fn(u32) -> u32) -> Served {
    let rcode = rest.answer.rcode();
    let target = &links.last().expect("an open end stands behind a link").target;
    if !matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN) {
        let told = rest.ede.as_ref().or(rest.answer.ede());
        let (code, more) = told.map_or((ede::OTHER, String::new()), |ede| (ede.code, format!(", {}", ede.text)));
        let facts = [("target", target.to_string()), ("rcode", rcode.to_string()), ("more", more)];
        let failed = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL)
            .with_ede(Ede { code, ..told::CNAME_FAILED.with(&facts) });
        return Ok(Reply::fresh(failed, Source::Plugin("privatezone")).unstored());
    }
    let passed = query.chased.as_ref().map_or(0, |names| names.len());
    let (first, then) = (answer.message(), rest.answer.message());
    let more = then.section(Section::Answer).filter(|record| record.rtype == RecordType::CNAME).count();
    if passed + links.len() + more > CHASED_LINKS_MAX {
        return Err(Failure::CnameTooLong { most: CHASED_LINKS_MAX });
    }
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.rcode(rcode);
    let is_link = |owner: &Name, rtype| match rtype {
        RecordType::DNAME => links.iter().any(|link| owner.encloses(&link.owner)),
        _ => links.iter().any(|link| link.owner == *owner),
    };
    let mut copy = || {
        for record in first.section(Section::Answer) {
            if first.name(record.owner).is_some_and(|owner| is_link(&owner, record.rtype)) {
                composer.copy(&first, &record, ttl(record.ttl))?;
            }
        }
        for record in then.records().flatten().filter(|record| record.rtype != RecordType::OPT) {
            composer.copy(&then, &record, aged(rest.age, record.ttl))?;
        }
        Ok::<(), contract::wire::Full>(())
    };
    if copy().is_err() {
        return Err(Bound::MessageSize.reached());
    }
    let whole = Answer::composed(composer.finish(), rcode);
    // what was made up stays so, whoever answered for the rest
    let made = answer.ede().filter(|ede| ede.code == ede::SYNTHESIZED);
    let whole = match made.or(rest.ede.as_ref()).or(rest.answer.ede()) {
        Some(ede) => whole.with_ede(ede.clone()),
        None => whole,
    };
    Ok(Reply {
        answer: Arc::new(whole),
        age: if rest.is_stale() { rest.age } else { Age::Fresh(0) },
        lifetime: rest.true_for(),
        storable: rest.storable,
        personal: rest.personal,
        source: rest.source,
        decided: Decided::NoSearch,
        ede: None,
    })
}

/// What is left of a record's TTL, seconds.
fn aged(age: Age, ttl: u32) -> u32 {
    match age {
        Age::Fresh(seconds) => ttl.saturating_sub(seconds),
        Age::Stale => limits::STALE_TTL,
        Age::StaleWith(seconds) => seconds,
        Age::Kept => ttl,
    }
}
