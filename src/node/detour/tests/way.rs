//! A process of the host asks, with the rules in place: the daemon answers while it is there, and the central server while it is not.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::node::link::testing::{note, skip};

const CENTRAL: [&str; 2] = ["10.2.0.2", "fd02::2"];
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers with its name over UDP and TCP at these addresses until it is told to end.
fn serve(name: &str, addresses: &[IpAddr], end: &AtomicBool, ready: impl FnOnce()) {
    let datagrams: Vec<_> = addresses.iter().map(|address| UdpSocket::bind((*address, 53)).unwrap()).collect();
    let streams: Vec<_> = addresses.iter().map(|address| TcpListener::bind((*address, 53)).unwrap()).collect();
    datagrams.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    streams.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    ready();
    while !end.load(Ordering::Relaxed) {
        for socket in &datagrams {
            if let Ok((_, asker)) = socket.recv_from(&mut [0; 512]) {
                socket.send_to(name.as_bytes(), asker).ok();
            }
        }
        for socket in &streams {
            if let Ok((mut stream, _)) = socket.accept() {
                stream.write_all(name.as_bytes()).ok();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Who answers, over UDP and over TCP.
fn ask(address: IpAddr) -> [Result<String, ErrorKind>; 2] {
    let udp = || {
        let here: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
        let socket = UdpSocket::bind((here, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.connect((address, 53))?;
        socket.send(b"who")?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    let tcp = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, 53)), Duration::from_millis(500))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    [udp(), tcp()].map(|answer: std::io::Result<_>| answer.map_err(|error| error.kind()))
}

/// Asks until both come from there; how many were asked in vain before.
#[track_caller]
fn settles(address: IpAddr, who: &str) -> u32 {
    let deadline = Instant::now() + PATIENCE;
    for vain in 0.. {
        let answers = ask(address);
        if answers.iter().all(|answer| answer.as_deref() == Ok(who)) {
            return vain;
        }
        assert!(Instant::now() < deadline, "{address}: not {who} but {answers:?}");
    }
    unreachable!("the deadline comes first")
}

/// The rules of the failsafe for the host's own processes, in their shortest form.
fn rules(detour: &Detour) -> String {
    let four = ("ip", own()[0], IpAddr::V4(detour.address), CENTRAL[0].to_owned());
    let six = detour.address6.map(|hop| ("ip6", own()[1], IpAddr::V6(hop), format!("[{}]", CENTRAL[1])));
    let (device, back) = (&detour.device, &detour.back);
    let mut text = String::new();
    for (family, own, hop, central) in [Some(four), six].into_iter().flatten() {
        let at_own = format!("{family} daddr {own} meta l4proto {{ udp, tcp }} th dport 53");
        let bracketed = if own.is_ipv4() { own.to_string() } else { format!("[{own}]") };
        write!(
            text,
            "table {family} test {{
              chain raw {{ type filter hook prerouting priority raw;
                iifname \"lo\" {family} daddr {own} udp dport 53 socket wildcard 0 accept
                iifname \"lo\" {at_own} dup to {hop} device \"{device}\" drop
              }}
              chain out {{ type filter hook output priority raw;
                {family} saddr {own} udp sport 53 notrack accept
                {at_own} notrack accept
              }}
              chain nat {{ type nat hook prerouting priority dstnat - 5;
                {family} daddr {own} tcp dport 53 socket wildcard 0 dnat to {bracketed}:53
                {at_own} dnat to {central}:53
              }}
              chain post {{ type nat hook postrouting priority srcnat - 5;
                iifname \"{back}\" {family} saddr {own} masquerade
              }}
            }}\n"
        )
        .unwrap();
    }
    text
}

fn load(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// Works, and then tells those who wait for it to end, also when it fails.
fn until_done(end: &AtomicBool, work: impl FnOnce()) {
    let done = catch_unwind(AssertUnwindSafe(work));
    end.store(true, Ordering::Relaxed);
    done.unwrap_or_else(|panic| resume_unwind(panic));
}

/// The central servers in a network of their own behind a pair, for as long as the work takes.
fn with_central(work: impl FnOnce()) {
    let end = AtomicBool::new(false);
    let (tell, told) = channel();
    let (go, gone) = channel();
    let (up, is_up) = channel();
    std::thread::scope(|scope| {
        let end = &end;
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(nix::unistd::gettid()).unwrap();
            gone.recv().unwrap();
            ip("addr add 10.2.0.2/24 dev central");
            ip("addr add fd02::2/64 dev central nodad");
            ip("link set central up");
            serve("central", &CENTRAL.map(|address| address.parse().unwrap()), end, || up.send(()).unwrap());
        });
        ip(&format!("link add uplink type veth peer name central netns {}", told.recv().unwrap()));
        ip("addr add 10.2.0.1/24 dev uplink");
        ip("addr add fd02::1/64 dev uplink nodad");
        ip("link set uplink up");
        go.send(()).unwrap();
        is_up.recv().unwrap();
        until_done(end, work);
    });
}

/// Without the daemon, with it, and without it again.
fn switches(addresses: &[IpAddr]) -> Vec<u32> {
    let mut vain: Vec<_> = addresses.iter().map(|address| settles(*address, "central")).collect();
    let end = AtomicBool::new(false);
    let (up, is_up) = channel();
    std::thread::scope(|scope| {
        let end = &end;
        scope.spawn(move || serve("local", addresses, end, || up.send(()).unwrap()));
        is_up.recv().unwrap();
        until_done(end, || vain.extend(addresses.iter().map(|address| settles(*address, "local"))));
    });
    vain.extend(addresses.iter().map(|address| settles(*address, "central")));
    vain
}

#[test]
fn the_host_asks_the_central_server_while_nobody_listens() {
    in_own_network("detour with rules", || {
        if !Command::new("nft").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return skip("detour with rules", "nft is not installed");
        }
        with_central(|| {
            // the host forwards IPv6, which it must, and no IPv4, which it need not
            assert!(run("sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=0").status.success());
            with_netlink(async |handle| Link::new(NAME, &own()).ensure(&handle, Unwanted::Remove).await.unwrap());
            for central in CENTRAL {
                settles(central.parse().unwrap(), "central");
            }
            for filter in 0..=2 {
                let words =
                    format!("sysctl -qw net.ipv4.conf.all.rp_filter={filter} net.ipv4.conf.default.rp_filter={filter}");
                assert!(run(&words).status.success());
                let detour = ensure();
                load(&rules(&detour));
                let vain = switches(&own());
                note(&format!("all.rp_filter={filter}: asked in vain of central, the daemon, central again: {vain:?}"));
                with_netlink(async |handle| assert!(Detour::remove(&handle, NAME).await.unwrap()));
                assert!(run("nft flush ruleset").status.success());
            }
        });
    });
}
