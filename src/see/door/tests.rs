//! The door before a teller that tells little: what is refused, how long a client may take, how streams end.

use std::sync::Mutex;
use std::time::Duration;

use contract::limits::{SEE_EVENT_WITHIN, SEE_STREAMS_MAX};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::see::api::Asked;

/// Tells its name, and the queries that it was given.
#[derive(Default)]
struct Someone {
    seen: Mutex<Vec<Seen>>,
    endless: bool,
}

impl Teller for Someone {
    fn overview(&self) -> Overview {
        Overview { node: "here".to_owned(), ..Overview::default() }
    }

    fn top(&self) -> Top {
        Top::default()
    }

    fn history(&self) -> History {
        History::default()
    }

    fn pods(&self, limit: usize) -> Pods {
        Pods { left_out: limit, ..Pods::default() }
    }

    fn explain(&self, wish: Wish) -> Boxed<'_, Result<Explained, Refused>> {
        Box::pin(async move {
            match wish.whose {
                Whose::Pod(_) => Err(Refused::unknown("nobody of that name")),
                _ => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let asked = Asked { name: wish.name.to_string(), rtype: wish.rtype.to_string() };
                    Ok(Explained { asked, ..Explained::default() })
                }
            }
        })
    }

    fn watch(&self, _which: Filter) -> Result<BoxStream<'static, Seen>, Refused> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let rest = if self.endless { stream::repeat(Seen::Missed(7)).boxed() } else { stream::pending().boxed() };
        Ok(stream::iter(seen).chain(rest).boxed())
    }
}

/// A door to somebody who tells little.
pub(in crate::see) fn nobody() -> Arc<Door> {
    door(Someone::default())
}

fn door(someone: Someone) -> Arc<Door> {
    let page = Page { html: "<p>".into(), policy: HeaderValue::from_static("default-src 'self'") };
    Arc::new(Door::new(Arc::new(someone), Some(page)))
}

fn connect(door: &Arc<Door>, policy: Policy) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = duplex(64 << 10);
    (client, tokio::spawn(Arc::clone(door).serve(server, policy)))
}

/// Sends a request as it stands and reads to the end.
async fn said(door: &Arc<Door>, policy: Policy, request: &str) -> (u16, String) {
    let (mut client, _) = connect(door, policy);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.unwrap();
    let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, reply)
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:9254\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn every_request_that_is_none_of_ours_is_refused_for_a_reason() {
    let door = door(Someone::default());
    let long = format!("/v1/explain?name={}", "a".repeat(SEE_TARGET_MAX));
    let headers: String = (0..=SEE_HEADERS_MAX).map(|number| format!("X-{number}: y\r\n")).collect();
    let with = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n{rest}");
    let overview = "GET /v1/overview";
    for (policy, request, status, word) in [
        (Policy::Owner, get("/v1/overview"), 200, "\"node\":\"here\""),
        (Policy::Owner, get("/v1/history"), 200, "points"),
        (Policy::Owner, get("/v1/top"), 200, "names"),
        (Policy::Owner, get("/v1/pods?limit=3"), 200, "\"left_out\":3"),
        (Policy::Owner, get("/v1/explain?name=a.b&type=aaaa"), 200, "{\"name\":\"a.b.\",\"rtype\":\"AAAA\"}"),
        (Policy::Owner, "GET /v1/top HTTP/1.0\r\n\r\n".to_owned(), 200, "names"),
        (Policy::Page, get("/"), 200, "<p>"),
        (Policy::Owner, get("/"), 404, "error"),
        (Policy::Owner, get("/v1/nothing"), 404, "error"),
        (Policy::Owner, get("/v1/explain?name=a&pod=b/c"), 404, "nobody of that name"),
        (Policy::Owner, get("/v1/explain"), 400, "'name' is missing"),
        (Policy::Owner, get("/v1/pods?limit=x"), 400, "a number from 1 to"),
        (Policy::Owner, get(&long), 414, "octets"),
        (Policy::Owner, with("POST /v1/overview", "\r\n"), 405, "allow: GET"),
        (Policy::Owner, with("HEAD /v1/overview", "\r\n"), 405, "405"),
        (Policy::Owner, with("DELETE /", "\r\n"), 405, "only GET"),
        (Policy::Owner, with(overview, "Content-Length: 1\r\n\r\nx"), 400, "without a body"),
        (Policy::Owner, with(overview, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, "without a body"),
        (Policy::Owner, with(overview, "Content-Length: x\r\n\r\n"), 400, "400"),
        (Policy::Owner, with(overview, &format!("X: {}\r\n\r\n", "y".repeat(SEE_HEAD_MAX))), 431, "431"),
        (Policy::Owner, with(overview, &format!("{headers}\r\n")), 431, "431"),
        (Policy::Owner, "nonsense\r\n\r\n".to_owned(), 400, "400"),
        (Policy::Owner, "GET  /v1/overview HTTP/1.1\r\n\r\n".to_owned(), 400, "400"),
        (Policy::Owner, "GET /v1/overview HTTP/9.9\r\n\r\n".to_owned(), 400, "400"),
        (Policy::Stranger, get("/v1/overview"), 403, "only root"),
        (Policy::Page, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 403, "is a name"),
        (Policy::Page, with("GET /", "Origin: http://evil.example\r\n\r\n"), 403, "may not ask"),
    ] {
        let (got, reply) = said(&door, policy, &request).await;
        assert_eq!(got, status, "{request}: {reply}");
        assert!(reply.contains(word), "{request}: {reply}");
        if reply.contains("application/json") {
            for header in ["cache-control: no-store", "x-content-type-options: nosniff", "default-src 'none'"] {
                assert!(reply.contains(header), "{header}: {reply}");
            }
        }
    }
    assert!(said(&door, Policy::Page, &get("/")).await.1.contains("content-security-policy: default-src 'self'"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_or_too_little_is_cut_in_time() {
    let door = door(Someone::default());
    for begun in ["", "GET /v1/over", "GET /v1/overview HTTP/1.1\r\nHost:"] {
        let (mut client, served) = connect(&door, Policy::Owner);
        client.write_all(begun.as_bytes()).await.unwrap();
        let at = Instant::now();
        served.await.unwrap();
        assert!(at.elapsed() <= SEE_HEAD_WITHIN + Duration::from_secs(1), "{begun}: {:?}", at.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_so_many_explanations_at_once_are_refused() {
    let door = door(Someone::default());
    let request = get("/v1/explain?name=a");
    let asked = (0..=EXPLAINED_MAX).map(|_| said(&door, Policy::Owner, &request));
    let told: Vec<u16> = futures_util::future::join_all(asked).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(told.iter().filter(|status| **status == 200).count(), EXPLAINED_MAX, "{told:?}");
    assert_eq!(told.iter().filter(|status| **status == 503).count(), 1, "{told:?}");
    assert_eq!(said(&door, Policy::Owner, &request).await.0, 200, "places come back");
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_until_the_daemon_leaves() {
    let sighted = Sighted { name: "www.example.com.".to_owned(), ..Sighted::default() };
    let someone = Someone { seen: Mutex::new(vec![Seen::Query(sighted), Seen::Missed(3)]), endless: false };
    let door = door(someone);
    let (mut watching, _) = connect(&door, Policy::Owner);
    watching.write_all(get("/v1/watch").as_bytes()).await.unwrap();
    let (mut streaming, _) = connect(&door, Policy::Page);
    streaming.write_all(get("/v1/stream").as_bytes()).await.unwrap();
    tokio::time::sleep(SEE_EXCHANGE_WITHIN + Duration::from_millis(2_500)).await;
    door.leave();
    let (mut watched, mut streamed) = (String::new(), String::new());
    watching.read_to_string(&mut watched).await.unwrap();
    streaming.read_to_string(&mut streamed).await.unwrap();
    assert!(watched.contains("text/event-stream") && watched.contains("\"name\":\"www.example.com.\""), "{watched}");
    assert!(watched.contains("event: missed\ndata: 3\n\n"), "{watched}");
    assert_eq!(streamed.matches("event: overview").count(), 13, "at once, and each second: {streamed}");
    assert_eq!(streamed.matches("event: top").count(), 13);
    let after = said(&door, Policy::Owner, &get("/v1/watch")).await;
    assert_eq!(after.0, 200, "it ends at once");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_stream_is_cut_and_gives_his_place_back() {
    let door = door(Someone { endless: true, ..Someone::default() });
    let mut open = Vec::new();
    for _ in 0..SEE_STREAMS_MAX {
        let (mut client, served) = connect(&door, Policy::Owner);
        client.write_all(get("/v1/watch").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        open.push((client, served));
    }
    assert_eq!(said(&door, Policy::Owner, &get("/v1/watch")).await.0, 503);
    let at = Instant::now();
    for (client, served) in open {
        served.await.unwrap();
        drop(client);
    }
    assert!(at.elapsed() <= SEE_EXCHANGE_WITHIN + SEE_EVENT_WITHIN, "{:?}", at.elapsed());
    assert_eq!(door.streams.available_permits(), SEE_STREAMS_MAX);
}
