//! What `proxyproto` says: whose headers count, and what becomes of those of others.

use std::net::IpAddr;
use std::time::Duration;

use contract::corefile::reader::repeated;
use contract::corefile::{Reader, Report, Statement, no_body, unknown_property, value};
use contract::limits::{PROXY_SESSIONS, PROXY_SESSIONS_MAX};
use contract::wire::Name;

/// What becomes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The client is whom it tells of.
    Use,
    /// It is passed over.
    Ignore,
    /// The connection is closed, the datagram dropped.
    Reject,
    /// Nobody looks for one: what comes is the message.
    Skip,
}

/// Datagrams without a header come from whom the last header of their sender told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// How long after the last one; longer than nothing.
    pub lasts: Duration,
    /// Senders at once, at least 1.
    pub most: usize,
}

/// A checked `proxyproto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyprotoSpec {
    /// Prefixes with their length in bits: headers from there are used. Empty: nothing is said.
    pub allow: Vec<(IpAddr, u8)>,
    /// For all others; `None`: nothing is said.
    pub default: Option<Policy>,
    /// How long a datagram's header holds for its sender; nothing turns it off. `None`: nothing is said.
    pub lasts: Option<Duration>,
    /// Of so many senders at once, at least 1; `None`: nothing is said.
    pub senders: Option<usize>,
}

/// Reads `proxyproto { allow CIDR...; default POLICY; udp_session_tracking DURATION [MAX] }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ProxyprotoSpec> {
    let before = report.errors();
    let mut spec = ProxyprotoSpec::default();
    statement.reader(report).finish();
    for property in statement.properties() {
        no_body(property, report);
        match property.name.as_str() {
            "allow" => spec.allow.extend(property.reader(report).values("a prefix such as `10.0.0.0/8`", prefix)),
            "default" if !repeated(statement, property, report) => {
                let mut reader = property.reader(report);
                spec.default = reader.value("`use`, `ignore`, `reject` or `skip`", policy);
                reader.finish();
            }
            "udp_session_tracking" if !repeated(statement, property, report) => {
                (spec.lasts, spec.senders) = check_tracking(property.reader(report));
            }
            "default" | "udp_session_tracking" => {}
            _ => unknown_property(property, &["allow", "default", "udp_session_tracking"], report),
        }
    }
    (report.errors() == before).then_some(spec)
}

fn check_tracking(mut reader: Reader<'_, '_>) -> (Option<Duration>, Option<usize>) {
    let lasts = reader.value("a duration such as `28s`", value::duration);
    let most = reader.optional_value("a number of senders from 1 to 1000000", senders);
    reader.finish();
    (lasts, most)
}

fn senders(text: &str) -> Result<usize, String> {
    // Go's numbers may have a plus
    let digits = text.strip_prefix('+').filter(|digits| !digits.starts_with('-')).unwrap_or(text);
    value::number_in(1..=PROXY_SESSIONS_MAX)(digits)
}

/// A prefix with its length; that of an IPv4 address within IPv6 is the IPv4 one, since clients are told so.
fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    if !text.contains('/') {
        return Err("no length, as in `/32`".to_owned());
    }
    let (ip, bits) = value::prefix(text)?;
    Ok(match (ip, ip.to_canonical()) {
        (IpAddr::V6(_), v4 @ IpAddr::V4(_)) => (v4, bits - 96),
        _ => (ip, bits),
    })
}

fn policy(text: &str) -> Result<Policy, String> {
    match text.to_lowercase().as_str() {
        "use" => Ok(Policy::Use),
        "ignore" => Ok(Policy::Ignore),
        "reject" => Ok(Policy::Reject),
        "skip" => Ok(Policy::Skip),
        _ => Err("no such policy".to_owned()),
    }
}

impl ProxyprotoSpec {
    /// Two statements of a server block are one.
    pub fn then(mut self, next: Self) -> Self {
        self.allow.extend(next.allow);
        let (lasts, senders) = (next.lasts.or(self.lasts), next.senders.or(self.senders));
        Self { default: next.default.or(self.default), lasts, senders, ..self }
    }

    /// What counts at an address that a later server block shares, which has the directive too: its word on whose headers count,
    /// whole, and of the sessions what it sets. It cannot turn them off.
    pub fn beside(self, later: Self) -> Self {
        let lasts = later.lasts.filter(|lasts| *lasts > Duration::ZERO).or(self.lasts);
        Self { lasts, senders: later.senders.or(self.senders), ..later }
    }

    /// What holds for datagrams without a header, if anything does.
    pub fn tracking(&self) -> Option<Tracking> {
        let lasts = self.lasts.filter(|lasts| *lasts > Duration::ZERO)?;
        Some(Tracking { lasts, most: self.senders.unwrap_or(PROXY_SESSIONS) })
    }

    /// What becomes of headers from this sender.
    pub fn policy(&self, sender: IpAddr) -> Policy {
        let sender = sender.to_canonical();
        if self.allow.is_empty() {
            return self.default.unwrap_or(Policy::Use);
        }
        match self.allow.iter().any(|prefix| contains(*prefix, sender)) {
            true => Policy::Use,
            false => self.default.unwrap_or(Policy::Ignore),
        }
    }

    /// One line in plain words.
    pub fn describe(&self) -> String {
        let prefixes: Vec<String> = self.allow.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
        let others = |policy| match policy {
            Policy::Use => "used",
            Policy::Ignore => "passed over",
            Policy::Reject => "refused",
            Policy::Skip => "not looked for",
        };
        let whose = match (prefixes.is_empty(), self.default) {
            (true, default) => format!("headers of the PROXY protocol are {}", others(default.unwrap_or(Policy::Use))),
            (false, default) => format!(
                "headers of the PROXY protocol from {} are used, others {}",
                prefixes.join(" "),
                others(default.unwrap_or(Policy::Ignore))
            ),
        };
        match self.tracking() {
            Some(Tracking { lasts, most }) => {
                format!("{whose}; a datagram's header holds for {} ms, for {most} senders", lasts.as_millis())
            }
            None => whose,
        }
    }
}

fn contains((ip, bits): (IpAddr, u8), sender: IpAddr) -> bool {
    match (ip, sender) {
        (IpAddr::V4(ip), IpAddr::V4(sender)) => {
            (ip.to_bits() ^ sender.to_bits()).checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(sender)) => {
            (ip.to_bits() ^ sender.to_bits()).checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
