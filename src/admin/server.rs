//! The HTTP side of the pages: one listener per address, kept over reloads.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use contract::limits::{PROFILE_MAX, PROFILE_TOLD_WITHIN};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::places::Places;
use super::{Pages, State, overloaded, profiles};
use crate::serve::sockets;

/// Connections of one address; further ones are closed.
const CONNECTIONS_MAX: usize = 256;
/// Connections of one client at one address: a pod that holds them open must not keep the kubelet out.
const CONNECTIONS_PER_CLIENT_MAX: usize = 16;
/// How long a client may take for all of it.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take to send its request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(2);

/// How often an address that cannot be had yet is tried.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on http://{address}: {error}; free the port, or change the address of `health`, `ready`, `prometheus` or `pprof`"
)]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

/// How the addresses of the pages are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Each is this process's alone; one that cannot be had is an error.
    Own,
    /// Other processes of this user may share them, and one that cannot be had is tried again until it can: answers to
    /// clients do not wait for a page.
    Shared,
}

/// The listeners of the pages.
pub struct Admin {
    state: Arc<State>,
    ports: Ports,
    open: BTreeMap<SocketAddr, Open>,
}

struct Open {
    pages: Arc<ArcSwap<Pages>>,
    tasks: [AbortHandle; 2],
}

impl Admin {
    /// No listener yet.
    pub fn new(state: Arc<State>, ports: Ports) -> Self {
        Self { state, ports, open: BTreeMap::new() }
    }

    /// Opens what is wanted and closes what is not. Addresses that stay keep their sockets. Every address that cannot be had
    /// is told; the others are open, or, with [`Ports::Shared`], tried for. To be called inside the runtime.
    pub fn reconcile(&mut self, wanted: &BTreeMap<SocketAddr, Pages>) -> Vec<BindError> {
        self.open.retain(|address, open| {
            let stays = wanted.contains_key(address);
            if !stays {
                open.tasks.iter().for_each(AbortHandle::abort);
            }
            stays
        });
        let mut errors = Vec::new();
        for (&address, &pages) in wanted {
            match self.open.get(&address) {
                Some(open) => open.pages.store(Arc::new(pages)),
                None => match self.listen(address, pages) {
                    Ok(open) => {
                        self.open.insert(address, open);
                    }
                    Err(error) => errors.push(BindError { address, error }),
                },
            }
        }
        errors
    }

    fn listen(&self, address: SocketAddr, pages: Pages) -> io::Result<Open> {
        let bound = bind(address, self.ports);
        if self.ports == Ports::Own
            && let Err(error) = bound
        {
            return Err(error);
        }
        let pages = Arc::new(ArcSwap::from_pointee(pages));
        let (told, state) = (Arc::clone(&pages), Arc::clone(&self.state));
        let serving = async move {
            let listener = match bound {
                Ok(listener) => listener,
                Err(error) => bind_at_last(address, &BindError { address, error }).await,
            };
            accept(listener, told, state).await;
        };
        let looking = overloaded::watch(address, Arc::clone(&pages), Arc::clone(&self.state.shared.metrics));
        Ok(Open { pages, tasks: [tokio::spawn(serving).abort_handle(), tokio::spawn(looking).abort_handle()] })
    }
}

/// A listener, whose address is shared or not. To be called inside the runtime.
pub(crate) fn bind(address: SocketAddr, ports: Ports) -> io::Result<TcpListener> {
    TcpListener::from_std(sockets::listener(address, ports == Ports::Shared)?)
}

/// Tries until the address can be had: who holds it may leave, and an address that is not there yet may come.
pub(crate) async fn bind_at_last(address: SocketAddr, error: &impl Display) -> TcpListener {
    tracing::warn!("{error}; trying again each second");
    loop {
        tokio::time::sleep(RETRY_EVERY).await;
        if let Ok(listener) = bind(address, Ports::Shared) {
            tracing::info!("listening on http://{address} at last");
            return listener;
        }
    }
}

async fn accept(listener: TcpListener, pages: Arc<ArcSwap<Pages>>, state: Arc<State>) {
    let places = Arc::new(Places::new(CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT_MAX));
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors: others may close some
            continue;
        };
        let Some(place) = places.take(client.ip()) else { continue };
        let (pages, state) = (Arc::clone(&pages), Arc::clone(&state));
        tokio::spawn(async move {
            let within = page_within(**pages.load());
            let service = service_fn(move |request: Request<Incoming>| {
                let (pages, state) = (**pages.load(), Arc::clone(&state));
                async move {
                    Ok::<_, Infallible>(match pages.profiles && profiles::is_below(request.uri().path()) {
                        true => profiles::respond(request.method(), request.uri()).await,
                        false => respond(&request, pages, &state),
                    })
                }
            });
            let connection = http1::Builder::new()
                .keep_alive(false)
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .serve_connection(TokioIo::new(stream), service);
            // a client that breaks off is no event, and one that does not read its page is cut
            let _ = tokio::time::timeout(within, connection).await;
            drop(place);
        });
    }
}

/// How long a client may take where these pages are: a profile is long under way.
fn page_within(pages: Pages) -> Duration {
    if pages.profiles { PROFILE_MAX + PROFILE_TOLD_WITHIN + PAGE_WITHIN } else { PAGE_WITHIN }
}

fn respond(request: &Request<Incoming>, pages: Pages, state: &State) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served\n".to_owned());
    }
    match request.uri().path() {
        "/health" if pages.health => match state.complaint() {
            None => text(StatusCode::OK, "OK".to_owned()),
            Some(complaint) => text(StatusCode::SERVICE_UNAVAILABLE, complaint),
        },
        "/ready" if pages.ready => match state.not_ready() {
            pending if pending.is_empty() => text(StatusCode::OK, "OK".to_owned()),
            pending => text(StatusCode::SERVICE_UNAVAILABLE, pending.join(",")),
        },
        "/metrics" if pages.metrics => text(StatusCode::OK, state.metrics()),
        _ => text(
            StatusCode::NOT_FOUND,
            "not found; see the directives health, ready, prometheus and pprof\n".to_owned(),
        ),
    }
}

/// A page of text.
pub(super) fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8".parse().expect("a valid header"));
    response
}
