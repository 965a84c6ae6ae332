//! The daemon's blocks without sockets, with a full store, and questions that hit it. Everything that could differ between
//! two runs is fixed: names, hashes, the time.

mod centre;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use contract::wire::{Name, RecordType};
use contract::{Client, Moment, Transport};
use foldhash::quality::SeedableRandomState;
use nearpath::daemon::{Options, without_sockets};
use nearpath::see::{Filter, Watch};
use nearpath::serve::entrance::Entrance;
use nearpath::serve::{Desk as _, Door as _, Front, FrontDesk, Outcome};

/// Names that are asked, one after another.
const NAMES: usize = 512;
/// Octets of the buffer for a reply.
const ROOM: usize = 1_232;

/// What kind of hit is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An A record.
    Plain,
    /// The same to a client that speaks EDNS.
    Edns,
    /// NXDOMAIN with its SOA.
    Denial,
    /// A pod's search: CNAME and A by one look-up.
    Search,
    /// An A record in a block with the directives of NodeLocal DNSCache.
    Stock,
    /// An A record while somebody looks on in every way: counts of the most frequent, a watcher, a witness with messages. As many
    /// are shown as when all hits come within one step of the pace.
    Watched,
    /// An A record in a block with rules of `rewrite` and `template` for other names.
    Ruled,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("plain", Self::Plain),
        ("edns", Self::Edns),
        ("denial", Self::Denial),
        ("search", Self::Search),
        ("stock", Self::Stock),
        ("watched", Self::Watched),
        ("ruled", Self::Ruled),
    ];

    fn name(self, index: usize) -> String {
        match self {
            Self::Plain | Self::Edns | Self::Watched | Self::Ruled => format!("host{index}.example"),
            Self::Denial => format!("missing{index}.cluster.local"),
            Self::Search => format!("host{index}.example.shop.svc.cluster.local"),
            Self::Stock => format!("host{index}.stock.example"),
        }
    }
}

/// A desk before a full store, and the questions of one kind.
pub struct House {
    /// The blocks, to look at their steps one by one.
    pub entrance: Entrance,
    /// The questions as datagrams.
    pub packets: Vec<Vec<u8>>,
    client: Client,
    now: Moment,
    runtime: tokio::runtime::Runtime,
    _watch: Option<Watch>,
    _dir: Dir,
}

/// A folder of the run's own, removed at its end.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl House {
    /// Builds the blocks and asks each name once, so that everything is in the store.
    ///
    /// # Errors
    /// A file cannot be written, or a name is not answered.
    pub fn full(kind: Kind) -> anyhow::Result<Self> {
        let dir = Dir(std::env::temp_dir().join(format!("nearpath-instructions-{}", std::process::id())));
        std::fs::create_dir_all(&dir.0)?;
        let text = corefile(&dir, kind)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options = Options { hasher: SeedableRandomState::fixed(), ..Options::default() };
        let entrance = {
            let _inside = runtime.enter();
            without_sockets(&text, &options, runtime.handle())?
        };
        let taps = &entrance.0.shared().taps;
        let watch = (kind == Kind::Watched).then(|| taps.watch(Filter::default())).transpose()?;
        if kind == Kind::Watched {
            taps.top();
        }
        let from = if kind == Kind::Search { "127.0.0.9:5000" } else { "127.0.0.77:5000" };
        let local: SocketAddr = "127.0.0.1:53".parse()?;
        let client = Client { address: from.parse()?, local, transport: Transport::Udp };
        let packets = (0..NAMES).map(|index| packet(kind, index)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut house = Self { entrance, packets, client, now: Moment(0), runtime, _watch: watch, _dir: dir };
        house.fill()?;
        Ok(house)
    }

    /// A desk as a datagram thread has it.
    pub fn desk(&self) -> FrontDesk {
        Front::new(Arc::clone(&self.entrance.0)).desk(Transport::Udp)
    }

    /// Answers so many questions, all of them from the store. Kept whole, so that a profiler finds it by its name.
    #[inline(never)]
    pub fn answer_hits(&self, desk: &mut FrontDesk, count: usize) -> usize {
        let mut out = [0; ROOM];
        let mut octets = 0;
        for packet in self.packets.iter().cycle().take(count) {
            match desk.answer(packet, &self.client, self.now, &mut out) {
                Outcome::Reply(length) => octets += length,
                Outcome::Silent | Outcome::Miss(_) => panic!("every question is in the store"),
            }
        }
        octets
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        let mut desk = self.desk();
        let mut out = [0; ROOM];
        for packet in &self.packets {
            let now = desk.now();
            if let Outcome::Miss(later) = desk.answer(packet, &self.client, now, &mut out) {
                self.runtime.block_on(later).context("a name is not answered")?;
            }
        }
        // TTLs are aged, by at least some seconds
        self.now = desk.now().after(Duration::from_secs(3));
        for packet in &self.packets {
            match desk.answer(packet, &self.client, self.now, &mut out) {
                Outcome::Reply(_) => {}
                Outcome::Silent | Outcome::Miss(_) => bail!("a name is not in the store after it was asked"),
            }
        }
        Ok(())
    }
}

/// Blocks before a centre of ours; the stock ones have the directives of NodeLocal DNSCache.
fn corefile(dir: &Dir, kind: Kind) -> anyhow::Result<String> {
    let centre = centre::start()?;
    let pods = dir.0.join("pods");
    std::fs::write(&pods, "shop/cart-0 127.0.0.9 search shop.svc.cluster.local svc.cluster.local cluster.local\n")?;
    let pods = pods.display();
    // nobody listens there: what is collected is dropped behind the witness
    let rules = if kind == Kind::Ruled { RULES } else { "" };
    let witness = if kind == Kind::Watched { " dnstap /nowhere/dnstap.sock full\n" } else { "" };
    Ok(format!(
        "cluster.local {{\n cache\n autopath {{\n pods {pods}\n }}\n forward . {centre}\n}}\n\
         stock.example {{\n errors\n cache\n reload\n loop\n prometheus\n forward . {centre}\n}}\n\
         example {{\n{rules} cache\n{witness} forward . {centre}\n}}\n"
    ))
}

/// Rules that are for none of the names that are asked: one of each kind.
const RULES: &str = " rewrite name exact old.ruled.example new.ruled.example\n \
                     rewrite name suffix .old.ruled.example .new.ruled.example answer auto\n \
                     rewrite name substring ruled-old ruled-new\n \
                     rewrite name regex (.*)\\.r1\\.ruled\\.example {1}.r2.ruled.example answer auto\n \
                     rewrite ttl suffix .t.ruled.example 30-300\n \
                     template IN A t.ruled.example {\n match ^ip-([0-9]+)[.]\n answer \"{{ .Name }} 60 IN A 192.0.2.{{ index .Match 1 }}\"\n }\n";

/// A question for a name, as it comes in a datagram.
fn packet(kind: Kind, index: usize) -> anyhow::Result<Vec<u8>> {
    let name = Name::parse(&kind.name(index))?;
    let additional = u8::from(kind == Kind::Edns);
    let mut packet = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    packet.extend_from_slice(name.as_wire());
    packet.extend_from_slice(&RecordType::A.0.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if kind == Kind::Edns {
        packet.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    }
    Ok(packet)
}
