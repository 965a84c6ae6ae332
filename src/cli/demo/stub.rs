//! A pod's stub resolver, as musl's is: it walks the search list and asks for A and AAAA at once at every step.
//!
//! ```text
//!   Stub::look_up --each candidate--> Step: A, AAAA --> node
//!        ^                              |
//!        '--------- NXDOMAIN -----------'   anything else ends the walk
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_server::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_server::proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::pods::{NDOTS, Pod};

/// How often a question is sent before it counts as unanswered: what musl does unless resolv.conf says otherwise.
const ATTEMPTS: u32 = 2;
/// The largest datagram: nobody here offers EDNS.
const DATAGRAM_MAX: usize = 512;
/// What a stub asks for when it wants any address.
const TYPES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// The resolver inside one pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stub {
    /// Who asks.
    pub(super) pod: Pod,
    /// The name server of its resolv.conf.
    pub(super) server: SocketAddr,
    /// How long one attempt waits.
    pub(super) attempt: Duration,
}

/// What became of one look-up.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    /// The names asked for, in order; never empty.
    pub(super) steps: Vec<Step>,
    /// From the first question to the last answer.
    pub(super) took: Duration,
}

/// One name asked for, A and AAAA.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Without the final dot.
    pub(super) name: String,
    /// What was answered.
    pub(super) outcome: Outcome,
    /// Datagrams sent.
    pub(super) questions: u32,
    /// From the first question to the last answer.
    pub(super) took: Duration,
}

/// The answers to A and AAAA together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Addresses, and the name they stand at if a CNAME leads there (no final dot).
    Found { canonical: Option<String>, addresses: Vec<IpAddr> },
    /// The name exists without addresses.
    NoData,
    /// NXDOMAIN: the search goes on.
    NoSuchName,
    /// Another RCODE.
    Failed(ResponseCode),
    /// Nothing came in time.
    Unanswered,
}

impl Lookup {
    /// Datagrams sent to the node.
    pub(super) fn questions(&self) -> u32 {
        self.steps.iter().map(|step| step.questions).sum()
    }

    /// What the program in the pod is told.
    pub(super) fn outcome(&self) -> &Outcome {
        &self.steps.last().expect("a look-up has a step").outcome
    }
}

impl Stub {
    /// musl's wait before it asks again.
    pub(super) const ATTEMPT: Duration = Duration::from_millis(2500);

    /// Looks a name up as `getaddrinfo` does. An error is one of this machine's sockets.
    pub(super) async fn look_up(&self, name: &str) -> io::Result<Lookup> {
        let began = Instant::now();
        let mut steps = Vec::new();
        for candidate in self.candidates(name) {
            let step = self.step(&candidate).await?;
            let goes_on = step.outcome == Outcome::NoSuchName;
            steps.push(step);
            if !goes_on {
                break;
            }
        }
        Ok(Lookup { steps, took: began.elapsed() })
    }

    /// The search list first, then the name itself; the name alone if it has dots enough or a final one.
    fn candidates(&self, name: &str) -> Vec<String> {
        let absolute = name.trim_end_matches('.').to_owned();
        if name.ends_with('.') || name.matches('.').count() >= NDOTS {
            return vec![absolute];
        }
        let searched = self.pod.search.iter().map(|domain| format!("{absolute}.{domain}"));
        searched.chain([absolute.clone()]).collect()
    }

    async fn step(&self, name: &str) -> io::Result<Step> {
        let began = Instant::now();
        let socket = UdpSocket::bind((self.pod.address, 0)).await?;
        let owner =
            Name::from_ascii(format!("{name}.")).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let asked = TYPES.map(|rtype| question(&owner, rtype));
        let mut replies: [Option<Message>; 2] = [None, None];
        let mut questions = 0;
        for _ in 0..ATTEMPTS {
            for (question, _) in asked.iter().zip(&replies).filter(|(_, reply)| reply.is_none()) {
                socket.send_to(&question.to_vec().map_err(io::Error::other)?, self.server).await?;
                questions += 1;
            }
            let until = tokio::time::Instant::now() + self.attempt;
            if let Ok(received) = timeout_at(until, self.receive(&socket, &asked, &mut replies)).await {
                received?;
                break;
            }
        }
        Ok(Step { name: name.to_owned(), outcome: judge(replies), questions, took: began.elapsed() })
    }

    /// Returns when both questions are answered. Whatever answers neither is not looked at further.
    async fn receive(
        &self,
        socket: &UdpSocket,
        asked: &[Message; 2],
        replies: &mut [Option<Message>; 2],
    ) -> io::Result<()> {
        let mut datagram = [0; DATAGRAM_MAX];
        while replies.iter().any(Option::is_none) {
            let (length, from) = match socket.recv_from(&mut datagram).await {
                Ok(received) => received,
                // nobody listens there (now): the same as no answer
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let Ok(message) = Message::from_vec(&datagram[..length]) else { continue };
            if from != self.server || message.metadata.message_type != MessageType::Response {
                continue;
            }
            let answers =
                |asked: &Message| message.metadata.id == asked.metadata.id && message.queries == asked.queries;
            if let Some(position) = asked.iter().position(answers) {
                replies[position] = Some(message);
            }
        }
        Ok(())
    }
}

fn question(name: &Name, rtype: RecordType) -> Message {
    let mut message = Message::query(); // with an id that cannot be foreseen
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), rtype));
    message
}

/// As musl judges: the first of the two replies that is missing or not NOERROR decides, else whether there are addresses.
fn judge(replies: [Option<Message>; 2]) -> Outcome {
    for reply in &replies {
        match reply.as_ref().map(|reply| reply.metadata.response_code) {
            None => return Outcome::Unanswered,
            Some(ResponseCode::NoError) => {}
            Some(ResponseCode::NXDomain) => return Outcome::NoSuchName,
            Some(wrong) => return Outcome::Failed(wrong),
        }
    }
    let records = || replies.iter().flatten().flat_map(|reply| reply.answers.iter().map(|record| &record.data));
    let addresses: Vec<IpAddr> = records().filter_map(RData::ip_addr).collect();
    if addresses.is_empty() {
        return Outcome::NoData;
    }
    let target = |data: &RData| match data {
        RData::CNAME(target) => Some(target.0.to_ascii().trim_end_matches('.').to_owned()),
        _ => None,
    };
    Outcome::Found { canonical: records().rev().find_map(target), addresses }
}

#[cfg(test)]
mod tests;
