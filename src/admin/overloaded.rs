//! How long the daemon's own `/health` takes, as an operator's probe would see it: asked once a second, as CoreDNS does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::metrics::{Counter, Histogram, Metrics};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Pages;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long it may take until that counts as a failure.
const WITHIN: Duration = Duration::from_secs(3);
/// Seconds, as CoreDNS buckets these durations.
const SLIM_SECONDS: &[f64] = &[0.00025, 0.0025, 0.025, 0.25, 2.5];
/// What an answer begins with if it is one: well or not, somebody served it.
const ANSWER: &[u8] = b"HTTP/1.1 ";

struct Counts {
    durations: Arc<Histogram>,
    failures: Arc<Counter>,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let failures = "Times that the daemon's own health could not be asked.";
        let durations = "How long the daemon's own health takes to be told, seconds.";
        Self {
            durations: metrics.histogram("coredns_health_request_duration_seconds", durations, &[], SLIM_SECONDS),
            failures: metrics.counter("coredns_health_request_failures_total", failures, &[]),
        }
    }
}

/// Asks for as long as it is polled, whenever health is told at the address.
pub(super) async fn watch(address: SocketAddr, pages: Arc<ArcSwap<Pages>>, metrics: Arc<Metrics>) {
    let address = reachable(address);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the listener is not there yet
    loop {
        ticks.tick().await;
        if !pages.load().health {
            continue;
        }
        let counts = Counts::new(&metrics);
        let begun = Instant::now();
        let told = timeout(WITHIN, ask(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        counts.durations.observe(begun.elapsed().as_secs_f64());
        if told.is_err() {
            counts.failures.increment();
        }
    }
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut begin = [0; ANSWER.len()];
    stream.read_exact(&mut begin).await?;
    match begin == *ANSWER {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Who listens everywhere is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // one for IPv6 takes IPv4 too, and loopback may have no IPv6
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        ip => ip,
    };
    SocketAddr::new(ip.to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listens, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:8080", "127.0.0.1:8080"), ("127.0.0.9:1", "127.0.0.9:1")]
        {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }

    #[tokio::test]
    async fn only_who_answers_in_http_is_alive() {
        for (answer, alive) in [("HTTP/1.1 200 OK\r\n\r\nOK", true), ("what?????????", false), ("", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await; // the client may have gone
            };
            let (asked, ()) = tokio::join!(ask(address), serve);
            assert_eq!(asked.is_ok(), alive, "{answer:?}");
        }
    }
}
