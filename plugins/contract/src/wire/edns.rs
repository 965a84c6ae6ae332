//! OPT: what a client says in it, and what a reply may say (RFC 6891, RFC 5001, RFC 8914).

use super::message::Malformed;

/// EDNS as a query carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdnsView {
    /// The size of datagram the sender can take, in octets, as it stands.
    pub udp_size: u16,
    /// The version; this server knows 0.
    pub version: u8,
    /// DNSSEC OK (RFC 3225).
    pub dnssec_ok: bool,
    /// The sender asks who answers (RFC 5001).
    pub nsid: bool,
}

/// Option code of NSID.
pub(crate) const OPTION_NSID: u16 = 3;
/// Option code of an Extended DNS Error.
pub(crate) const OPTION_EDE: u16 = 15;

/// Reads class, TTL and options of an OPT record.
pub(crate) fn view(class: u16, ttl: u32, rdata: &[u8]) -> Result<EdnsView, Malformed> {
    let mut nsid = false;
    let mut rest = rdata;
    while !rest.is_empty() {
        let [c0, c1, l0, l1, tail @ ..] = rest else { return Err(Malformed::Edns) };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let tail = tail.get(length..).ok_or(Malformed::Edns)?;
        nsid |= u16::from_be_bytes([*c0, *c1]) == OPTION_NSID;
        rest = tail;
    }
    Ok(EdnsView { udp_size: class, version: (ttl >> 16) as u8, dnssec_ok: ttl & 0x8000 != 0, nsid })
}

/// An Extended DNS Error: a code of RFC 8914 and a text for whoever reads `dig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ede {
    /// INFO-CODE, one of [`ede`].
    pub code: u16,
    /// EXTRA-TEXT; short, says what to look at.
    pub text: std::borrow::Cow<'static, str>,
}

impl Ede {
    /// An error with its text.
    pub fn new(code: u16, text: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }
}

/// INFO-CODEs (RFC 8914 5.2 and the IANA registry).
#[allow(missing_docs)] // the registry's own names
pub mod ede {
    pub const OTHER: u16 = 0;
    pub const STALE_ANSWER: u16 = 3;
    pub const FORGED_ANSWER: u16 = 4;
    pub const CACHED_ERROR: u16 = 13;
    pub const NOT_READY: u16 = 14;
    pub const BLOCKED: u16 = 15;
    pub const FILTERED: u16 = 17;
    pub const PROHIBITED: u16 = 18;
    pub const STALE_NXDOMAIN: u16 = 19;
    pub const NOT_AUTHORITATIVE: u16 = 20;
    pub const NOT_SUPPORTED: u16 = 21;
    pub const NO_REACHABLE_AUTHORITY: u16 = 22;
    pub const NETWORK_ERROR: u16 = 23;
    pub const INVALID_DATA: u16 = 24;
    pub const SYNTHESIZED: u16 = 29;
}
