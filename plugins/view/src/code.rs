//! An expression that was checked: its types are right, and what is always the same in it has been read.

use std::net::IpAddr;

use contract::Pattern;
use contract::wire::RecordType;

/// What an expression may ask of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    BufSize,
    Class,
    ClientIp,
    Do,
    Id,
    Name,
    Opcode,
    Port,
    Proto,
    ServerIp,
    ServerPort,
    Size,
    Type,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Fact(Fact),
    Not(Box<Code>),
    All(Vec<Code>),
    Any(Vec<Code>),
    Choice(Box<[Code; 3]>),
    Equal(Box<[Code; 2]>),
    /// Less, less or equal, and so on.
    Order(Order, Box<[Code; 2]>),
    /// One of several.
    Among(Box<Code>, Vec<Code>),
    /// From the first number to the second.
    Between(Box<[Code; 3]>),
    /// The question's type is one of these.
    TypeIs(Vec<RecordType>),
    Matches(Box<Code>, Pattern),
    Contains(Box<[Code; 2]>),
    StartsWith(Box<[Code; 2]>),
    EndsWith(Box<[Code; 2]>),
    Sum(Box<[Code; 2]>),
    Difference(Box<[Code; 2]>),
    Product(Box<[Code; 2]>),
    Quotient(Box<[Code; 2]>),
    Rest(Box<[Code; 2]>),
    Negative(Box<Code>),
    /// Two texts, one behind the other.
    Joined(Box<[Code; 2]>),
    InCidr(Address, Cidr),
    /// A prefix that is known only with the question.
    InAnyCidr(Box<[Code; 2]>),
    Metadata(Box<Code>),
    Lower(Box<Code>),
    Upper(Box<Code>),
    Len(Box<Code>),
    ToInt(Box<Code>),
    ToText(Box<Code>),
}

impl Code {
    /// True if what it is worth depends on who asks, or how: on more than name, type, class and DO.
    pub(crate) fn is_personal(&self) -> bool {
        let any = |parts: &[Self]| parts.iter().any(Self::is_personal);
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::TypeIs(_) => false,
            Self::Fact(fact) => !matches!(fact, Fact::Name | Fact::Type | Fact::Class | Fact::Do),
            Self::InCidr(Address::Written(code), _) => code.is_personal(),
            Self::InCidr(..) | Self::Metadata(_) => true,
            Self::All(parts) | Self::Any(parts) => any(parts),
            Self::Among(code, parts) => code.is_personal() || any(parts),
            Self::Choice(parts) | Self::Between(parts) => any(&parts[..]),
            Self::Not(code)
            | Self::Matches(code, _)
            | Self::Negative(code)
            | Self::Lower(code)
            | Self::Upper(code)
            | Self::Len(code)
            | Self::ToInt(code)
            | Self::ToText(code) => code.is_personal(),
            Self::Equal(parts)
            | Self::Order(_, parts)
            | Self::Contains(parts)
            | Self::StartsWith(parts)
            | Self::EndsWith(parts)
            | Self::Sum(parts)
            | Self::Difference(parts)
            | Self::Product(parts)
            | Self::Quotient(parts)
            | Self::Rest(parts)
            | Self::Joined(parts)
            | Self::InAnyCidr(parts) => any(&parts[..]),
        }
    }
}

/// What a comparison asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The address that is looked for in a prefix.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Client,
    Server,
    /// Whatever the text says.
    Written(Box<Code>),
}

/// A prefix: an address of which the first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cidr {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl Cidr {
    /// A prefix such as `10.0.0.0/8`; further bits of the address do not count. `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let length: u32 = Some(length).filter(|text| text.bytes().all(|c| c.is_ascii_digit()))?.parse().ok()?;
        let v4 = |address: u32, length: u32| {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            Self::V4 { network: address & mask, mask }
        };
        match address.parse().ok()? {
            IpAddr::V4(address) if length <= 32 => Some(v4(address.into(), length)),
            // an IPv4 address inside of IPv6 is an IPv4 address here
            IpAddr::V6(address) if (96..=128).contains(&length) && address.to_ipv4_mapped().is_some() => {
                address.to_ipv4_mapped().map(|address| v4(address.into(), length - 96))
            }
            IpAddr::V6(address) if length <= 128 => {
                let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
                Some(Self::V6 { network: u128::from(address) & mask, mask })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    /// Whether the address is in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4 { network, mask }, IpAddr::V4(address)) => u32::from(address) & mask == network,
            (Self::V6 { network, mask }, IpAddr::V6(address)) => u128::from(address) & mask == network,
            _ => false,
        }
    }
}
