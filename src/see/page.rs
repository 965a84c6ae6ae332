//! The status page: one HTML document with its style and script in it, and the listener that shows it and answers its script.
//!
//! ```text
//!   page/index.html, style.css, *.js --put together once--> Page, with the hashes of what a browser may run
//!   -status-listen-address --StatusPage::open--> listener, bounded --> Door::serve(.., Policy::Page)
//! ```
//!
//! It stays open over reloads: its address comes from the command line.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::{SEE_CONNECTIONS_MAX, SEE_CONNECTIONS_PER_CLIENT_MAX};
use data_encoding::BASE64;
use hyper::header::HeaderValue;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::door::{Door, Page, Policy};
use crate::admin::{self, Places, Ports};

/// The pause after the system could not accept, for want of descriptors or memory.
const FAILED_PAUSE: Duration = Duration::from_millis(50);

/// The document, with marks for its style and its script.
const DOCUMENT: &str = include_str!("page/index.html");
/// Its style.
const STYLE: &str = include_str!("page/style.css");
/// Its script: the words first, what keeps it alive last.
const SCRIPT: &str = concat!(
    include_str!("page/words.js"),
    include_str!("page/picture.js"),
    include_str!("page/charts.js"),
    include_str!("page/tables.js"),
    include_str!("page/explain.js"),
    include_str!("page/live.js"),
);

/// The page's address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot show the status page at http://{address}: {error}; free the port, or change -status-listen-address")]
pub struct CannotShow {
    address: SocketAddr,
    error: io::Error,
}

/// The page's listener. Closes with its value.
pub struct StatusPage(AbortHandle);

impl StatusPage {
    /// Listens at an address and serves the door's page there. With [`Ports::Shared`] an address that cannot be had is tried
    /// again until it can. To be called inside the runtime.
    ///
    /// # Errors
    /// The address cannot be had, and is not to be tried again.
    pub fn open(address: SocketAddr, ports: Ports, door: Arc<Door>) -> Result<Self, CannotShow> {
        let bound = admin::bind(address, ports).map_err(|error| CannotShow { address, error });
        if ports == Ports::Own
            && let Err(error) = bound
        {
            return Err(error);
        }
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                "the status page at http://{address} asks for no password: whoever reaches it sees what pods ask for"
            );
        }
        let serving = async move {
            let listener = match bound {
                Ok(listener) => listener,
                Err(error) => admin::bind_at_last(address, &error).await,
            };
            accept(listener, door).await;
        };
        Ok(Self(tokio::spawn(serving).abort_handle()))
    }
}

impl Drop for StatusPage {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let places = Arc::new(Places::new(SEE_CONNECTIONS_MAX, SEE_CONNECTIONS_PER_CLIENT_MAX));
    if let Ok(address) = listener.local_addr() {
        tracing::info!("status page at http://{address}");
    }
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            tokio::time::sleep(FAILED_PAUSE).await; // others may close some
            continue;
        };
        let Some(place) = places.take(client.ip().to_canonical()) else { continue };
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            door.serve(stream, Policy::Page).await;
            drop(place);
        });
    }
}

/// The page as it is shown: whole in one document, and a policy by which a browser runs this script alone, takes this style
/// alone, talks to nobody but this listener, and never makes markup of a text.
pub fn document() -> Page {
    let html = DOCUMENT.replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        sha256(SCRIPT),
        sha256(STYLE),
    );
    Page { html: html.into(), policy: HeaderValue::try_from(policy).expect("words of ASCII") }
}

/// The hash as a policy names it (CSP level 3, 2.3.1). TLS brings the function.
fn sha256(text: &str) -> String {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("a suite of TLS 1.3");
    BASE64.encode(suite.common.hash_provider.hash(text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests;
