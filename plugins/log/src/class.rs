//! What kind of reply it is, as CoreDNS tells kinds apart.

use contract::wire::{Message, Rcode, RecordType, Section};

/// A kind of reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NoError,
    NameError,
    ServerError,
    NoData,
    Delegation,
    OtherError,
}

/// A class of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An answer, or a delegation.
    Success,
    /// NXDOMAIN, or NOERROR with an SOA and without an answer (RFC 2308).
    Denial,
    /// Any other RCODE, and no reply at all.
    Error,
}

/// Which classes are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    success: bool,
    denial: bool,
    error: bool,
}

impl Kind {
    /// The kind of a reply in wire form; of none, if it is empty.
    pub(crate) fn of(reply: &[u8]) -> Self {
        let Ok(message) = Message::parse(reply) else { return Self::OtherError };
        match message.rcode() {
            Rcode::NXDOMAIN => return Self::NameError,
            Rcode::SERVFAIL | Rcode::NOTIMP => return Self::ServerError,
            Rcode::NOERROR => {}
            _ => return Self::OtherError,
        }
        if message.section(Section::Answer).next().is_some() {
            return Self::NoError;
        }
        let has = |rtype| message.section(Section::Authority).any(|record| record.rtype == rtype);
        match (has(RecordType::SOA), has(RecordType::NS)) {
            (true, _) => Self::NoData,
            (false, true) => Self::Delegation,
            (false, false) => Self::NoError,
        }
    }

    /// Its class.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::NoError | Self::Delegation => Class::Success,
            Self::NameError | Self::NoData => Class::Denial,
            Self::ServerError | Self::OtherError => Class::Error,
        }
    }

    /// As `{/log/type}` says it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::NameError => "NXDOMAIN",
            Self::ServerError => "SERVERERROR",
            Self::NoData => "NODATA",
            Self::Delegation => "DELEGATION",
            Self::OtherError => "OTHERERROR",
        }
    }
}

impl Class {
    /// As the Corefile and `{/log/class}` say it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denial => "denial",
            Self::Error => "error",
        }
    }
}

impl Classes {
    /// All replies.
    pub const ALL: Self = Self { success: true, denial: true, error: true };
    /// None yet.
    pub(crate) const NONE: Self = Self { success: false, denial: false, error: false };

    /// This one too.
    pub(crate) fn insert(&mut self, class: Class) {
        match class {
            Class::Success => self.success = true,
            Class::Denial => self.denial = true,
            Class::Error => self.error = true,
        }
    }

    /// True if replies of the class are logged.
    pub fn contains(self, class: Class) -> bool {
        match class {
            Class::Success => self.success,
            Class::Denial => self.denial,
            Class::Error => self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::wire::{Class as DnsClass, Composer, Name};

    use super::*;

    fn reply(rcode: Rcode, records: &[(Section, RecordType)]) -> Vec<u8> {
        let name = Name::parse("example.org").unwrap();
        let mut composer = Composer::new(&name, RecordType::A, DnsClass::IN);
        composer.rcode(rcode);
        for (section, rtype) in records {
            composer.record(*section, &name, *rtype, 60, |to| to.octets(&[0])).unwrap();
        }
        composer.finish().wire
    }

    #[test]
    fn each_reply_has_its_kind_and_class() {
        let (answer, authority) = (Section::Answer, Section::Authority);
        for (rcode, records, kind, class) in [
            (Rcode::NOERROR, &[(answer, RecordType::A)][..], Kind::NoError, Class::Success),
            (
                Rcode::NOERROR,
                &[(answer, RecordType::CNAME), (authority, RecordType::SOA)],
                Kind::NoError,
                Class::Success,
            ),
            (Rcode::NOERROR, &[], Kind::NoError, Class::Success),
            (Rcode::NOERROR, &[(authority, RecordType::NS)], Kind::Delegation, Class::Success),
            (Rcode::NOERROR, &[(authority, RecordType::SOA)], Kind::NoData, Class::Denial),
            (Rcode::NXDOMAIN, &[(authority, RecordType::SOA)], Kind::NameError, Class::Denial),
            (Rcode::NXDOMAIN, &[(answer, RecordType::CNAME)], Kind::NameError, Class::Denial),
            (Rcode::SERVFAIL, &[], Kind::ServerError, Class::Error),
            (Rcode::NOTIMP, &[], Kind::ServerError, Class::Error),
            (Rcode::REFUSED, &[], Kind::OtherError, Class::Error),
        ] {
            let told = Kind::of(&reply(rcode, records));
            assert_eq!((told, told.class()), (kind, class), "{rcode} {records:?}");
        }
        assert_eq!(Kind::of(&[]), Kind::OtherError);
    }
}
