//! The directive at work: built from a Corefile, served by scripted upstreams on the loopback interface.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail a test by panicking")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::corefile::{Memory, Report, parse};
use contract::testing;
use contract::wire::{Flags, HEADER, Name, Rcode, RecordType};
use contract::{
    Answer, Blocks, Bound, Boxed, Client, Context, Failure, Next, Plugin, Query, Reply, RuntimeClock, Served, Source,
    Spec as _, Story, Transport, What,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

fn context() -> Context {
    Context { clock: Arc::new(RuntimeClock::start()), ..testing::context() }
}

/// The plugins of a server block.
fn built(context: &Context, body: &str) -> Result<Vec<Arc<dyn Plugin>>, contract::BuildError> {
    let mut report = Report::new();
    let corefile = parse("Corefile", &format!(".:1053 {{\n{body}\n}}\n"), &Memory::new(), &mut report);
    let statements = &corefile.blocks[0].statements;
    let specs: Vec<_> = statements.iter().filter_map(|one| forward::check(one, &[Name::root()], &mut report)).collect();
    assert!(!report.has_errors(), "{report}");
    specs.iter().map(|spec| spec.build(context)).collect()
}

/// The end of the chain: who is asked here was forwarded nowhere.
#[derive(Debug)]
struct End;

impl Plugin for End {
    fn name(&self) -> &'static str {
        "end"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::NOTAUTH);
        Box::pin(async { Ok(Reply::fresh(answer, Source::Plugin("end"))) })
    }
}

struct NoBlocks;

impl Blocks for NoBlocks {
    fn resolve<'a>(&'a self, _: Query) -> Boxed<'a, Served> {
        Box::pin(async { panic!("forward never enters the blocks anew") })
    }
}

async fn ask(context: &Context, chain: &[Arc<dyn Plugin>], name: &str, transport: Transport) -> Served {
    let query = testing::query(name, RecordType::A);
    let query = Query { client: Client { transport, ..query.client }, arrived: context.clock.now(), ..query };
    Next::new(chain, &NoBlocks).serve(&query).await
}

/// A reply without records.
fn reply(question: &[u8], flags: u16, rcode: Rcode) -> Vec<u8> {
    let end = HEADER + contract::wire::Question::parse(question).unwrap().section().len();
    let mut wire = question[..end].to_vec();
    wire[2..4].copy_from_slice(&(Flags::QR | flags | rcode.0).to_be_bytes());
    wire[6..HEADER].fill(0);
    wire
}

/// An upstream that says `over_udp` or `over_tcp` to everything; `None`: nothing.
async fn upstream(over_udp: Option<(u16, Rcode)>, over_tcp: Option<Rcode>) -> SocketAddr {
    let (listener, socket) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            break (listener, socket);
        }
    };
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            if let Some((flags, rcode)) = over_udp {
                socket.send_to(&reply(&buffer[..length], flags, rcode), peer).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let (Some(rcode), Ok((mut stream, _))) = (over_tcp, listener.accept().await) {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; usize::from(length)];
                    stream.read_exact(&mut question).await.unwrap();
                    let message = reply(&question, 0, rcode);
                    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
                    stream.write_all(&[&length, &message[..]].concat()).await.unwrap();
                }
            });
        }
    });
    address
}

/// An upstream over UDP that says this to everything.
async fn saying(rcode: Rcode) -> SocketAddr {
    upstream(Some((0, rcode)), None).await
}

async fn rcode(context: &Context, chain: &[Arc<dyn Plugin>], name: &str, transport: Transport) -> Rcode {
    ask(context, chain, name, transport).await.unwrap().answer.rcode()
}

#[tokio::test]
async fn names_outside_from_or_inside_except_go_on() {
    let context = context();
    let to = saying(Rcode::NXDOMAIN).await;
    let mut chain = built(&context, &format!("forward a.org {to} {{\nexcept b.a.org a.org\n}}")).unwrap();
    chain.push(Arc::new(End));
    for (name, forwarded) in [("a.org", true), ("x.org", false), ("b.a.org", false), ("c.b.a.org", false)] {
        let said = rcode(&context, &chain, name, Transport::Udp).await;
        assert_eq!(said == Rcode::NXDOMAIN, forwarded, "{name}");
    }
    let chain = built(&context, &format!("forward . {to} {{\nexcept b.org\n}}")).unwrap();
    let reply = ask(&context, &chain, "a.org", Transport::Udp).await.unwrap();
    assert!(reply.storable && reply.source == Source::Upstream(to));
    assert!(matches!(ask(&context, &chain, "b.org", Transport::Udp).await, Err(Failure::EndOfChain { .. })));
}

#[tokio::test]
async fn several_forwards_share_a_block_by_zone_and_by_code() {
    let context = context();
    let (first, second) = (saying(Rcode::NXDOMAIN).await, saying(Rcode::REFUSED).await);
    let chain = built(&context, &format!("forward a.org {first}\nforward . {second}")).unwrap();
    assert_eq!(rcode(&context, &chain, "x.a.org", Transport::Udp).await, Rcode::NXDOMAIN);
    assert_eq!(rcode(&context, &chain, "b.org", Transport::Udp).await, Rcode::REFUSED);

    let chain = built(&context, &format!("forward . {first} {{\nnext NXDOMAIN\n}}\nforward . {second}")).unwrap();
    assert_eq!(rcode(&context, &chain, "b.org", Transport::Udp).await, Rcode::REFUSED);
    let mut alone = built(&context, &format!("forward . {first} {{\nnext NXDOMAIN\n}}")).unwrap();
    alone.push(Arc::new(End));
    assert_eq!(rcode(&context, &alone, "b.org", Transport::Udp).await, Rcode::NXDOMAIN, "the next is no forward");

    let nodata = saying(Rcode::NOERROR).await;
    let chain = built(&context, &format!("forward . {nodata} {{\nnext_on_nodata\n}}\nforward . {second}")).unwrap();
    assert_eq!(rcode(&context, &chain, "b.org", Transport::Udp).await, Rcode::REFUSED);
}

#[tokio::test]
async fn the_clients_protocol_decides_unless_told_otherwise() {
    let context = context();
    let to = upstream(Some((0, Rcode::NXDOMAIN)), Some(Rcode::REFUSED)).await;
    for (property, over_udp, over_tcp) in [
        ("", Rcode::NXDOMAIN, Rcode::REFUSED),
        ("force_tcp", Rcode::REFUSED, Rcode::REFUSED),
        ("prefer_udp", Rcode::NXDOMAIN, Rcode::NXDOMAIN),
        ("force_tcp\nprefer_udp", Rcode::REFUSED, Rcode::REFUSED),
    ] {
        let chain = built(&context, &format!("forward . {to} {{\n{property}\n}}")).unwrap();
        assert_eq!(rcode(&context, &chain, "a.org", Transport::Udp).await, over_udp, "{property}");
        for transport in [Transport::Tcp, Transport::Tls, Transport::Https] {
            assert_eq!(rcode(&context, &chain, "a.org", transport).await, over_tcp, "{property}");
        }
    }
}

#[tokio::test]
async fn a_reply_that_stays_truncated_is_not_memorised() {
    let context = context();
    let to = upstream(Some((Flags::TC, Rcode::NOERROR)), None).await;
    let chain = built(&context, &format!("forward . {to} {{\nread_timeout 200ms\n}}")).unwrap();
    let reply = ask(&context, &chain, "a.org", Transport::Udp).await.unwrap();
    assert!(reply.answer.is_truncated() && !reply.storable);
}

#[tokio::test]
async fn more_than_max_concurrent_are_refused() {
    let context = context();
    let silent = upstream(None, None).await;
    let chain = built(&context, &format!("forward . {silent} {{\nmax_concurrent 2\n}}")).unwrap();
    let waiting = [0, 1].map(|_| ask(&context, &chain, "a.org", Transport::Udp));
    let [mut one, mut two] = waiting.map(Box::pin);
    tokio::select! {
        biased;
        _ = &mut one => panic!("nobody answers"),
        _ = &mut two => panic!("nobody answers"),
        third = ask(&context, &chain, "a.org", Transport::Udp) => {
            let failure = third.unwrap_err();
            assert_eq!(failure, Bound::MaxConcurrent.reached_at(2, None));
            assert_eq!(failure.told().0, Rcode::REFUSED);
        }
    }
    drop(one);
    let freed = tokio::time::timeout(Duration::from_millis(20), ask(&context, &chain, "a.org", Transport::Udp)).await;
    assert!(freed.is_err(), "there is room again, so it waits for the upstream");
    assert!(context.metrics.text().contains("coredns_forward_max_concurrent_rejects_total 1\n"));
}

/// The first one says nothing: when the second is asked as well, milliseconds.
#[tokio::test(start_paused = true)]
async fn who_writes_an_order_has_it_kept_for_half_a_second() {
    for (policy, waited) in [("round_robin", 20..500), ("sequential", 500..2_000)] {
        let context = context();
        let (silent, other) = (upstream(None, None).await, saying(Rcode::NXDOMAIN).await);
        let chain = built(&context, &format!("forward . {silent} {other} {{\npolicy {policy}\n}}")).unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(rcode(&context, &chain, "a.org", Transport::Udp).await, Rcode::NXDOMAIN);
        assert!(waited.contains(&begun.elapsed().as_millis()), "{policy}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn run_checks_the_upstreams() {
    let context = context();
    let silent = upstream(None, None).await;
    let chain = built(&context, &format!("forward . {silent} {{\nfailfast_all_unhealthy_upstreams\n}}")).unwrap();
    let checks = tokio::spawn(Arc::clone(&chain[0]).run());
    assert!(matches!(ask(&context, &chain, "a.org", Transport::Udp).await, Err(Failure::Timeout { .. })));
    tokio::time::sleep(Duration::from_secs(15)).await; // two checks, each as patient as a question
    let failure = ask(&context, &chain, "a.org", Transport::Udp).await.unwrap_err();
    assert!(matches!(failure, Failure::AllDown { count: 1, longest: Some(_) }), "{failure:?}");
    checks.abort();
}

/// A file of this test alone; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn upstreams_are_read_from_a_file() {
    let context = context();
    let file =
        Scratch::new("resolv.conf", "search a.org\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 127.0.0.1\n");
    built(&context, &format!("forward . {}", file.0.display())).unwrap();
    let text = context.metrics.text();
    for to in ["127.0.0.1:53", "[::1]:53"] {
        assert!(text.contains(&format!("nearpath_upstream_hedges_total{{to=\"{to}\"}}")), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_said_with_what_to_do() {
    let context = context();
    let empty = Scratch::new("empty.conf", "search a.org\n");
    let certified = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let certificate = Scratch::new("cert.pem", &certified.cert.pem());
    let key = Scratch::new("key.pem", &certified.signing_key.serialize_pem());
    let (empty, certificate, key) = (empty.0.display(), certificate.0.display(), key.0.display());
    for (body, says) in [
        (format!("forward . {empty}"), ["no line `nameserver", "name an upstream's address"]),
        ("forward . /nonexistent/resolv.conf".to_owned(), ["/nonexistent/resolv.conf", "addresses of upstreams"]),
        ("forward . tls://127.0.0.1 {\ntls /nonexistent/ca.pem\n}".to_owned(), ["/nonexistent/ca.pem", "certificate"]),
        (format!("forward . tls://127.0.0.1 {{\ntls {empty}\n}}"), ["no certificate", "PEM"]),
        (format!("forward . tls://127.0.0.1 {{\ntls {certificate} {empty}\n}}"), ["empty.conf", "private key"]),
    ] {
        let error = built(&context, &body).unwrap_err().to_string();
        assert!(says.iter().all(|part| error.contains(part)), "{body}: {error}");
    }
    for arguments in
        ["", &certificate.to_string(), &format!("{certificate} {key}"), &format!("{certificate} {key} {certificate}")]
    {
        built(&context, &format!("forward . tls://127.0.0.1 {{\ntls {arguments}\n}}")).unwrap();
    }
}

/// What a question for the name tells on its way, as far as plugins do it by themselves.
async fn told(context: &Context, chain: &[Arc<dyn Plugin>], name: &str) -> Vec<String> {
    let story = Arc::new(Story::begin());
    let asked = testing::query(name, RecordType::A);
    let query = Query { arrived: context.clock.now(), story: Some(Arc::clone(&story)), ..asked };
    let _ = Next::new(chain, &NoBlocks).serve(&query).await;
    let text = |what| match what {
        What::Plugin { name: "forward", text } => Some(text.into_owned()),
        _ => None,
    };
    story.steps().0.into_iter().filter_map(|step| text(step.what)).collect()
}

#[tokio::test]
async fn which_zone_takes_a_name_and_who_is_handed_it_is_told() {
    let context = context();
    let (denying, knowing) = (saying(Rcode::NXDOMAIN).await, saying(Rcode::NOERROR).await);
    let body = format!("forward a.org {denying} {{\nexcept b.a.org\nnext NXDOMAIN\n}}\nforward . {knowing}");
    let chain = built(&context, &body).unwrap();
    let taken = "zone .: 1 of 1 upstreams are up".to_owned();
    assert_eq!(told(&context, &chain, "x.org").await, ["not asked: zone a.org. does not enclose it", &taken]);
    assert_eq!(told(&context, &chain, "x.b.a.org").await, ["not asked: zone a.org., except b.a.org.", &taken]);
    let first = "zone a.org.: 1 of 1 upstreams are up";
    assert_eq!(told(&context, &chain, "x.a.org").await, [first, "NXDOMAIN: the next forward is asked", &taken]);

    let full = built(&context, &format!("forward . {knowing} {{\nmax_concurrent 1\n}}")).unwrap();
    let standings: Vec<_> = full.iter().flat_map(|plugin| plugin.standings()).collect();
    let [standing] = &standings[..] else { panic!("{standings:?}") };
    assert_eq!((standing.address, standing.plugin, standing.zones.as_str()), (knowing, "forward", "."));
    assert!(standing.is_up && standing.round_trip.is_none(), "{standing:?}");
}
