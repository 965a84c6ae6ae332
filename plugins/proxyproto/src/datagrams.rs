//! What of a datagram is the message, and who sent it: the policy, the header and the sessions together.

use std::net::SocketAddr;

use contract::Moment;

use crate::header::{self, Header, Seen, Wrong, read_header};
use crate::shares::Shares;
use crate::spec::{Policy, ProxyprotoSpec};

/// Reads the datagrams of one listener, for all of its threads.
#[derive(Debug)]
pub struct Datagrams {
    spec: ProxyprotoSpec,
    /// Who was behind a sender before, where that is wanted.
    sessions: Option<Shares>,
}

impl Datagrams {
    /// For a listener with this directive.
    pub fn new(spec: ProxyprotoSpec) -> Self {
        let sessions = spec.tracking().map(|tracking| Shares::new(tracking.lasts, tracking.most));
        Self { spec, sessions }
    }

    /// The message and the client; `None` if it was a header alone, which is remembered. An error: it is to be dropped.
    pub fn read<'d>(
        &self,
        datagram: &'d [u8],
        sender: SocketAddr,
        now: Moment,
    ) -> Result<Option<(&'d [u8], SocketAddr)>, Wrong> {
        let policy = self.spec.policy(sender.ip());
        if policy == Policy::Skip {
            return Ok(Some((datagram, sender)));
        }
        let header = header_of(datagram)?;
        let message = &datagram[header.map_or(0, |header| header.length)..];
        match (policy, header) {
            (Policy::Reject, Some(_)) => Err(Wrong::Unwanted),
            (Policy::Use, Some(Header { told: Some(told), .. })) => {
                let Some(sessions) = &self.sessions else { return Ok(Some((message, told.source))) };
                sessions.note(sender, told.source, now);
                Ok((!message.is_empty()).then_some((message, told.source)))
            }
            (Policy::Use, None) => {
                let client = self.sessions.as_ref().and_then(|sessions| sessions.client(sender, now));
                Ok(Some((message, client.unwrap_or(sender))))
            }
            _ => Ok(Some((message, sender))),
        }
    }
}

/// The header of a datagram: version 2, and about datagrams unless the proxy speaks for itself.
fn header_of(datagram: &[u8]) -> Result<Option<Header>, Wrong> {
    match read_header(datagram)? {
        Seen::Header(header) if header.is_line => Err(Wrong::NotOfDatagram),
        Seen::Header(header) if header.is_of_datagram || header.is_local => Ok(Some(header)),
        Seen::Header(_) => Err(Wrong::NotOfDatagram),
        Seen::Part if header::is_signed(datagram) => Err(Wrong::Cut),
        Seen::Part | Seen::Nothing => Ok(None),
    }
}

#[cfg(test)]
mod tests;
