//! The kinds of names that are looked up, each a row of the table.

use super::centre;
use super::house::Pod;
use super::stub::{Stub, Tcp};

/// A kind of name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What the table calls it.
    pub(super) text: &'static str,
    /// `host` (both families) or `srv`.
    pub(super) asks: &'static str,
    /// What is typed.
    pub(super) name: &'static str,
    /// Who looks it up.
    pub(super) pod: Pod,
    /// How many addresses or services there are.
    pub(super) found: usize,
    /// True if only a walk of the search list finds them.
    pub(super) searched: bool,
    /// False if its questions are no matter of the table.
    pub(super) counted: bool,
}

/// The row that says most.
pub(super) const OUTSIDE: &str = "`www.example.com`, outside";

const HOST: Kind = Kind { text: "", asks: "host", name: "", pod: Pod::Usual, found: 0, searched: false, counted: true };

/// All of them. Those of one pod stand together: a stub is started once for each pod.
pub(super) const ALL: &[Kind] = &[
    Kind { text: "`web`, own namespace", name: "web", found: 2, searched: true, ..HOST },
    Kind { text: "`db.prod`, other namespace, IPv4 only", name: "db.prod", found: 1, searched: true, ..HOST },
    Kind { text: "`six.prod`, IPv6 only", name: "six.prod", found: 1, searched: true, ..HOST },
    Kind { text: "`db.prod.svc.cluster.local`, in full", name: "db.prod.svc.cluster.local", found: 1, ..HOST },
    Kind { text: "`alias`, CNAME in the cluster", name: "alias", found: 2, searched: true, ..HOST },
    Kind { text: OUTSIDE, name: "www.example.com", found: 2, ..HOST },
    Kind { text: "`www.example.com.`, trailing dot", name: "www.example.com.", found: 2, ..HOST },
    Kind { text: "`cdn.example.com`, CNAME outside", name: "cdn.example.com", found: 2, ..HOST },
    Kind { text: "`nowhere.example.com`, missing", name: "nowhere.example.com", ..HOST },
    Kind { text: "`nowhere`, missing, one label", name: "nowhere", ..HOST },
    Kind { text: "reply over 1,232 octets", name: "many.example.com", found: centre::MANY, ..HOST },
    Kind { text: "reply over 4,096 octets", name: "crowd.example.com", found: centre::CROWD, ..HOST },
    Kind { text: "`_http._tcp.web`, SRV", asks: "srv", name: "_http._tcp.web", found: 1, searched: true, ..HOST },
    Kind {
        text: "`_http._tcp.web.shop.svc.cluster.local`, SRV in full",
        asks: "srv",
        name: "_http._tcp.web.shop.svc.cluster.local",
        found: 1,
        ..HOST
    },
    Kind { text: "`_sip._tcp.example.com`, SRV outside", asks: "srv", name: "_sip._tcp.example.com", found: 1, ..HOST },
    Kind { text: "`www.example.com`, by TCP alone", name: "www.example.com", pod: Pod::Tcp, found: 2, ..HOST },
    Kind { text: "`www.example.com`, by IPv6", name: "www.example.com", pod: Pod::Six, found: 2, ..HOST },
    Kind {
        text: "`intranet`, in the host's search domain",
        name: "intranet",
        pod: Pod::HostSearch,
        found: 2,
        searched: true,
        ..HOST
    },
    Kind {
        text: "`www.example.com`, with a host's search domain",
        name: "www.example.com",
        pod: Pod::HostSearch,
        found: 2,
        ..HOST
    },
    // how often a stub tries a server that fails depends on time as well
    Kind {
        text: "`www.broken.example`, whose servers fail",
        name: "www.broken.example",
        pod: Pod::Hasty,
        counted: false,
        ..HOST
    },
];

impl Kind {
    /// True if a stub can ask in this way.
    pub(super) fn is_for(&self, stub: &Stub) -> bool {
        (self.asks == "host" || stub.srv) && (self.pod != Pod::Tcp || stub.tcp != Tcp::Cannot)
    }

    /// How many addresses or services a stub finds by itself.
    pub(super) fn found_by(&self, stub: &Stub) -> usize {
        if self.searched && !stub.searches_for(self.name) { 0 } else { self.found }
    }

    /// True if the stub sees a part of the reply, because the whole needs TCP.
    pub(super) fn is_cut_short_for(&self, stub: &Stub) -> bool {
        self.found >= centre::MANY && !stub.long
    }
}
