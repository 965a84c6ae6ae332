//! Two stub resolvers as their sources have them: what they ask, in which order, and what they report.
//!
//! glibc: `__res_context_search` (resolv/res_query.c), the dropping of error replies in `send_dg` (resolv/res_send.c) and
//! `gaih_getanswer` (resolv/nss_dns/dns-host.c). musl 1.2.4: `name_from_dns_search`, `name_from_dns`
//! (src/network/lookup_name.c) and `__res_msend_rc` (src/network/res_msend.c).

use std::collections::BTreeSet;

use contract::wire::{Name, Rcode, RecordType, Section};
use contract::{Answer, Served};

/// What a program typed, and the resolv.conf that it is searched by.
#[derive(Clone, Debug)]
pub(crate) struct LookUp<'l> {
    pub(crate) typed: &'l Name,
    pub(crate) trailing_dot: bool,
    pub(crate) search: &'l [Name],
    pub(crate) ndots: usize,
    pub(crate) types: &'l [RecordType],
}

impl LookUp<'_> {
    pub(crate) fn dots(&self) -> usize {
        self.typed.label_count() - 1 + usize::from(self.trailing_dot)
    }

    /// The typed name below a domain; `None` if it is too long to be asked.
    pub(crate) fn below(&self, domain: &Name) -> Option<Name> {
        let labels = Name::strip(self.typed.as_wire(), Name::root().as_wire()).expect("the root encloses every name");
        Name::join(labels, domain)
    }
}

/// What the program gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Found { canonical: Name, records: BTreeSet<(u16, Vec<u8>)> },
    NotFound,
    TryAgain,
}

/// What a reply says to a stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) rcode: Rcode,
    pub(crate) answers: usize,
    pub(crate) canonical: Name,
    pub(crate) records: BTreeSet<(u16, Vec<u8>)>,
}

impl Told {
    pub(crate) fn new(asked: &Name, rtype: RecordType, served: &Served) -> Self {
        match served {
            Ok(reply) => Self::read(asked, rtype, &reply.answer),
            Err(failure) => {
                Self { rcode: failure.told().0, answers: 0, canonical: asked.clone(), records: BTreeSet::new() }
            }
        }
    }

    /// Follows the chain from the asked name, as stubs do: what hangs under another name is not theirs.
    fn read(asked: &Name, rtype: RecordType, answer: &Answer) -> Self {
        let message = answer.message();
        assert!(message.asks(asked, rtype, contract::wire::Class::IN), "a reply to another question");
        let mut canonical = asked.clone();
        let (mut answers, mut records) = (0, BTreeSet::new());
        for record in message.section(Section::Answer) {
            answers += 1;
            let owner = message.name(record.owner).unwrap();
            if record.rtype == RecordType::CNAME && owner == canonical {
                canonical = message.name(record.rdata).unwrap();
            } else if record.rtype == rtype && owner == canonical {
                records.insert((rtype.0, message.rdata(&record).to_vec()));
            }
        }
        Self { rcode: answer.rcode(), answers, canonical, records }
    }

    fn is_answered(&self) -> bool {
        matches!(self.rcode, Rcode::NOERROR | Rcode::NXDOMAIN)
    }
}

pub(crate) type Ask<'a> = dyn FnMut(&Name, RecordType) -> Told + 'a;

/// `h_errno` of one name's questions.
enum HostError {
    NotFound,
    NoData,
    /// SERVFAIL: the search goes on.
    ServFail,
    /// Every server answers with another error: the search ends.
    Unusable,
}

/// glibc: `getaddrinfo` for addresses, `res_search` for other types.
pub(crate) fn glibc(look_up: &LookUp<'_>, ask: &mut Ask<'_>) -> End {
    let query = |name: &Name, ask: &mut Ask<'_>| glibc_query(name, look_up.types, ask);
    let mut as_is_error = None;
    if look_up.dots() >= look_up.ndots || look_up.trailing_dot {
        match query(look_up.typed, ask) {
            Ok(end) => return end,
            Err(error) if look_up.trailing_dot => return glibc_end(&error),
            Err(error) => as_is_error = Some(error),
        }
    }
    let (mut no_data, mut serv_fail, mut root_on_list) = (false, false, false);
    let mut last = HostError::NotFound;
    for domain in look_up.search {
        root_on_list |= domain.is_root();
        // a name that is too long cannot be asked: NO_RECOVERY, which ends the search
        let Some(name) = look_up.below(domain) else { break };
        match query(&name, ask) {
            Ok(end) => return end,
            Err(error) => last = error,
        }
        match last {
            HostError::NotFound => {}
            HostError::NoData => no_data = true,
            HostError::ServFail => serv_fail = true,
            HostError::Unusable => break,
        }
    }
    if as_is_error.is_none() && !root_on_list {
        match query(look_up.typed, ask) {
            Ok(end) => return end,
            Err(error) => last = error,
        }
    }
    match as_is_error {
        Some(error) => glibc_end(&error),
        None if no_data => End::NotFound,
        None if serv_fail => End::TryAgain,
        None => glibc_end(&last),
    }
}

/// All types of one name together; error replies are dropped, and what is left counts.
fn glibc_query(name: &Name, types: &[RecordType], ask: &mut Ask<'_>) -> Result<End, HostError> {
    let all: Vec<Told> = types.iter().map(|rtype| ask(name, *rtype)).collect();
    let told: Vec<&Told> = all.iter().filter(|told| told.is_answered()).collect();
    let Some(first) = told.first() else {
        return Err(if all[0].rcode == Rcode::SERVFAIL { HostError::ServFail } else { HostError::Unusable });
    };
    let good: Vec<&&Told> = told.iter().filter(|told| told.rcode == Rcode::NOERROR && told.answers > 0).collect();
    if good.is_empty() {
        let last = told.last().expect("there is a first");
        let rcode = if first.rcode == Rcode::NOERROR { last.rcode } else { first.rcode };
        return Err(if rcode == Rcode::NXDOMAIN { HostError::NotFound } else { HostError::NoData });
    }
    let records: BTreeSet<_> = good.iter().flat_map(|told| told.records.clone()).collect();
    let canonical = good.iter().find(|told| !told.records.is_empty()).map(|told| told.canonical.clone());
    // a CNAME that leads to nothing is a success of the search all the same: it ends here
    Ok(canonical.map_or(End::NotFound, |canonical| End::Found { canonical, records }))
}

fn glibc_end(error: &HostError) -> End {
    match error {
        HostError::NotFound | HostError::NoData => End::NotFound,
        HostError::ServFail | HostError::Unusable => End::TryAgain,
    }
}

/// musl: `getaddrinfo`.
pub(crate) fn musl(look_up: &LookUp<'_>, ask: &mut Ask<'_>) -> End {
    if look_up.dots() < look_up.ndots && !look_up.trailing_dot {
        for domain in look_up.search {
            // below `.` the name would end with two dots, and too long a name does not fit: neither is asked
            let Some(name) = look_up.below(domain).filter(|_| !domain.is_root()) else { continue };
            if let Some(end) = musl_query(&name, look_up.types, ask) {
                return end;
            }
        }
    }
    musl_query(look_up.typed, look_up.types, ask).unwrap_or(End::NotFound)
}

/// All types of one name together; `None`: the next name.
fn musl_query(name: &Name, types: &[RecordType], ask: &mut Ask<'_>) -> Option<End> {
    let told: Vec<Told> = types.iter().map(|rtype| ask(name, *rtype)).collect();
    for told in &told {
        match told.rcode {
            Rcode::NOERROR => {}
            Rcode::NXDOMAIN => return None,
            _ => return Some(End::TryAgain), // others than SERVFAIL are not heard at all, until time is up
        }
    }
    let records: BTreeSet<_> = told.iter().flat_map(|told| told.records.clone()).collect();
    let canonical = told.iter().find(|told| !told.records.is_empty()).map(|told| told.canonical.clone());
    Some(canonical.map_or(End::NotFound, |canonical| End::Found { canonical, records }))
}
