//! What a daemon that serves tells of itself, after some questions.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use contract::wire::{Message, Name, Rcode, RecordType};

use crate::daemon::{self, Daemon, Options};
use crate::see::Filter;

/// How long something may take that is not measured here.
const PATIENCE: Duration = Duration::from_secs(30);

struct House {
    daemon: Daemon,
    client: UdpSocket,
    folder: std::path::PathBuf,
}

impl House {
    /// A daemon with a pod of its own address, and one name in a hosts file.
    fn open() -> Self {
        let folder = std::env::temp_dir().join(format!("nearpath-see-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("hosts"), "192.0.2.9 www.example\n").unwrap();
        let search = "search shop.svc.cluster.local cluster.local";
        std::fs::write(folder.join("pods"), format!("shop/cart-0 127.0.0.1 {search}\n")).unwrap();
        // let go before it is taken: another attempt finds another one
        let start = || {
            let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (hosts, pods) = (folder.join("hosts"), folder.join("pods"));
            let text = format!(
                ".:{port} {{\n bind 127.0.0.1\n autopath cluster.local {{\n pods {}\n }}\n cache\n hosts {} {{\n  fallthrough\n }}\n}}\n",
                pods.display(),
                hosts.display()
            );
            daemon::start("Corefile", &text, &Options { threads: 1, ..Options::default() }).map(|daemon| (daemon, port))
        };
        let (daemon, port) = (0..5).find_map(|_| start().ok()).expect("it serves at one of five ports");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { daemon, client, folder }
    }

    fn ask(&self, name: &str, rtype: RecordType) -> Rcode {
        let mut packet = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(Name::parse(name).unwrap().as_wire());
        packet.extend_from_slice(&[rtype.0.to_be_bytes(), [0, 1]].concat());
        self.client.send(&packet).unwrap();
        let mut reply = [0; 1_232];
        let length = self.client.recv(&mut reply).unwrap();
        Message::parse(&reply[..length]).unwrap().rcode()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn an_overview_and_the_most_frequent_tell_of_what_was_asked() {
    let house = House::open();
    let see = house.daemon.see();
    assert!(see.top().names.is_empty(), "to ask is to have it counted from now on");
    let mut watch = see.watch(Filter::parse(Some("shop/cart-0"), None, None).unwrap()).unwrap();
    for _ in 0..5 {
        assert_eq!(house.ask("www.example", RecordType::A), Rcode::NOERROR);
    }
    assert_eq!(house.ask("missing.example", RecordType::AAAA), Rcode::SERVFAIL);

    let watched = async { tokio::time::timeout(PATIENCE, watch.next()).await };
    let seen = house.daemon.runtime().block_on(watched).expect("it is shown").expect("the daemon lives");
    assert_eq!((&*seen.name, seen.pod.as_deref(), &*seen.transport), ("www.example", Some("shop/cart-0"), "udp"));
    let begun = Instant::now();
    let top = loop {
        let top = see.top();
        if top.names.iter().map(|name| name.queries).sum::<u64>() == 6 || begun.elapsed() > PATIENCE {
            break top;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let first = &top.names[0];
    assert_eq!((&*first.name, &*first.rtype, first.queries, first.error), ("www.example", "A", 5, 0));
    assert_eq!((top.clients[0].pod.as_deref(), top.clients[0].queries, top.one_of), (Some("shop/cart-0"), 6, 1));

    let overview = see.overview();
    assert_eq!((overview.ways["success"], overview.ways["miss"]), (4, 2));
    assert_eq!((overview.types["A"], overview.types["AAAA"], overview.rcodes["SERVFAIL"]), (5, 1, 1));
    assert_eq!(overview.plain["zone"], 6, "no question was inside the zone of autopath");
    // the watchdog asks too, of no server block
    assert!(overview.queries >= 6 && overview.transports["udp"] == overview.queries, "{overview:?}");
    assert!(overview.latency.counts.iter().sum::<u64>() >= 6 && overview.rcodes["NOERROR"] >= 5, "{overview:?}");
    assert_eq!(overview.ways.values().sum::<u64>(), overview.queries);
    assert!(overview.udp["received"] >= overview.queries);
    let [failure] = &overview.failures[..] else { panic!("one cause: {:?}", overview.failures) };
    assert_eq!((&*failure.cause, failure.count), ("no plugin of the server block answers for the name", 1));
    let index = overview.index.expect("there is autopath");
    assert_eq!((index.synced, index.pods, index.addresses), (true, 1, 1));
    assert_eq!((overview.failsafe.is_none(), overview.health, overview.store.entries), (true, None, 1));

    let pods = see.pods(10);
    assert_eq!((pods.pods[0].pod.as_deref(), &*pods.pods[0].address), (Some("shop/cart-0"), "127.0.0.1"));
    assert_eq!(pods.pods[0].search, ["shop.svc.cluster.local", "cluster.local"]);
    assert_eq!((see.pods(0).pods.len(), see.pods(0).left_out), (0, 1));
    assert_eq!(see.history().step_s, 5.0);
}
