//! Network namespaces that a test makes: the node's with a witness in it, and those of the pods.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, timeout};

use super::super::event::Testimony;
use super::super::netlink::{Lost, Socket, follow};

/// Far longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const FOUR: &str = "10.1.0.5";
pub(super) const SIX: &str = "fd00:1::5";

/// Runs a test in a network namespace of its own, on a thread and a runtime of its own.
pub(super) fn in_a_namespace(tier: &str, test: impl AsyncFnOnce() + Send + 'static) {
    let missing = ["ip", "bridge"].into_iter().find(|program| find(program).is_none());
    if let Some(program) = missing {
        return skip(tier, &format!("not installed: {program}"));
    }
    let run = move || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace can be made: {error}"))?;
        ip("link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test());
        Ok::<_, String>(())
    };
    match thread::spawn(run).join() {
        Ok(Ok(())) => (),
        Ok(Err(why)) => skip(tier, &why),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A tier that cannot run here is named, and fails where nothing may be skipped.
#[expect(clippy::disallowed_methods, reason = "whether anything may be skipped is the surroundings' to say")]
pub(super) fn skip(tier: &str, why: &str) {
    assert!(std::env::var("CI").is_err(), "skipped in CI: {tier}: {why}");
    note(&format!("SKIPPED {tier}: {why}"));
    if let Ok(path) = std::env::var("NEARPATH_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{tier}: {why}").unwrap();
    }
}

pub(super) fn note(text: &str) {
    writeln!(std::io::stdout(), "  {text}").unwrap();
}

pub(super) fn find(program: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(program))
        .find(|path| path.is_file())
}

#[track_caller]
pub(super) fn call(program: &str, words: &str) {
    let output = Command::new(find(program).unwrap()).args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {words}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
pub(super) fn ip(words: &str) {
    call("ip", words);
}

/// Many commands at once, on this thread.
pub(super) fn batch(lines: &str) {
    let mut child = Command::new(find("ip").unwrap())
        .args(["-force", "-batch", "-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait().unwrap();
}

/// A witness of this thread's namespace.
pub(super) struct Witness {
    out: Receiver<Testimony>,
    /// What was said of the addresses of interest so far.
    pub(super) heard: Vec<Testimony>,
}

impl Witness {
    /// One whose first round of dumps is complete.
    pub(super) async fn start(buffer: usize) -> Self {
        let mut witness = Self::listening(move || Socket::subscribe(buffer));
        witness.marker(250).await;
        witness
    }

    /// One that gets its sockets there.
    pub(super) fn listening(open: impl FnMut() -> Result<Socket, Lost> + 'static) -> Self {
        let (into, out) = channel(64);
        tokio::task::spawn_local(follow(open, into));
        Self { out, heard: Vec::new() }
    }

    pub(super) async fn next(&mut self, what: &str) -> Testimony {
        let testimony = timeout(PATIENCE, self.out.recv()).await;
        let testimony = testimony.unwrap_or_else(|_| panic!("waiting for {what} after {:?}", self.heard));
        let testimony = testimony.expect("it goes on");
        if !of(&testimony).is_some_and(|address| address.to_string().starts_with("10.99.")) {
            self.heard.push(testimony.clone());
        }
        testimony
    }

    pub(super) async fn until(&mut self, what: &str, is: impl Fn(&Testimony) -> bool) -> Testimony {
        loop {
            let testimony = self.next(what).await;
            if is(&testimony) {
                return testimony;
            }
        }
    }

    pub(super) async fn changed(&mut self, address: &str) -> u64 {
        let address: IpAddr = address.parse().unwrap();
        match self
            .until("a change", |said| matches!(said, Testimony::Changed { address: of, .. } if *of == address))
            .await
        {
            Testimony::Changed { change, .. } => change,
            _ => unreachable!(),
        }
    }

    pub(super) async fn traced(&mut self, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        self.until("a trace", |said| *said == Testimony::Traced(address)).await;
    }

    /// Whatever the kernel said until now has been heard: what it says of a marker comes after it.
    pub(super) async fn marker(&mut self, number: u8) -> Vec<Testimony> {
        let address: IpAddr = format!("10.99.0.{number}").parse().unwrap();
        ip(&format!("route add {address}/32 dev lo"));
        self.until("the marker", |said| *said == Testimony::Traced(address)).await;
        std::mem::take(&mut self.heard)
    }
}

pub(super) fn of(testimony: &Testimony) -> Option<IpAddr> {
    match testimony {
        Testimony::Traced(address) | Testimony::Untraced(address) => Some(*address),
        Testimony::Changed { address, .. } | Testimony::Restored { address, .. } => Some(*address),
        Testimony::Blind { .. } => None,
    }
}

pub(super) fn changes(heard: &[Testimony], address: &str) -> usize {
    let address: IpAddr = address.parse().unwrap();
    heard.iter().filter(|said| matches!(said, Testimony::Changed { address: of, .. } if *of == address)).count()
}

pub(super) fn restored(heard: &[Testimony]) -> usize {
    heard.iter().filter(|said| matches!(said, Testimony::Restored { .. })).count()
}

/// What is done in a sandbox.
type Order = Box<dyn FnOnce() + Send>;

/// A sandbox: a network namespace that lives as long as its thread, which does in it what it is told.
pub(super) struct Sandbox {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
    pub(super) task: nix::unistd::Pid,
}

impl Sandbox {
    /// With this link-layer address and the addresses on its `eth0`, whose other end is `host`.
    pub(super) fn new(host: &str, mac: &str) -> Self {
        let (orders, taken) = mpsc::channel::<Order>();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ready.send(nix::unistd::gettid()).unwrap();
            taken.iter().for_each(|order| order());
        });
        let task = is_ready.recv().unwrap();
        let sandbox = Self { orders: Some(orders), thread: Some(thread), task };
        ip(&format!("link add {host} type veth peer name eth0 netns {task}"));
        let mac = mac.to_owned();
        sandbox.run(move || {
            ip("link set lo up");
            ip(&format!("link set eth0 address {mac}"));
            ip(&format!("address add {FOUR}/24 dev eth0"));
            ip(&format!("address add {SIX}/64 dev eth0 nodad"));
            ip("link set eth0 up");
        });
        sandbox
    }

    /// Does this inside, and waits for its end.
    pub(super) fn run(&self, order: impl FnOnce() + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let order = move || {
            order();
            done.send(()).unwrap();
        };
        self.orders.as_ref().unwrap().send(Box::new(order)).unwrap();
        is_done.recv().unwrap();
    }

    /// Sends a datagram, so that the kernel resolves and the bridge learns.
    pub(super) fn send(&self, to: &str) {
        let to = SocketAddr::new(to.parse().unwrap(), 53);
        self.run(move || {
            let from: IpAddr = if to.is_ipv4() { FOUR } else { SIX }.parse().unwrap();
            UdpSocket::bind((from, 0)).unwrap().send_to(b"question", to).unwrap();
        });
    }

    /// Its network namespace goes, with the link in it.
    pub(super) fn end(mut self) {
        drop(self.orders.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(super) fn took(what: &str, since: Instant) {
    note(&format!("{what}: {} us", since.elapsed().as_micros()));
}
