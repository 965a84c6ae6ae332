//! Options that upstreams are told: what a rule says, and the list that the rules of a question leave.

use std::net::IpAddr;
use std::sync::Arc;

use contract::labels::VIEW_NAME;
use contract::limits::SENT_OPTIONS_MAX;
use contract::wire::{Name, RecordType};
use contract::{About, Client, LabelBook, Transport};

/// Option code of NSID (RFC 5001).
pub(crate) const NSID: u16 = 3;
/// Option code of the client's subnet (RFC 7871).
pub(crate) const SUBNET: u16 = 8;

/// What happens to the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EdnsRule {
    pub(crate) act: Act,
    pub(crate) code: u16,
    pub(crate) data: Data,
}

/// When an option is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// In any case.
    Set,
    /// Beside one with the same code; what is not fixed, only if there is none.
    Append,
    /// Only in the place of one with the same code.
    Replace,
    /// Never.
    Unset,
}

/// What the option holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// These octets.
    Fixed(Box<[u8]>),
    /// The client's network, cut to so many bits of an IPv4 and of an IPv6 address (RFC 7871 6).
    Subnet(u8, u8),
    /// QNAME as text.
    QName,
    /// QTYPE, two octets.
    QType,
    /// The client's address.
    ClientIp,
    /// Its port, two octets.
    ClientPort,
    /// `udp` or `tcp`.
    Protocol,
    /// Our address that was asked.
    ServerIp,
    /// Our port, two octets.
    ServerPort,
    /// What a label says.
    Label(String),
}

/// The question that options are said about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'q> {
    pub(crate) client: &'q Client,
    pub(crate) name: &'q str,
    pub(crate) rtype: RecordType,
    pub(crate) labels: &'q LabelBook,
}

impl EdnsRule {
    /// True if it does something whatever was asked, and by whom.
    pub(crate) fn is_unconditional(&self) -> bool {
        match self.act {
            Act::Unset => true,
            Act::Replace => false,
            Act::Set | Act::Append => matches!(self.data, Data::Fixed(_)),
        }
    }

    /// True if what it does depends on who asks: on the client itself, or on the options that it sent.
    pub(crate) fn is_personal(&self) -> bool {
        match self.act {
            Act::Unset => false,
            Act::Replace => true,
            Act::Append => !matches!(self.data, Data::Fixed(_)),
            Act::Set => self.data.is_personal(),
        }
    }

    /// Changes the options; true if it did something.
    pub(crate) fn apply(&self, asked: Asked<'_>, options: &mut Sending) -> bool {
        if self.act == Act::Unset {
            options.entries.retain(|entry| entry.code != self.code);
            return true;
        }
        let Some(data) = self.data.octets(asked) else { return false };
        let is_fixed = matches!(self.data, Data::Fixed(_));
        let same = options.entries.iter().position(|entry| entry.code == self.code);
        match (self.act, same) {
            (Act::Replace, None) => return false,
            (Act::Append, Some(at)) if !is_fixed => {
                options.entries[at].is_sent = true;
                return false;
            }
            (Act::Set | Act::Replace, Some(at)) => {
                options.entries[at].data = data;
                options.entries[at].is_sent = true;
            }
            _ => options.entries.push(Entry { code: self.code, data, is_sent: true }),
        }
        true
    }
}

impl Data {
    /// True if it depends on who asks. The view's name is the server block's.
    fn is_personal(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::QName | Self::QType => false,
            Self::Label(label) => label != VIEW_NAME,
            Self::Subnet(..)
            | Self::ClientIp
            | Self::ClientPort
            | Self::Protocol
            | Self::ServerIp
            | Self::ServerPort => true,
        }
    }

    /// What goes into the option; `None` if there is nothing to say.
    fn octets(&self, Asked { client, name, rtype, labels }: Asked<'_>) -> Option<Vec<u8>> {
        Some(match self {
            Self::Fixed(octets) => octets.to_vec(),
            Self::Subnet(v4, v6) => subnet(client.ip(), *v4, *v6),
            Self::QName => name.into(),
            Self::QType => rtype.0.to_be_bytes().to_vec(),
            Self::ClientIp => octets(client.ip()),
            Self::ClientPort => client.address.port().to_be_bytes().to_vec(),
            Self::Protocol => if client.transport == Transport::Udp { "udp" } else { "tcp" }.into(),
            Self::ServerIp => match (client.ip(), client.local.ip().to_canonical()) {
                (IpAddr::V4(_), IpAddr::V6(_)) => return None,
                (IpAddr::V6(_), IpAddr::V4(local)) => local.to_ipv6_mapped().octets().to_vec(),
                (_, local) => octets(local),
            },
            Self::ServerPort => client.local.port().to_be_bytes().to_vec(),
            Self::Label(label) => {
                let name = Name::parse(name).ok()?; // the question's own text
                let said = labels.label(label, &About { client, name: name.as_wire(), upstream: None })?;
                Some(said).filter(|said| !said.is_empty())?.into_bytes()
            }
        })
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// FAMILY, SOURCE PREFIX-LENGTH, SCOPE PREFIX-LENGTH 0, and as many octets of the network as it has bits (RFC 7871 6).
fn subnet(address: IpAddr, v4: u8, v6: u8) -> Vec<u8> {
    let (family, bits) = if address.is_ipv4() { (1, v4) } else { (2, v6) };
    let mut network = octets(address);
    network.truncate(usize::from(bits.div_ceil(8)));
    if let Some(last) = network.last_mut().filter(|_| !bits.is_multiple_of(8)) {
        *last &= 0xff << (8 - bits % 8);
    }
    [vec![0, family, bits, 0], network].concat()
}

/// The options of a question on its way through the rules: the client's, which are looked at but not sent, and the rules'.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    code: u16,
    data: Vec<u8>,
    /// A rule said it, or left the client's where it would have said it.
    is_sent: bool,
}

impl Sending {
    /// Begins with what the client sent, in wire form.
    pub(crate) fn of_client(mut asked: &[u8]) -> Self {
        let mut entries = Vec::new();
        while let [c0, c1, l0, l1, rest @ ..] = asked {
            let Some((data, behind)) = rest.split_at_checked(u16::from_be_bytes([*l0, *l1]).into()) else { break };
            entries.push(Entry { code: u16::from_be_bytes([*c0, *c1]), data: data.to_vec(), is_sent: false });
            asked = behind;
        }
        Self { entries }
    }

    /// What is sent, in wire form; `None` if that is nothing. An option that there is no room for is left out.
    pub(crate) fn sent(&self) -> Option<Arc<[u8]>> {
        let mut wire = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.is_sent) {
            let length =
                u16::try_from(entry.data.len()).ok().filter(|_| wire.len() + 4 + entry.data.len() <= SENT_OPTIONS_MAX);
            let Some(length) = length else { continue };
            wire.extend_from_slice(&entry.code.to_be_bytes());
            wire.extend_from_slice(&length.to_be_bytes());
            wire.extend_from_slice(&entry.data);
        }
        (!wire.is_empty()).then(|| wire.into())
    }
}
