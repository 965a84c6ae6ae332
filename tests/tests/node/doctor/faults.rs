//! Faults, each made on purpose on a node of its own, and the check that names it.

use std::net::UdpSocket;
use std::time::Duration;

use nearpath_tests::ask;
use nix::sys::signal::Signal;

use super::house::{self, House, LARGE, Told};

/// A fault, and what the doctor must say.
pub(super) struct Fault {
    /// In words.
    pub(super) what: &'static str,
    /// What is served; the healthy one's text if it is empty.
    corefile: &'static str,
    /// More flags of the daemon.
    flags: &'static [&'static str],
    /// What is done to the node once the daemon serves.
    make: Make,
    /// A script in mounts that the doctor alone sees.
    seen: &'static str,
    /// More flags of the doctor.
    looks: &'static [&'static str],
    /// The check that names it, and how it is then.
    pub(super) finds: (&'static str, &'static str),
    /// Checks that it is the cause of too.
    pub(super) and: &'static [&'static str],
}

/// How a fault is made.
enum Make {
    Nothing,
    /// By a shell's script on the node; `FOLDER` is its folder, `PID` the daemon.
    Script(&'static str),
    /// In the central servers' network.
    Centre(&'static str),
    /// Another program binds an address.
    Program(&'static str),
    /// The daemon is stopped while it is asked.
    Stopped,
    /// The daemon is killed.
    Killed,
}

/// A healthy node.
const WELL: Fault = Fault {
    what: "",
    corefile: house::COREFILE,
    flags: &[],
    make: Make::Nothing,
    seen: "",
    looks: &[],
    finds: ("", ""),
    and: &[],
};

/// Drops what comes from the first central server.
macro_rules! drops {
    ($what:literal) => {
        Make::Script(concat!(
            "nft 'add table ip fault; add chain ip fault in { type filter hook prerouting priority -450; }; add rule ip fault in ip \
             saddr 10.2.0.2 ",
            $what,
            " drop'"
        ))
    };
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        what: "an address removed",
        flags: &["-setupinterface=false"],
        make: Make::Script("ip addr del 169.254.20.10/32 dev hand0"),
        finds: ("address", "fail"),
        ..WELL
    },
    Fault {
        what: "all rules flushed",
        make: Make::Script("nft flush ruleset"),
        finds: ("rules", "fail"),
        ..WELL
    },
    Fault {
        what: "one chain of the rules flushed",
        make: Make::Script("nft flush chain ip nearpath-nodelocaldns nat_prerouting"),
        finds: ("rules", "fail"),
        // the central servers stood in it
        and: &["failsafe"],
        ..WELL
    },
    Fault {
        what: "the failsafe's element removed",
        make: Make::Script("nft flush set ip nearpath-nodelocaldns stand_in"),
        finds: ("failsafe", "fail"),
        ..WELL
    },
    Fault {
        what: "another program at the address",
        make: Make::Program("169.254.20.10:53"),
        finds: ("port", "fail"),
        // the kernel gives it some of the questions
        and: &["daemon", "answers"],
        ..WELL
    },
    Fault {
        what: "another program at the port of all addresses",
        make: Make::Program("0.0.0.0:53"),
        finds: ("port", "warn"),
        ..WELL
    },
    Fault { what: "the upstream dead", make: drops!(""), finds: ("upstreams", "fail"), ..WELL },
    Fault {
        what: "TCP of the upstream filtered",
        make: drops!("tcp sport 53"),
        finds: ("upstreams", "fail"),
        ..WELL
    },
    Fault {
        what: "UDP of the upstream filtered",
        make: drops!("udp sport 53"),
        finds: ("upstreams", "fail"),
        ..WELL
    },
    Fault {
        what: "fragments of the upstream filtered behind a small MTU",
        make: Make::Centre("ip link set eth0 mtu 700"),
        seen: "nft 'add table ip fault; add chain ip fault in { type filter hook prerouting priority -450; }
            add rule ip fault in ip frag-off & 0x3fff != 0 drop'",
        looks: &["--large-name", LARGE],
        finds: ("large answers", "fail"),
        ..WELL
    },
    Fault {
        what: "a pod that asks somebody else",
        seen: "printf 'search a b\\nnameserver 10.96.0.10\\noptions ndots:5\\n' >FOLDER/pod.conf",
        looks: &["--resolv-conf", "FOLDER/pod.conf"],
        finds: ("resolv.conf", "fail"),
        ..WELL
    },
    Fault {
        what: "a pod with ndots 15",
        seen: "printf 'search a b\\nnameserver 169.254.20.10\\noptions ndots:15\\n' >FOLDER/pod.conf",
        looks: &["--resolv-conf", "FOLDER/pod.conf"],
        finds: ("ndots", "warn"),
        ..WELL
    },
    Fault {
        what: "connection tracking full",
        seen: "echo 262000 >FOLDER/count; mount --bind FOLDER/count /proc/sys/net/netfilter/nf_conntrack_count",
        finds: ("conntrack", "fail"),
        ..WELL
    },
    Fault {
        what: "a Corefile that leads back",
        make: Make::Script("sed -i 's/forward . 10.2.0.2/forward . 169.254.20.10/' FOLDER/Corefile"),
        finds: ("loop", "fail"),
        ..WELL
    },
    Fault {
        what: "a host's resolv.conf that leads back",
        make: Make::Script(
            "echo 'nameserver 169.254.20.10' >FOLDER/resolv.conf; sed -i 's,forward . 10.2.0.2,forward . /etc/resolv.conf,' FOLDER/Corefile",
        ),
        finds: ("loop", "fail"),
        ..WELL
    },
    Fault {
        what: "a broken Corefile",
        make: Make::Script("sed -i 's/forward/foward/' FOLDER/Corefile"),
        finds: ("corefile", "fail"),
        ..WELL
    },
    Fault {
        what: "too little memory",
        seen: "mkdir FOLDER/cgroup; echo 12582912 >FOLDER/cgroup/memory.max; echo 9000000 >FOLDER/cgroup/memory.current
            echo 'inactive_file 0' >FOLDER/cgroup/memory.stat; echo '30 20 0:1 / FOLDER/cgroup rw - cgroup2 cgroup rw' >FOLDER/mounts
            echo '0::/' >FOLDER/own; mount --bind FOLDER/mounts /proc/$$/mountinfo
            for each in /proc/[0-9]*; do [ $(cat $each/comm) = nearpath ] && mount --bind FOLDER/own $each/cgroup || true; done",
        finds: ("memory", "fail"),
        ..WELL
    },
    Fault {
        what: "the daemon killed",
        make: Make::Killed,
        finds: ("daemon", "fail"),
        ..WELL
    },
    Fault {
        what: "a daemon that stands still under load",
        make: Make::Stopped,
        finds: ("receive buffer", "fail"),
        and: &["daemon", "health"],
        ..WELL
    },
    Fault {
        what: "a cloud's resolver without a rate",
        make: Make::Script(
            "sed -i 's/forward . 10.2.0.2/forward . 10.2.0.2\\nprivatezone p.example {\\nto 169.254.169.253\\nmax_qps 500\\n}\\n\
             privatezone q.example {\\nto 168.63.129.16\\n}/' FOLDER/Corefile",
        ),
        finds: ("cloud limits", "warn"),
        // nobody is there
        and: &["upstreams", "corefile"],
        ..WELL
    },
    Fault {
        what: "few open files allowed",
        make: Make::Script("prlimit --nofile=1024 --pid PID"),
        finds: ("descriptors", "warn"),
        ..WELL
    },
    Fault {
        what: "a state folder that cannot be written",
        seen: "mount -t tmpfs -o ro tmpfs FOLDER/state",
        finds: ("state folder", "fail"),
        ..WELL
    },
];

/// The daemon's word that it was quicker than the doctor: at its start it looks again when the kernel tells of its links.
const REPAIRED: &str = "put in place again";
/// So often is what it has mended broken again.
const TRIES: usize = 10;

/// Makes a fault and lets the doctor look.
#[track_caller]
pub(super) fn seen(fault: &Fault) -> Told {
    let mut house = House::new(fault.corefile, fault.flags);
    for _ in 1..TRIES {
        let said = house.daemon.log().len();
        let told = seen_once(fault, &mut house);
        if !house.daemon.log()[said..].contains(REPAIRED) {
            return told;
        }
    }
    seen_once(fault, &mut house)
}

#[track_caller]
fn seen_once(fault: &Fault, house: &mut House) -> Told {
    let folder = house.node.space().folder().path().display().to_string();
    let pid = house.daemon.program().id().to_string();
    let in_folder = |text: &str| text.replace("FOLDER", &folder).replace("PID", &pid);
    let mut kept = Vec::new();
    match &fault.make {
        Make::Nothing => {}
        Make::Script(script) => drop(house.node.space().sh(&in_folder(script))),
        Make::Centre(script) => drop(house.node.centre().space().sh(script)),
        Make::Program(address) => kept.push(house.node.space().inside(|| shared(address))),
        Make::Stopped => {
            house.daemon.signal(Signal::SIGSTOP);
            house.node.space().inside(flood);
        }
        Make::Killed => house.daemon.kill(),
    }
    let looks: Vec<String> = fault.looks.iter().map(|word| in_folder(word)).collect();
    let looks: Vec<&str> = looks.iter().map(String::as_str).collect();
    let told = house.doctor(fault.seen, &looks);
    if matches!(fault.make, Make::Stopped) {
        house.daemon.signal(Signal::SIGCONT);
    }
    told
}

/// A datagram socket of the tests' own that shares the port.
#[track_caller]
fn shared(address: &str) -> UdpSocket {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt};
    let address: std::net::SocketAddr = address.parse().expect("an address");
    let made = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    setsockopt(&made, sockopt::ReusePort, &true).expect("it may be shared");
    bind(std::os::fd::AsRawFd::as_raw_fd(&made), &SockaddrStorage::from(address)).expect("root may");
    made.into()
}

/// More questions than the sockets have room for.
fn flood() {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
    socket.set_write_timeout(Some(Duration::from_secs(1))).expect("not nothing");
    let packet = ask("www.example.", "A").wire();
    let many: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("0.0.0.0:0").expect("a port is free")).collect();
    for number in 0..120_000 {
        // both workers' sockets, which the kernel chooses by the port
        many[number % many.len()].send_to(&packet, "169.254.20.10:53").ok();
    }
}
