//! Tier `page`: the status page in a real browser, before the real daemon with pods that ask it.

mod access;
mod browser;
mod door;
mod live;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nearpath_tests::{Behaviour, Daemon, Upstream, ask, mode, place};

use crate::scenario::TABLE;
use browser::Browser;

const PODS: &str = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n\
                    shop/worker 127.3.0.2 search shop.svc.cluster.local svc.cluster.local cluster.local\n";

const COREFILE: &str = "cluster.local:PORT {\n bind IP\n errors\n autopath {\n  pods FOLDER/pods\n }\n cache {\n  success 9984 30\n  \
                        denial 9984 5\n }\n forward . CENTRE {\n  force_tcp\n }\n}\n\
                        .:PORT {\n bind IP\n errors\n cache 30\n forward . OUTSIDE\n}\n";

/// The name whose questions the outside server fails.
const BROKEN: &str = "broken.example.com";

/// A daemon with a page, and those whom it asks.
struct Node {
    centre: Upstream,
    outside: Upstream,
    daemon: Daemon,
}

impl Node {
    #[track_caller]
    fn start() -> Self {
        let (centre, outside) = (Upstream::with(TABLE), Upstream::with(TABLE));
        outside.behaves_for(&format!("{BROKEN}."), Behaviour::Rcode(2));
        let daemon = Self::daemon(place::socket(), &centre, &outside);
        Self { centre, outside, daemon }
    }

    #[track_caller]
    fn daemon(at: SocketAddr, centre: &Upstream, outside: &Upstream) -> Daemon {
        let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address())];
        let page = page_of(at).to_string();
        let flags = ["-status-listen-address", &page, "-node-name", "worker-3"];
        Daemon::at(at, COREFILE, &words, &[("pods", PODS)], &flags)
    }

    fn page(&self) -> SocketAddr {
        page_of(self.daemon.address())
    }

    /// The page in a browser of its own, once figures are on it.
    #[track_caller]
    fn seen(&self) -> Browser {
        let browser = Browser::start();
        browser.opens(&format!("http://{}/", self.page()));
        browser.sees("document.getElementById('link').textContent === 'Live'");
        browser
    }
}

/// Beside the port for DNS.
fn page_of(daemon: SocketAddr) -> SocketAddr {
    SocketAddr::new(daemon.ip(), daemon.port() + 1)
}

/// Pods that ask until this is dropped: for names that are remembered, new, missing, and broken.
struct Asking {
    goes_on: Arc<AtomicBool>,
    pods: Vec<JoinHandle<()>>,
}

impl Asking {
    fn of(daemon: &Daemon) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let pod = |last: u8| {
            let (client, goes_on) = (daemon.client_at(IpAddr::from([127, 3, 0, last])), Arc::clone(&goes_on));
            std::thread::spawn(move || {
                for number in 0_u32.. {
                    if !goes_on.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = match number % 20 {
                        3 => format!("n{number}-{last}.wild.example.com.shop.svc.cluster.local"),
                        7 => "nowhere.example.com.shop.svc.cluster.local".to_owned(),
                        11 if number % 100 == 11 => BROKEN.to_owned(),
                        15 => "db.shop.svc.cluster.local".to_owned(),
                        _ => "www.example.com.shop.svc.cluster.local".to_owned(),
                    };
                    client.asks(&ask(&name, if number % 2 == 0 { "A" } else { "AAAA" }));
                    std::thread::sleep(Duration::from_millis(2));
                }
            })
        };
        let pods = vec![pod(1), pod(2)];
        Self { goes_on, pods }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.goes_on.store(false, Ordering::Relaxed);
        let ended: Vec<_> = self.pods.drain(..).map(JoinHandle::join).collect();
        if !std::thread::panicking() {
            assert!(ended.iter().all(Result::is_ok), "every question was answered");
        }
    }
}

/// Where pictures go that somebody wants to look at: `NEARPATH_PICTURES` names the folder.
fn pictures() -> Option<PathBuf> {
    std::env::var_os("NEARPATH_PICTURES").map(PathBuf::from)
}

/// True if there is a browser.
#[track_caller]
fn have_browser() -> bool {
    mode::have("page", browser::NEEDS)
}

/// Fails if the console said anything, or anybody but the page's listener was asked.
#[track_caller]
fn was_quiet(browser: &Browser, page: SocketAddr) {
    let said = browser.console();
    assert!(said.is_empty(), "the console said: {said:#?}");
    let own = format!("http://{page}/");
    let requests = browser.requests();
    let foreign: Vec<_> =
        requests.iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:image/svg+xml,")).collect();
    assert!(!requests.is_empty() && foreign.is_empty(), "asked of others: {foreign:?} of {requests:?}");
}
