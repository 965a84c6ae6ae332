//! `/debug/pprof/`: CPU profiles for Go's `pprof` tool, taken while somebody asks for one and at no other time.

use std::time::Duration;

use bytes::Bytes;
use contract::limits::{PROFILE_DEFAULT, PROFILE_MAX};
use http_body_util::Full;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use hyper::{Method, Response, StatusCode, Uri};
use profiling::{CannotProfile, Profile};

use super::server::text;

/// Where all of it is.
const ROOT: &str = "/debug/pprof";
/// What is there.
const INDEX: &str = "/debug/pprof/\n\n\
    profile?seconds=N  where the processor's time goes: for N seconds (30 if nothing is said, 60 at most), in pprof's format\n\
    cmdline            the command line, its words apart by octets of zero\n\n\
    go tool pprof http://ADDRESS/debug/pprof/profile\n";

/// What a profile of Go's runtime is about that has no like here, and why.
const ABSENT: [(&str, &str); 8] = [
    ("heap", "the allocator keeps no record of who allocated; metrics tell the memory of the process"),
    ("allocs", "the allocator keeps no record of who allocated; metrics tell the memory of the process"),
    ("goroutine", "there are no goroutines"),
    ("threadcreate", "threads are made at the start, and no record of it is kept"),
    ("block", "there are no goroutines that wait"),
    ("mutex", "no record is kept of who waits for a lock"),
    ("trace", "there is no execution tracer; the directive `trace` tells the way of single questions"),
    ("symbol", "profiles have their functions' names in them"),
];

/// True for what is answered here.
pub(super) fn is_below(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request below [`ROOT`].
pub(super) async fn respond(method: &Method, uri: &Uri) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served\n".to_owned());
    }
    let page = uri.path().strip_prefix(ROOT).unwrap_or_default();
    match page.strip_prefix('/') {
        None => {
            let mut response = text(StatusCode::FOUND, String::new());
            response.headers_mut().insert(LOCATION, "/debug/pprof/".parse().expect("a valid header"));
            response
        }
        Some("") => text(StatusCode::OK, INDEX.to_owned()),
        Some("cmdline") => text(StatusCode::OK, command_line()),
        Some("profile") => match length(uri.query().unwrap_or_default()) {
            Ok(length) => profile(length).await,
            Err(reason) => text(StatusCode::BAD_REQUEST, reason),
        },
        Some(other) => match ABSENT.iter().find(|(name, _)| *name == other) {
            Some((name, reason)) => text(StatusCode::NOT_FOUND, format!("no profile `{name}`: {reason}\n")),
            None => {
                text(StatusCode::NOT_FOUND, format!("no profile `{other}`; /debug/pprof/ lists those that are here\n"))
            }
        },
    }
}

fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    words.join("\0")
}

/// How long a profile is asked for; what is no number of seconds counts as nothing said, as in Go.
fn length(query: &str) -> Result<Duration, String> {
    let said = query.split('&').find_map(|pair| pair.strip_prefix("seconds="));
    let seconds = said.and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
    let length = seconds.map_or(PROFILE_DEFAULT, Duration::from_secs);
    match length > PROFILE_MAX {
        true => Err(format!("at most {} seconds are served\n", PROFILE_MAX.as_secs())),
        false => Ok(length),
    }
}

/// Takes a profile. Whoever hangs up ends it.
async fn profile(length: Duration) -> Response<Full<Bytes>> {
    let taken = async {
        let profile = beside(Profile::begin).await?;
        tokio::time::sleep(length).await;
        beside(|| profile.finish()).await
    };
    match taken.await {
        Ok(octets) => {
            let mut response = Response::new(Full::new(Bytes::from(octets)));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, "application/octet-stream".parse().expect("a valid header"));
            headers.insert(CONTENT_DISPOSITION, "attachment; filename=\"profile\"".parse().expect("a valid header"));
            response
        }
        Err(busy @ CannotProfile::Busy) => text(StatusCode::CONFLICT, format!("{busy}\n")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("no profile can be taken: {error}\n")),
    }
}

/// Does what takes long beside the questions.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CannotProfile> + Send + 'static,
) -> Result<T, CannotProfile> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(CannotProfile::System("taking it has panicked".to_owned())))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn get(target: &str) -> (StatusCode, Response<Full<Bytes>>) {
        let response = respond(&Method::GET, &target.parse().unwrap()).await;
        (response.status(), response)
    }

    async fn told(target: &str) -> (u16, String) {
        let (status, response) = get(target).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn what_is_below_the_root() {
        for (path, is) in [
            ("/debug/pprof", true),
            ("/debug/pprof/", true),
            ("/debug/pprof/profile", true),
            ("/debug/pprofile", false),
        ] {
            assert_eq!(is_below(path), is, "{path}");
        }
    }

    #[tokio::test]
    async fn each_page_is_there_or_says_why_it_is_not() {
        let (status, response) = get("/debug/pprof").await;
        assert_eq!((status, &response.headers()[LOCATION]), (StatusCode::FOUND, &"/debug/pprof/".parse().unwrap()));
        assert!(told("/debug/pprof/").await.1.contains("profile?seconds=N"));
        let (status, words) = told("/debug/pprof/cmdline").await;
        assert_eq!((status, words.split('\0').next()), (200, std::env::args().next().as_deref()));
        for (name, _) in ABSENT {
            let (status, body) = told(&format!("/debug/pprof/{name}?debug=1")).await;
            assert!(status == 404 && body.starts_with(&format!("no profile `{name}`: ")), "{body}");
        }
        assert_eq!(told("/debug/pprof/hep").await.0, 404);
        assert_eq!(told("/debug/pprof/profile?seconds=61").await, (400, "at most 60 seconds are served\n".to_owned()));
        let posted = respond(&Method::POST, &"/debug/pprof/profile".parse().unwrap()).await;
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn seconds_are_read_as_go_reads_them() {
        for (query, seconds) in [
            ("", Some(30)),
            ("seconds=5", Some(5)),
            ("debug=1&seconds=60", Some(60)),
            ("seconds=0", Some(30)),
            ("seconds=-5", Some(30)),
            ("seconds=1.5", Some(30)),
            ("seconds=61", None),
        ] {
            assert_eq!(length(query).ok(), seconds.map(Duration::from_secs), "{query}");
        }
    }

    #[tokio::test]
    async fn one_profile_is_taken_at_a_time_and_whoever_hangs_up_ends_it() {
        let under_way = tokio::spawn(profile(PROFILE_MAX));
        while !Profile::is_taken() {
            tokio::task::yield_now().await;
        }
        assert_eq!(get("/debug/pprof/profile?seconds=1").await.0, StatusCode::CONFLICT);
        under_way.abort();
        assert!(under_way.await.is_err());
        while Profile::is_taken() {
            tokio::task::yield_now().await;
        }
        let (status, response) = get("/debug/pprof/profile?seconds=1").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/octet-stream");
        let octets = response.into_body().collect().await.unwrap().to_bytes();
        assert!(octets.windows(11).any(|window| window == b"nanoseconds"), "a profile names its units");
    }
}
