//! The door to what the daemon tells of itself: HTTP/1.1 over the unix socket and for the status page.
//!
//! ```text
//!   stream --Door::serve--> head --Policy--> Wanted::read --Teller--> JSON, or a stream of events
//!                            |  slow: cut      |  400: what was expected
//!                            '-- 405, 414      '-- 403, 404, 503
//! ```
//!
//! Every connection carries one exchange and ends with it.

mod asked;
mod daemon;
mod events;
mod parameters;
mod policy;
mod reply;
#[cfg(test)]
pub(super) mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use contract::Boxed;
use contract::limits::{
    EXPLAINED_MAX, SEE_EXCHANGE_WITHIN, SEE_HEAD_MAX, SEE_HEAD_WITHIN, SEE_HEADERS_MAX, SEE_STREAMS_MAX, SEE_TARGET_MAX,
};
use futures_util::stream::BoxStream;
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

pub use asked::{Wanted, Whose, Wish};
pub use daemon::Running;
pub(crate) use parameters::encoded;
pub use policy::Policy;
use reply::Body;
pub use reply::Refused;

use super::Filter;
use super::api::{Explained, History, Overview, Pods, Sighted, Top};

/// What can be told of the daemon. The door knows nothing else of it.
pub trait Teller: Send + Sync {
    /// How it is doing.
    fn overview(&self) -> Overview;

    /// Who and what is asked for most.
    fn top(&self) -> Top;

    /// The last quarter of an hour.
    fn history(&self) -> History;

    /// Who has an address, at most `limit` of them.
    fn pods(&self, limit: usize) -> Pods;

    /// Why a name gets its answer.
    ///
    /// # Errors
    /// Nobody is known of whom it is asked.
    fn explain(&self, wish: Wish) -> Boxed<'_, Result<Explained, Refused>>;

    /// The queries that match from now on.
    ///
    /// # Errors
    /// Too many watch already.
    fn watch(&self, which: Filter) -> Result<BoxStream<'static, Seen>, Refused>;
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A query and its reply.
    Query(Sighted),
    /// Since the last such word so many that match were not shown. Comes each second, also with zero.
    Missed(u64),
}

/// The status page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The whole of it.
    pub html: Bytes,
    /// What a browser may do with it (Content-Security-Policy).
    pub policy: HeaderValue,
}

/// The door. Its streams end when it is told that the daemon leaves.
pub struct Door {
    teller: Arc<dyn Teller>,
    page: Option<Page>,
    streams: Arc<Semaphore>,
    explained: Semaphore,
    leaving: watch::Sender<bool>,
}

/// One connection's exchange.
#[derive(Default)]
struct Exchange {
    /// Set once the reply is a stream of events, which may take its time.
    streams: AtomicBool,
    /// Told when the client does not take its events.
    cut: Notify,
}

impl Door {
    /// A door to what `teller` tells; the page is shown at [`Policy::Page`] alone.
    pub fn new(teller: Arc<dyn Teller>, page: Option<Page>) -> Self {
        Self {
            teller,
            page,
            streams: Arc::new(Semaphore::new(SEE_STREAMS_MAX)),
            explained: Semaphore::new(EXPLAINED_MAX),
            leaving: watch::Sender::new(false),
        }
    }

    /// Ends the streams of events, those under way and those to come.
    pub fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// Serves one connection to its end. Who is slow with his request, or with taking what he asked for, is cut.
    pub async fn serve<S>(self: Arc<Self>, stream: S, policy: Policy)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let exchange = Arc::<Exchange>::default();
        let (door, own) = (Arc::clone(&self), Arc::clone(&exchange));
        let service = service_fn(move |request: Request<Incoming>| {
            let (door, exchange) = (Arc::clone(&door), Arc::clone(&own));
            async move { Ok::<_, Infallible>(door.answer(&request, policy, &exchange).await) }
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(SEE_HEAD_MAX)
            .max_headers(SEE_HEADERS_MAX)
            .timer(TokioTimer::new())
            .header_read_timeout(SEE_HEAD_WITHIN)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // a client that breaks off is no event
        let over = timeout(SEE_EXCHANGE_WITHIN, &mut connection).await.is_ok();
        if !over && exchange.streams.load(Ordering::Relaxed) {
            tokio::select! {
                _ = connection => {}
                () = exchange.cut.notified() => {}
            }
        }
    }

    async fn answer(&self, request: &Request<Incoming>, policy: Policy, exchange: &Arc<Exchange>) -> Response<Body> {
        let replied = match Self::wanted(request, policy) {
            Ok(wanted) => self.told(wanted, exchange).await,
            Err(refused) => Err(refused),
        };
        replied.unwrap_or_else(Refused::into_response)
    }

    /// What is wanted, if it may be.
    fn wanted(request: &Request<Incoming>, policy: Policy) -> Result<Wanted, Refused> {
        let refused = |status, error: &str| Refused::new(status, error);
        if let Some(objection) = policy.objection(request.headers()) {
            return Err(refused(StatusCode::FORBIDDEN, &objection));
        }
        if *request.method() != Method::GET {
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here"));
        }
        let uri = request.uri();
        if uri.path_and_query().is_some_and(|target| target.as_str().len() > SEE_TARGET_MAX) {
            let error = format!("what is asked for has more than {SEE_TARGET_MAX} octets");
            return Err(refused(StatusCode::URI_TOO_LONG, &error));
        }
        if !request.body().is_end_stream() {
            return Err(refused(StatusCode::BAD_REQUEST, "a request without a body is expected"));
        }
        match Wanted::read(uri.path(), uri.query()) {
            Some(Ok(wanted)) if policy.serves(&wanted) => Ok(wanted),
            Some(Err(malformed)) => Err(refused(StatusCode::BAD_REQUEST, &malformed.0)),
            Some(Ok(_)) | None => Err(refused(StatusCode::NOT_FOUND, "nothing is told under this path")),
        }
    }

    async fn told(&self, wanted: Wanted, exchange: &Arc<Exchange>) -> Result<Response<Body>, Refused> {
        let teller = &self.teller;
        match wanted {
            Wanted::Page => match &self.page {
                Some(page) => Ok(reply::page(page)),
                None => Err(Refused::new(StatusCode::NOT_FOUND, "there is no page here")),
            },
            Wanted::Overview => Ok(reply::json(&teller.overview())),
            Wanted::Top => Ok(reply::json(&teller.top())),
            Wanted::History => Ok(reply::json(&teller.history())),
            Wanted::Pods { limit } => Ok(reply::json(&teller.pods(limit))),
            Wanted::Explain(wish) => {
                let error = "as many questions as may be are being explained; try again in a moment";
                let _place = self.explained.try_acquire().map_err(|_| Refused::busy(error))?;
                teller.explain(wish).await.map(|explained| reply::json(&explained))
            }
            Wanted::Watch(which) => {
                let place = self.stream()?;
                let seen = teller.watch(which)?;
                Ok(self.events(events::watch(seen), place, exchange))
            }
            Wanted::Stream => {
                let place = self.stream()?;
                Ok(self.events(events::overviews(Arc::clone(teller)), place, exchange))
            }
        }
    }

    fn stream(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Refused> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_| Refused::busy("as many streams as may be are open; close one"))
    }

    fn events(
        &self,
        events: BoxStream<'static, Bytes>,
        place: tokio::sync::OwnedSemaphorePermit,
        exchange: &Arc<Exchange>,
    ) -> Response<Body> {
        exchange.streams.store(true, Ordering::Relaxed);
        let (exchange, leaving) = (Arc::clone(exchange), self.leaving.subscribe());
        let (source, body) = events::channel(events, leaving);
        tokio::spawn(async move {
            if source.run().await.is_err() {
                exchange.cut.notify_one();
            }
            drop(place);
        });
        reply::events(body)
    }
}
