//! The directive `whoami`: tells each client its address, port and transport. For checking that a server answers, and
//! whose address it sees.

mod spec;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use contract::wire::{Composed, Composer, Flags, Full, Name, Rcode, RecordType, Section};
use contract::{Answer, Boxed, Next, Plugin, Query, Reply, Served, Source, Storing, Transport, What};

pub use spec::{WhoamiSpec, check};

/// The directive's name.
const NAME: &str = "whoami";

/// Answers every query itself; nothing behind it in the chain is reached.
#[derive(Debug)]
pub(crate) struct Whoami;

impl Plugin for Whoami {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        query.tell(|| What::Plugin { name: NAME, text: "tells the client its address".into() });
        let composed = compose(query).expect("a question and two records fit into a message");
        let reply = Reply::fresh(Answer::composed(composed, Rcode::NOERROR), Source::Plugin(NAME)).unstored();
        Box::pin(std::future::ready(Ok(reply)))
    }

    fn storing(&self) -> Storing {
        Storing::PerClient
    }
}

/// No answers; the client's address, and a SRV whose owner names the transport and whose port is the client's.
fn compose(query: &Query) -> Result<Composed, Full> {
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.flags(Flags::AA);
    match query.client.ip() {
        IpAddr::V4(ip) => composer.record(Section::Additional, &query.name, RecordType::A, 0, |to| {
            to.octets(&ip.octets());
        })?,
        IpAddr::V6(ip) => composer.record(Section::Additional, &query.name, RecordType::AAAA, 0, |to| {
            to.octets(&ip.octets());
        })?,
    }
    let label: &[u8] = match query.client.transport {
        Transport::Udp => b"\x04_udp",
        Transport::Tcp | Transport::Tls | Transport::Https => b"\x04_tcp",
    };
    // a name that leaves no room for one more label gets no SRV
    if let Some(owner) = Name::join(label, &query.name) {
        composer.record(Section::Additional, &owner, RecordType::SRV, 0, |to| {
            to.octets(&[0, 0, 0, 0]); // priority and weight
            to.octets(&query.client.address.port().to_be_bytes());
            to.rdata_name(&Name::root());
        })?;
    }
    Ok(composer.finish())
}
